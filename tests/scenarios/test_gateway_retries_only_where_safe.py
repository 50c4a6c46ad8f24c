"""Whatever an upstream does, a write is never sent twice, and a read only where no byte of an answer came."""

from __future__ import annotations

import json
import socket
from collections.abc import Iterator

import pytest

from tests.support.gateways import Gateway, gateway
from tests.support.waiting import wait_until
from tests.support.wire import Client, Received, Upstream, answer, raw, upstream

ROUTES = """
version: 1
upstreams:
  monolith: {{url: "{url}", timeout: 400ms, retries: {retries}}}
  patient: {{url: "{url}", timeout: 400ms, retries: 0}}
  gone: {{url: "http://127.0.0.1:{closed}", retries: 2, connect_timeout: 200ms}}
  fragile: {{url: "{url}", timeout: 400ms, breaker: {{failures: 2, open_for: 300ms}}}}
  narrow: {{url: "{url}", timeout: 400ms, connections: 1, connect_timeout: 200ms}}
routes:
  - {{match: "* /{{rest...}}", upstream: monolith}}
  - {{match: "* /patient", upstream: patient}}
  - {{match: "* /gone", upstream: gone}}
  - {{match: "* /fragile", upstream: fragile}}
  - {{match: "* /narrow/{{n}}", upstream: narrow}}
  - {{match: "POST /query", upstream: monolith, write: false}}
"""


@pytest.fixture(scope="module")
def monolith() -> Iterator[Upstream]:
    with upstream() as one:
        yield one


@pytest.fixture(scope="module")
def gate(monolith: Upstream) -> Iterator[Gateway]:
    with socket.create_server(("127.0.0.1", 0)) as closed:
        port = closed.getsockname()[1]
    with gateway(ROUTES.format(url=monolith.url, retries=1, closed=port)) as one:
        yield one


@pytest.fixture
def http(gate: Gateway, monolith: Upstream) -> Iterator[Client]:
    monolith.reset()
    with Client(gate.port) as one:
        yield one


def failing(times: int, data: bytes = b"") -> object:
    """Hang up that many times, having written `data`, then answer."""
    left = [times]

    def respond(received: Received, sock: socket.socket) -> None:
        if left[0]:
            left[0] -= 1
            sock.sendall(data)
            raise EOFError
        answer()(received, sock)

    return respond


def outcome_of(body: bytes) -> object:
    return json.loads(body).get("outcome")


@pytest.mark.parametrize("method", ["GET", "HEAD", "OPTIONS"])
def test_read_is_sent_again_when_the_connection_broke_without_an_answer(
    http: Client, monolith: Upstream, method: str
) -> None:
    monolith.respond = failing(1)
    assert http.get("/again", method=method).status == 200
    assert len(monolith.requests) == 2


def test_read_is_sent_again_only_as_often_as_the_upstream_allows(http: Client, monolith: Upstream) -> None:
    monolith.respond = failing(9)
    found = http.get("/again")
    assert (found.status, outcome_of(found.body)) == (502, None)
    assert len(monolith.requests) == 2


def test_read_without_retries_is_repeated_only_on_a_connection_that_was_used_before(
    http: Client, monolith: Upstream
) -> None:
    monolith.respond = failing(1)
    assert http.get("/patient").status == 502
    assert len(monolith.requests) == 1
    assert http.get("/patient").status == 200
    monolith.respond = failing(1)
    assert http.get("/patient").status == 200
    assert len(monolith.requests) == 4


@pytest.mark.parametrize("method", ["POST", "PUT", "PATCH", "DELETE"])
@pytest.mark.parametrize("warm", [False, True])
def test_write_whose_outcome_is_unknown_is_never_sent_twice(
    http: Client, monolith: Upstream, method: str, warm: bool
) -> None:
    if warm:
        http.get("/warm")
    monolith.requests.clear()
    monolith.respond = failing(1)
    found = http.get("/write", method=method)
    assert (found.status, outcome_of(found.body)) == (502, "unknown")
    assert len(monolith.requests) == 1


def test_partial_answer_is_never_repeated(http: Client, monolith: Upstream) -> None:
    monolith.respond = failing(1, b"HTTP/1.1 2")
    assert http.get("/half").status == 502
    monolith.respond = failing(1, b"HTTP/1.1 103 Early Hints\r\n\r\n")
    assert http.get("/lone-103").status == 502
    assert len(monolith.requests) == 2


def test_reading_post_is_not_repeated_but_has_no_outcome(http: Client, monolith: Upstream) -> None:
    monolith.respond = failing(1)
    found = http.post("/query", b"q")
    assert (found.status, outcome_of(found.body)) == (502, None)
    assert len(monolith.requests) == 1


def test_upstream_that_is_not_there_is_502_and_a_write_was_not_sent(http: Client) -> None:
    assert http.get("/gone").status == 502
    found = http.post("/gone", b"x")
    assert (found.status, outcome_of(found.body)) == (502, "not sent")


def silent(received: Received, sock: socket.socket) -> None:
    sock.recv(1)


def test_silence_is_504_for_a_read_and_unknown_for_a_write(http: Client, monolith: Upstream) -> None:
    monolith.respond = silent
    assert http.get("/silent").status == 504
    found = http.post("/silent", b"x")
    assert (found.status, outcome_of(found.body)) == (502, "unknown")
    assert len(monolith.requests) == 2


def test_silence_inside_an_answer_breaks_it_off(http: Client, monolith: Upstream) -> None:
    monolith.respond = raw(b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nabc")
    found = http.get("/stalls")
    assert (found.status, found.is_complete) == (200, False)


def test_late_answer_reaches_nobody(http: Client, monolith: Upstream) -> None:
    def late(received: Received, sock: socket.socket) -> None:
        if received.target == b"/late":
            wait_until(lambda: len(monolith.requests) > 1, "another request")
            sock.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nevil")
        else:
            answer()(received, sock)

    monolith.respond = late
    assert http.get("/late").status == 504
    assert http.get("/next").body == b"ok"


def test_breaker_opens_and_one_probe_closes_it(http: Client, monolith: Upstream) -> None:
    monolith.respond = raw(b"nonsense", close=True)
    assert [http.get("/fragile").status for _ in range(4)] == [502, 502, 503, 503]
    seen = len(monolith.requests)
    monolith.respond = answer()
    wait_until(lambda: http.get("/fragile").status == 200, "the breaker closes", 5)
    assert http.get("/fragile").status == 200
    assert len(monolith.requests) == seen + 2


def test_requests_wait_for_a_connection_for_a_bounded_time(gate: Gateway, http: Client, monolith: Upstream) -> None:
    def slow(received: Received, sock: socket.socket) -> None:
        if received.target == b"/narrow/1":
            wait_until(lambda: release, "the test lets go")
        answer()(received, sock)

    release: list[bool] = []
    monolith.respond = slow
    with Client(gate.port) as other:
        other.send(b"GET /narrow/1 HTTP/1.1\r\nHost: bank\r\n\r\n")
        wait_until(lambda: monolith.requests, "the first is there")
        assert http.get("/narrow/2").status == 503
        release.append(True)
        assert other.answer().status == 200
    assert http.get("/narrow/3").status == 200


def test_problems_are_counted_by_reason(gate: Gateway, http: Client, monolith: Upstream) -> None:
    before = gate.metrics()["problems"].get("upstream_closed", 0)
    monolith.respond = failing(1)
    http.post("/write", b"x")
    assert gate.metrics()["problems"]["upstream_closed"] == before + 1
