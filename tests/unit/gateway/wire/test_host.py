"""What a Host may look like."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.wire.host import is_good_host
from tests.support.strict_http import HOST


@pytest.mark.parametrize(
    "good", [b"bank", b"bank.example:8080", b"10.0.0.1", b"[::1]:80", b"", b"a%41", b"bank:", b"a_b"]
)
def test_hosts_with_and_without_a_port_are_good(good: bytes) -> None:
    assert is_good_host(good)


@pytest.mark.parametrize(
    "bad", [b"a,b", b"u@h", b"h/p", b"h:1:2", b"h:99999", b"[::1]x", b"a..b", b"a%zz", b"h\n", b"a b"]
)
def test_what_could_be_read_as_another_host_is_bad(bad: bytes) -> None:
    assert not is_good_host(bad)


@given(st.binary(max_size=12))
def test_what_is_good_is_good_for_the_strict_reader_too(value: bytes) -> None:
    if is_good_host(value):
        assert HOST.match(value + b"0" if value.endswith(b":") else value)
