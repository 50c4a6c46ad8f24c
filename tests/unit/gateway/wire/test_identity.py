"""Who the client is, by trusted proxies alone."""

from __future__ import annotations

from ipaddress import ip_network

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.wire.identity import client_of, fields_of, is_in, is_well_formed, peer_of

TRUSTED = (ip_network("10.0.0.0/8"), ip_network("2001:db8::/32"))
PROXY = peer_of("10.0.0.1", "http", TRUSTED)
STRANGER = peer_of("192.0.2.7", "http", TRUSTED)


def test_an_untrusted_peer_is_the_client_whatever_it_says() -> None:
    assert client_of(STRANGER, b"9.9.9.9", b"for=9.9.9.9", TRUSTED) == b"192.0.2.7"


@pytest.mark.parametrize(
    ("chain", "client"),
    [
        (b"9.9.9.9", b"9.9.9.9"),
        (b"6.6.6.6, 9.9.9.9, 10.0.0.2", b"9.9.9.9"),
        (b'"[2001:0DB9::1]:443"', b"2001:db9::1"),
        (b"9.9.9.9:1234", b"9.9.9.9"),
        (b"6.6.6.6, unknown, 10.0.0.2", b"10.0.0.2"),
        (b"unknown", b"10.0.0.1"),
        (b"", b"10.0.0.1"),
        (b"10.0.0.3, 10.0.0.2", b"10.0.0.3"),
    ],
)
def test_the_right_most_untrusted_address_counts(chain: bytes, client: bytes) -> None:
    assert client_of(PROXY, chain, None, TRUSTED) == client


def test_forwarded_is_read_where_there_is_no_x_forwarded_for() -> None:
    assert client_of(PROXY, None, b'for="[2001:db9::1]:1";proto=https, for=10.0.0.9', TRUSTED) == b"2001:db9::1"
    assert client_of(PROXY, None, b'for="', TRUSTED) == b"10.0.0.1"


@pytest.mark.parametrize(
    "good",
    [b"for=192.0.2.43", b'For="[2001:db8:cafe::17]:4711"', b"for=192.0.2.60;proto=http;by=203.0.113.43", b"for=unknown",
     b"for=192.0.2.43, for=198.51.100.17", b"for=_hidden, for=_SEVKISEK", b'by=_a;host="x"'],
)  # fmt: skip
def test_examples_of_rfc_7239_are_well_formed(good: bytes) -> None:
    assert is_well_formed(good)


@pytest.mark.parametrize(
    "bad",
    [b'for="[::1]:"', b"proto=http;proto=https", b'"', b'for="', b"for=", b"for=1.2.3.4,;", b"for=a b", b"x", b"",
     b"for=2001:db8::1", b"proto=gopher", b'for="1.2.3.4\\""', b"for=1.2.3.4;For=5.6.7.8", b"for=bank.example"],
)  # fmt: skip
def test_what_can_be_read_in_two_ways_is_not_well_formed(bad: bytes) -> None:
    assert not is_well_formed(bad)


def test_a_trusted_peer_is_appended_and_what_is_odd_is_dropped() -> None:
    lines = fields_of(PROXY, b"9.9.9.9", b"https", b"for=9.9.9.9")
    assert lines == (
        b"\r\nX-Forwarded-For: 9.9.9.9, 10.0.0.1\r\nX-Forwarded-Proto: https\r\nForwarded: for=9.9.9.9, for=10.0.0.1"
    )
    assert fields_of(PROXY, b"a b", b"http, https", b'"') == PROXY.fields
    six = peer_of("2001:db8::1", "http", TRUSTED)
    assert fields_of(six, None, None, b"for=unknown").endswith(b'for=unknown, for="[2001:db8::1]"')


@given(st.binary(max_size=60))
def test_whatever_is_said_the_lines_stay_lines_and_the_peer_comes_last(value: bytes) -> None:
    value = value.replace(b"\r", b"").replace(b"\n", b"")  # the parser lets none of them pass
    lines = fields_of(PROXY, value, value, value).split(b"\r\n")
    assert [line.partition(b":")[0] for line in lines[1:3]] == [b"X-Forwarded-For", b"X-Forwarded-Proto"]
    assert lines[1].endswith(b"10.0.0.1")
    assert client_of(PROXY, value, None, TRUSTED)


def test_ipv4_in_ipv6_counts_as_ipv4() -> None:
    assert is_in("::ffff:10.1.1.1", TRUSTED)
    assert not is_in("unix", TRUSTED)
    assert not is_in("10.1.1.1", ())
