"""What is not well-formed HTTP/1.1 gets 4xx or 5xx and a closed connection; nothing of it reaches the upstream."""

from __future__ import annotations

import json
from collections.abc import Iterator

import pytest

from tests.support.gateways import Gateway, gateway
from tests.support.wire import Client, Upstream, raw, upstream

ROUTES = 'version: 1\nupstreams: {{monolith: {{url: "{url}"}}}}\ndefault: monolith\n'
HOST = b"Host: bank\r\n"
NEXT = b"GET /smuggled HTTP/1.1\r\nHost: bank\r\n\r\n"


@pytest.fixture(scope="module")
def monolith() -> Iterator[Upstream]:
    with upstream() as one:
        yield one


@pytest.fixture(scope="module")
def gate(monolith: Upstream) -> Iterator[Gateway]:
    with gateway(ROUTES.format(url=monolith.url)) as one:
        yield one


@pytest.fixture
def http(gate: Gateway, monolith: Upstream) -> Iterator[Client]:
    monolith.reset()
    with Client(gate.port) as one:
        yield one
    assert monolith.problems == []


def post(fields: bytes, body: bytes = b"") -> bytes:
    return b"POST / HTTP/1.1\r\n" + HOST + fields + b"\r\n" + body


def chunks(body: bytes) -> bytes:
    return post(b"Transfer-Encoding: chunked\r\n", body)


HEADS = {
    "T01 no host": b"GET / HTTP/1.1\r\n\r\n",
    "T02 two hosts": b"GET / HTTP/1.1\r\n" + HOST + HOST + b"\r\n",
    **{
        f"T02 host {value!r}": b"GET / HTTP/1.1\r\nHost: " + value + b"\r\n\r\n"
        for value in (b"a,b", b"u@h", b"h/path", b"h:1:2", b"h:99999", b"[::1]x", b"a b", b"a..b", b"a\0")
    },
    "T03 another host": b"GET http://other/p HTTP/1.1\r\n" + HOST + b"\r\n",
    "T04 userinfo": b"GET http://u:p@bank/p HTTP/1.1\r\n" + HOST + b"\r\n",
    **{
        f"T05 target {target!r}": b"GET " + target + b" HTTP/1.1\r\n" + HOST + b"\r\n"
        for target in (b"*", b"*/x", b"admin", b"h:80", b"?x", b"/a#b", b"/a\x01", b"/a\x7f", b"/a%00b")
    },
    "T06 connect": b"CONNECT bank:80 HTTP/1.1\r\n" + HOST + b"\r\n",
    "T06 connect with a body": b"CONNECT bank:80 HTTP/1.1\r\n" + HOST + b"Content-Length: 3\r\n\r\nabc",
    "T07 long target": b"GET /" + b"a" * 20_000 + b" HTTP/1.1\r\n" + HOST + b"\r\n",
    "T08 two spaces": b"GET  / HTTP/1.1\r\n" + HOST + b"\r\n",
    "T08 two spaces later": b"GET /  HTTP/1.1\r\n" + HOST + b"\r\n",
    "T08 tab": b"GET\t/ HTTP/1.1\r\n" + HOST + b"\r\n",
    **{
        f"T08 version {version!r}": b"GET /" + version + b"\r\n" + HOST + b"\r\n"
        for version in (b"", b" HTTP/1.10", b" HTTP/01.1", b" http/1.1", b" HTTP/2.0", b" HTTP/1.1 ", b" HTTP/0.9")
    },
    "T08 method": b"G(T / HTTP/1.1\r\n" + HOST + b"\r\n",
    "T09 bare LF everywhere": b"GET / HTTP/1.1\nHost: bank\n\n",
    "T09 bare LF in the head": b"GET / HTTP/1.1\r\nHost: bank\nA: b\r\n\r\n",
    "T09 bare LF at the end": b"GET / HTTP/1.1\r\n" + HOST + b"\n",
    "T09 leading LF": b"\nGET / HTTP/1.1\r\n" + HOST + b"\r\n",
    "T09 bare CR": b"GET / HTTP/1.1\r\n" + HOST + b"A: b\rc\r\n\r\n",
    "T10 white space first": b"GET / HTTP/1.1\r\n " + HOST + b"\r\n",
    "T13 loop": b"GET / HTTP/1.1\r\n" + HOST + b"Via: 1.0 a, 1.1 strangler (x)\r\n\r\n",
    "T14 max-forwards": b"OPTIONS / HTTP/1.1\r\n" + HOST + b"Max-Forwards: -1\r\n\r\n",
    "T15 trace": b"TRACE / HTTP/1.1\r\n" + HOST + b"\r\n",
    "T16 space before colon": b"GET / HTTP/1.1\r\n" + HOST + b"A : b\r\n\r\n",
    "T17 obs-fold": b"GET / HTTP/1.1\r\n" + HOST + b"A: b\r\n c\r\n\r\n",
    **{
        f"T18 control {byte:#x}": b"GET / HTTP/1.1\r\n" + HOST + b"A: b" + bytes([byte]) + b"c\r\n\r\n"
        for byte in (0, 1, 8, 11, 12, 27, 127)
    },
    **{
        f"T19 name {name!r}": b"GET / HTTP/1.1\r\n" + HOST + name + b": x\r\n\r\n"
        for name in (b"", b"a b", b"a(b", b"a\xe9", b"a\x00", b"a[b")
    },
    "T19 no colon": b"GET / HTTP/1.1\r\n" + HOST + b"Abc\r\n\r\n",
    "T31 many fields": b"GET / HTTP/1.1\r\n" + HOST + b"a: b\r\n" * 400 + b"\r\n",
    "T31 large field": b"GET / HTTP/1.1\r\n" + HOST + b"a: " + b"b" * 70_000 + b"\r\n\r\n",
    "T31 endless field": b"GET / HTTP/1.1\r\n" + HOST + b"a: " + b"b" * 70_000,
}
BODIES = {
    "T32 both framings": post(b"Content-Length: 5\r\nTransfer-Encoding: chunked\r\n", b"0\r\n\r\n"),
    "T32 both, the other way": post(b"Transfer-Encoding: chunked\r\nContent-Length: 5\r\n", b"0\r\n\r\n"),
    "T33 two lengths": post(b"Content-Length: 3\r\nContent-Length: 4\r\n", b"abcd"),
    "T33 same length twice": post(b"Content-Length: 3\r\nContent-Length: 3\r\n", b"abc"),
    **{
        f"T34 length {value!r}": post(b"Content-Length: " + value + b"\r\n", b"abcde")
        for value in (b"+5", b"-5", b"0x5", b"5_0", b"1e1", b"5.0", b'""', b"", b"5 5", b"00000005", b"5, 5",
                      b"9223372036854775808", b"18446744073709551616", b"1" + b"0" * 900, "\u0665".encode())
    },
    **{
        f"T35 coding {value!r}": post(b"Transfer-Encoding: " + value + b"\r\n", b"0\r\n\r\n")
        for value in (b"gzip, chunked", b"chunked, gzip", b"chunked, chunked", b",chunked", b"chunked,", b"chunked;a=b",
                      b"", b"identity", b"xchunked", b"\x0bchunked", b"gzip")
    },
    "T35 two codings": post(b"Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n", b"0\r\n\r\n"),
    "T36 chunks in 1.0": b"POST / HTTP/1.0\r\n" + HOST + b"Transfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
}  # fmt: skip
CHUNKS = {
    **{
        f"T37 size {size!r}": chunks(size + b"\r\nabcde\r\n0\r\n\r\n")
        for size in (b"0x5", b"+5", b"-5", b"5_", b" 5", b"5 ", b";a", b"10000000000000000", b"")
    },
    "T38 LF after size": chunks(b"5\nabcde\r\n0\r\n\r\n"),
    "T38 LF after data": chunks(b"5\r\nabcde\n0\r\n\r\n"),
    "T38 CR after size": chunks(b"5\rabcde\r\n0\r\n\r\n"),
    "T38 LF after last": chunks(b"5\r\nabcde\r\n0\n\r\n"),
    "T38 data too long": chunks(b"5\r\nabcdef\r\n0\r\n\r\n"),
    "T38 data too short": chunks(b"5\r\nabcd\r\n0\r\n\r\n"),
    "T38 LF in a trailer": chunks(b"5\r\nabcde\r\n0\r\nT: x\n\r\n"),
    "T39 NUL in an extension": chunks(b"5;a\0b\r\nabcde\r\n0\r\n\r\n"),
    "T39 LF in an extension": chunks(b"5;a\nb\r\nabcde\r\n0\r\n\r\n"),
    "T39 endless extension": chunks(b"5;" + b"a" * 30_000 + b"\r\nabcde\r\n0\r\n\r\n"),
}  # fmt: skip


@pytest.mark.parametrize("name", [*HEADS, *BODIES])
def test_malformed_head_is_refused_and_nothing_reaches_the_upstream(
    http: Client, monolith: Upstream, name: str
) -> None:
    http.send({**HEADS, **BODIES}[name] + NEXT)
    found = http.answer()
    assert 400 <= found.status < 600
    assert found.is_complete
    assert found.get("connection") == b"close"
    document = json.loads(found.body)
    assert document["status"] == found.status
    assert len(document["error_id"]) == 16
    assert http.is_closed()
    assert monolith.requests == []


@pytest.mark.parametrize("name", CHUNKS)
def test_malformed_chunks_abort_the_request_and_what_follows_is_never_a_request(
    http: Client, monolith: Upstream, name: str
) -> None:
    http.send(CHUNKS[name] + NEXT)
    assert http.answer().status == 400
    assert http.is_closed()
    assert monolith.requests == []  # the recording upstream counts complete requests only


def test_statuses_say_which_bound_was_met(gate: Gateway, monolith: Upstream) -> None:
    expected = {
        "T07 long target": 414,
        "T31 large field": 431,
        "T31 endless field": 431,
        "T13 loop": 508,
        "T15 trace": 501,
    }
    for name, status in expected.items():
        with Client(gate.port) as http:
            http.send(HEADS[name])
            assert http.answer().status == status, name


def test_request_before_a_malformed_one_is_answered_first(http: Client, monolith: Upstream) -> None:
    http.send(b"GET /good HTTP/1.1\r\n" + HOST + b"\r\n" + HEADS["T16 space before colon"] + NEXT)
    assert [http.answer().status, http.answer().status] == [200, 400]
    assert http.is_closed()
    assert monolith.targets() == [b"/good"]


def test_empty_lines_before_a_request_are_ignored_but_not_for_ever(gate: Gateway, http: Client) -> None:
    http.send(b"\r\n\r\nGET / HTTP/1.1\r\n" + HOST + b"\r\n")
    assert http.answer().status == 200
    with Client(gate.port) as other:
        other.send(b"\r\n" * 40)
        assert other.answer().status == 400


def test_max_forwards_counts_down_and_ends_here(http: Client, monolith: Upstream) -> None:
    assert http.get("/", "Max-Forwards: 3\r\n", "OPTIONS").body == b"ok"
    assert http.get("/", "Max-Forwards: 0\r\n", "OPTIONS").status == 200
    assert [received.get("max-forwards") for received in monolith.requests] == [b"2"]


def test_client_that_leaves_inside_its_body_completes_nothing(gate: Gateway, http: Client, monolith: Upstream) -> None:
    http.send(post(b"Content-Length: 10\r\n", b"abc"))
    http.sock.close()
    with Client(gate.port) as other:
        assert other.get("/after").status == 200
    assert monolith.targets() == [b"/after"]


BAD_ANSWERS = {
    "T57 both framings": b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
    "T57 two lengths": b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nContent-Length: 2\r\n\r\nok",
    "T57 odd length": b"HTTP/1.1 200 OK\r\nContent-Length: +2\r\n\r\nok",
    "T57 odd coding": b"HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n",
    "T60 four digits": b"HTTP/1.1 2000 OK\r\nContent-Length: 2\r\n\r\nok",
    "T60 version": b"HTTP/2.0 200 OK\r\nContent-Length: 2\r\n\r\nok",
    "T60 none": b"hello",
    "T16 space before colon": b"HTTP/1.1 200 OK\r\nA : b\r\nContent-Length: 2\r\n\r\nok",
    "T17 obs-fold": b"HTTP/1.1 200 OK\r\nA: b\r\n c\r\nContent-Length: 2\r\n\r\nok",
    "T18 control": b"HTTP/1.1 200 OK\r\nA: b\x01\r\nContent-Length: 2\r\n\r\nok",
    "T31 many fields": b"HTTP/1.1 200 OK\r\n" + b"a: b\r\n" * 400 + b"Content-Length: 2\r\n\r\nok",
    "T31 endless": b"HTTP/1.1 200 OK\r\na: " + b"b" * 100_000,
    "T49 flood of 1xx": b"HTTP/1.1 103 Early Hints\r\n\r\n" * 100 + b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok",
}


@pytest.mark.parametrize("name", BAD_ANSWERS)
def test_bad_answer_is_502_and_its_socket_is_not_used_again(http: Client, monolith: Upstream, name: str) -> None:
    monolith.respond = raw(BAD_ANSWERS[name])
    found = http.get()
    assert found.status == 502
    assert b"outcome" not in found.body
    monolith.reset()
    assert http.get("/again").body == b"ok"


@pytest.mark.parametrize(
    "extra", [b"more", b"HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nevil", b"\0", b"HTTP/1.1 200 OK\r\n"]
)
def test_bytes_after_an_answer_never_reach_another_client(http: Client, monolith: Upstream, extra: bytes) -> None:
    monolith.respond = raw(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok" + extra)
    assert http.get("/one").body == b"ok"
    first = monolith.requests[0].connection
    monolith.reset()
    assert http.get("/two").body == b"ok"
    assert monolith.requests[0].connection != first


def test_body_that_an_upstream_sends_to_head_does_not_leak(http: Client, monolith: Upstream) -> None:
    monolith.respond = raw(b"HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nevil")
    assert http.get("/", method="HEAD").get("content-length") == b"4"
    monolith.reset()
    assert http.get("/two").body == b"ok"


TRUNCATED = {
    "length": b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nonly this",
    "chunks": b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n9\r\nonly this\r\n",
    "chunk": b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n64\r\nonly this",
}


@pytest.mark.parametrize("name", TRUNCATED)
@pytest.mark.parametrize("version", [b"1", b"0"])
def test_truncated_answer_is_never_a_clean_end(http: Client, monolith: Upstream, name: str, version: bytes) -> None:
    monolith.respond = raw(TRUNCATED[name], close=True)
    http.send(b"GET / HTTP/1." + version + b"\r\n" + HOST + b"\r\n")
    try:
        found = http.answer()
    except ConnectionError:
        return
    assert not found.is_complete
    assert http.is_closed()
