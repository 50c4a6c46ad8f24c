"""A head that came before is not parsed again; nobody can tell, whatever comes with it or after it."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.support.gateways import Gateway, gateway
from tests.support.wire import Client, Upstream, raw, upstream

ROUTES = 'version: 1\nupstreams: {{monolith: {{url: "{url}"}}}}\ndefault: monolith\n'
HEAD = b"HTTP/1.1 200 OK\r\nDate: today\r\nX-Kind: same\r\nContent-Length: 5\r\n\r\n"
FIELDS = "X-Odd: 1\r\nAccept: */*\r\n"


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
    """A client whose fields, and an upstream whose answers, have come often enough to be known."""
    monolith.reset()
    monolith.respond = raw(HEAD + b"12345")
    with Client(gate.port) as one:
        for _ in range(4):
            assert one.get("/warm", FIELDS).body == b"12345"
        monolith.requests.clear()
        yield one
    assert monolith.problems == []


def test_repeated_requests_differ_in_target_and_trace_only(http: Client, monolith: Upstream) -> None:
    targets = [b"/a", b"/b?q=1", b"/%2e%2e/c;x", b"/a"]
    for target in targets:
        assert http.get(target.decode(), FIELDS).body == b"12345"
    assert monolith.targets() == targets
    traces = [request.get("traceparent") for request in monolith.requests]
    assert len(set(traces)) == len(targets)
    rest = [[field for field in request.fields if field[0] != b"traceparent"] for request in monolith.requests]
    assert all(fields == rest[0] for fields in rest)


@pytest.mark.parametrize(
    "start",
    [
        b"GET /a#b",
        b"GET /\x7f",
        b"GET /\xc3\xa4",
        b"GET  /a",
        b"GET http://else/a",
        b"GET /%00",
        b"G\x00T /a",
        b"NOSUCH /a",
    ],
)
def test_bad_request_line_over_known_fields_is_refused(http: Client, monolith: Upstream, start: bytes) -> None:
    http.send(start + b" HTTP/1.1\r\nHost: bank\r\n" + FIELDS.encode() + b"\r\n")
    assert http.answer().status in (400, 405, 501)
    assert monolith.requests == []


def test_other_fields_and_other_methods_are_read_anew(http: Client, monolith: Upstream) -> None:
    assert http.get("/a", "X-Odd: 2\r\nAccept: */*\r\n").body == b"12345"
    http.send(b"POST /a HTTP/1.1\r\nHost: bank\r\n" + FIELDS.encode() + b"Content-Length: 2\r\n\r\nhi")
    assert http.answer().body == b"12345"
    http.send(b"DELETE /a HTTP/1.1\r\nHost: bank\r\n" + FIELDS.encode() + b"\r\n")
    assert http.answer().body == b"12345"
    first, second, third = monolith.requests
    assert first.get("X-Odd") == b"2"
    assert (second.method, second.body, third.method) == (b"POST", b"hi", b"DELETE")


def test_known_request_is_answered_when_it_comes_in_pieces_and_pipelined(http: Client, monolith: Upstream) -> None:
    request = b"GET /%d HTTP/1.1\r\nHost: bank\r\n" + FIELDS.encode() + b"\r\n"
    http.send(request % 1 + request % 2 + (request % 3)[:30])
    http.send((request % 3)[30:])
    assert [http.answer().body for _ in range(3)] == [b"12345"] * 3
    assert monolith.targets() == [b"/1", b"/2", b"/3"]


def test_known_head_of_an_answer_does_not_hide_what_follows_it(http: Client, monolith: Upstream) -> None:
    monolith.respond = raw(HEAD + b"123456")  # one byte too many: it belongs to nobody
    assert http.get("/long", FIELDS).body == b"12345"
    connections = monolith.connections
    monolith.respond = raw(HEAD + b"abcde")
    assert http.get("/next", FIELDS).body == b"abcde"
    assert monolith.connections == connections + 1


def test_known_head_over_half_a_body_is_a_broken_answer(http: Client, monolith: Upstream) -> None:
    monolith.respond = raw(HEAD + b"123", close=True)
    http.send(b"GET /half HTTP/1.1\r\nHost: bank\r\n" + FIELDS.encode() + b"\r\n")
    received = b""
    while data := http.sock.recv(65536):
        received += data
    assert received.endswith(b"\r\n\r\n123")


def test_known_head_in_answer_to_head_has_no_body(http: Client, monolith: Upstream) -> None:
    monolith.respond = raw(HEAD)
    http.send(b"HEAD /a HTTP/1.1\r\nHost: bank\r\n" + FIELDS.encode() + b"\r\n")
    answer = http.answer("HEAD")
    assert answer.get("content-length") == b"5"
    monolith.respond = raw(HEAD + b"12345")
    assert http.get("/a", FIELDS).body == b"12345"


def test_client_that_closes_is_told_so_under_a_known_answer(gate: Gateway, http: Client) -> None:
    with Client(gate.port) as leaving:
        leaving.send(b"GET /a HTTP/1.1\r\nHost: bank\r\nConnection: close\r\n\r\n")
        assert leaving.answer().get("connection") == b"close"
    with Client(gate.port) as old:
        old.send(b"GET /a HTTP/1.0\r\nHost: bank\r\nConnection: keep-alive\r\n\r\n")
        assert old.answer().get("connection") == b"keep-alive"
    assert http.get("/a", FIELDS).get("connection") is None
