"""A hold stops the writes of a capability, and only those, for a bounded time; then they are decided anew."""

from __future__ import annotations

import json
import socket
import threading
from collections.abc import Iterator

import pytest

from tests.support.gateways import Gateway, gateway
from tests.support.waiting import wait_until
from tests.support.wire import Client, Received, Upstream, answer, upstream

ROUTES = """
version: 1
upstreams:
  monolith: {{url: "{legacy}"}}
  ledger: {{url: "{modern}"}}
default: monolith
capabilities:
  accounts: {{legacy: monolith, modern: ledger, stage: {stage}, canary: {{percent: 100, key: "header:X-Customer-Id"}}}}
routes:
  - {{match: "* /accounts/{{id}}", capability: accounts}}
  - {{match: "POST /accounts/{{id}}/transfers", capability: accounts}}
  - {{match: "POST /cics", capability: accounts, when: {{body: {{offset: 0, equals: XFER}}}}}}
"""


@pytest.fixture(scope="module")
def sides() -> Iterator[tuple[Upstream, Upstream]]:
    with upstream() as legacy, upstream() as modern:
        yield legacy, modern


def routes(sides: tuple[Upstream, Upstream], stage: str) -> str:
    return ROUTES.format(legacy=sides[0].url, modern=sides[1].url, stage=stage)


@pytest.fixture(scope="module")
def running(sides: tuple[Upstream, Upstream]) -> Iterator[Gateway]:
    with gateway(routes(sides, "canary"), held_max=8) as one:
        yield one


@pytest.fixture
def gate(running: Gateway, sides: tuple[Upstream, Upstream]) -> Gateway:
    for side in sides:
        side.reset()
    running.call("release", capability="accounts")
    running.use(routes(sides, "canary"))
    return running


def held(gate: Gateway) -> int:
    return int(gate.hold("accounts").get("held", 0))


def test_held_write_goes_to_the_home_that_is_in_force_at_the_release(
    gate: Gateway, sides: tuple[Upstream, Upstream]
) -> None:
    legacy, modern = sides
    gate.call("hold", capability="accounts", seconds=30)
    with Client(gate.port) as http:
        http.send_post("/accounts/1/transfers", b"amount=1")
        wait_until(lambda: held(gate) == 1, "the write is held")
        gate.use(routes(sides, "modern"))
        assert (legacy.requests, modern.requests) == ([], [])
        gate.call("release", capability="accounts")
        assert http.answer().status == 200
    assert [received.body for received in modern.requests] == [b"amount=1"]
    assert legacy.requests == []


def test_reads_and_other_routes_go_on(gate: Gateway) -> None:
    gate.call("hold", capability="accounts", seconds=30)
    with Client(gate.port) as http:
        assert http.get("/accounts/1").status == 200
        assert http.post("/elsewhere", b"x").status == 200
    assert held(gate) == 0


def test_hold_ends_by_itself(gate: Gateway, sides: tuple[Upstream, Upstream]) -> None:
    gate.call("hold", capability="accounts", seconds=0.2)
    with Client(gate.port) as http:
        assert http.post("/accounts/1/transfers", b"x").status == 200
    assert gate.hold("accounts")["holding"] is False
    assert [received.body for received in sides[0].requests] == [b"x"]


def cut_off(gate: Gateway) -> None:
    """A run asked for a hold, its seconds are over, and nobody said how it ended."""
    gate.call("hold", capability="accounts", seconds=0.05, run="r-1", home="legacy")
    wait_until(lambda: gate.hold("accounts")["cut_off"], "nobody said how the run ended")


def refused(gate: Gateway) -> tuple[int, str, str]:
    """What a write gets now."""
    with Client(gate.port) as http:
        found = http.post("/accounts/1/transfers", b"x")
    body = json.loads(found.body)
    assert found.get("retry-after") == b"1"
    assert len(body["error_id"]) == 16
    return found.status, body["type"].rpartition(":")[2], body["outcome"]


def test_a_runs_hold_whose_end_nobody_told_refuses_writes_those_too_that_waited(
    gate: Gateway, sides: tuple[Upstream, Upstream]
) -> None:
    gate.call("hold", capability="accounts", seconds=0.3, run="r-1", home="legacy")
    with Client(gate.port) as http:
        found = http.post("/accounts/1/transfers", b"x")
        assert (found.status, json.loads(found.body)["outcome"]) == (503, "not sent")
        assert http.get("/accounts/1").status == 200
    assert refused(gate) == (503, "home_unknown", "not sent")
    gate.use(routes(sides, "canary") + "# another file, the same home\n")
    assert refused(gate) == (503, "home_unknown", "not sent")
    assert [received.method for side in sides for received in side.requests] == [b"GET"]


def test_it_ends_with_a_table_that_says_the_new_home(gate: Gateway, sides: tuple[Upstream, Upstream]) -> None:
    cut_off(gate)
    gate.use(routes(sides, "modern"))
    with Client(gate.port) as http:
        assert http.post("/accounts/1/transfers", b"x").status == 200
    assert [len(side.requests) for side in sides] == [0, 1]


def test_it_ends_with_a_release(gate: Gateway, sides: tuple[Upstream, Upstream]) -> None:
    cut_off(gate)
    gate.call("release", capability="accounts")
    with Client(gate.port) as http:
        assert http.post("/accounts/1/transfers", b"x").status == 200
    assert [len(side.requests) for side in sides] == [1, 0]


def test_a_runs_hold_that_saw_the_new_home_lets_go_by_itself(gate: Gateway, sides: tuple[Upstream, Upstream]) -> None:
    gate.call("hold", capability="accounts", seconds=0.3, run="r-1", home="legacy")
    gate.use(routes(sides, "modern"))
    with Client(gate.port) as http:
        assert http.post("/accounts/1/transfers", b"x").status == 200
    assert [len(side.requests) for side in sides] == [0, 1]


def test_clients_that_leave_are_forgotten_and_their_writes_never_sent(
    gate: Gateway, sides: tuple[Upstream, Upstream]
) -> None:
    gate.call("hold", capability="accounts", seconds=30)
    with Client(gate.port) as http:
        http.send_post("/accounts/1/transfers", b"x")
        wait_until(lambda: held(gate) == 1, "the write is held")
    wait_until(lambda: held(gate) == 0, "the client is forgotten")
    gate.call("release", capability="accounts")
    with Client(gate.port) as http:
        assert http.get("/after").status == 200
    assert sides[0].targets() == [b"/after"]


def test_held_writes_are_bounded(gate: Gateway) -> None:
    gate.call("hold", capability="accounts", seconds=30)
    clients = [Client(gate.port) for _ in range(8)]
    for one in clients:
        one.send_post("/accounts/1/transfers", b"x")
    wait_until(lambda: held(gate) == 8, "eight are held")
    with Client(gate.port) as http:
        found = http.post("/accounts/1/transfers", b"x")
        assert (found.status, json.loads(found.body)["outcome"]) == (503, "not sent")
    gate.call("release", capability="accounts")
    assert [one.answer().status for one in clients] == [200] * 8
    for one in clients:
        one.sock.close()


def test_in_flight_counts_until_the_answer_also_without_a_client(
    gate: Gateway, sides: tuple[Upstream, Upstream]
) -> None:
    release = threading.Event()

    def slow(received: Received, sock: socket.socket) -> None:
        if received.method == b"POST":
            release.wait(10)
        answer()(received, sock)

    sides[0].respond = slow
    with Client(gate.port) as http:
        http.send_post("/accounts/1/transfers", b"x")
        wait_until(lambda: sides[0].requests, "the write is at the upstream")
        assert gate.hold("accounts")["in_flight"] == 1
        gate.call("hold", capability="accounts", seconds=30)
        report = gate.hold("accounts")
        assert (report["holding"], report["in_flight"], report["held"]) == (True, 1, 0)
    with Client(gate.port) as http:
        http.get("/seen")  # the gateway has had time to see that the first client left
    assert gate.hold("accounts")["in_flight"] == 1
    release.set()
    wait_until(lambda: gate.hold("accounts")["in_flight"] == 0, "the answer is there")


def test_body_condition_and_large_body_are_held_too(gate: Gateway, sides: tuple[Upstream, Upstream]) -> None:
    body = b"XFER" + bytes(400_000)
    gate.call("hold", capability="accounts", seconds=30)
    with Client(gate.port) as http:
        sender = threading.Thread(target=http.send_post, args=("/cics", body))
        sender.start()
        wait_until(lambda: held(gate) == 1, "the write is held")
        gate.call("release", capability="accounts")
        assert http.answer().status == 200
        sender.join(10)
    assert sides[0].requests[0].body == body
    assert gate.hold("accounts")["in_flight"] == 0
