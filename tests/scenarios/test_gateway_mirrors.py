"""The mirror copies, pairs and accounts for every eligible request, and can never touch the client's answer."""

from __future__ import annotations

import socket
import threading
import time
from collections.abc import Iterator

import pytest

from gateway.mirroring.mirror import REPEAT_AFTER_SECONDS
from shadow.observation import Agreed, Dropped, Errored, Noise, Pair, Skipped
from tests.support.gateways import Gateway, gateway
from tests.support.waiting import wait_until
from tests.support.wire import Client, Received, Responder, Upstream, answer, raw, upstream

ROUTES = """
version: 1
upstreams:
  monolith: {{url: "{legacy}"}}
  ledger: {{url: "{modern}", timeout: 1s, breaker: {{failures: 1000, open_for: 10s}}}}
  sandbox: {{url: "{sandbox}"}}
capabilities:
  accounts:
    {{legacy: monolith, modern: ledger, stage: {stage}, canary: {{percent: 100, key: "header:X-Id"}},
      shadow: {{body_max: 1KiB, sample: {sample}, noise: {noise}}}}}
routes:
  - {{match: "GET|HEAD /accounts/{{id}}", name: read, capability: accounts}}
  - {{match: "POST /accounts/{{id}}/never", capability: accounts}}
  - {{match: "POST /accounts/{{id}}/transfers", capability: accounts, shadow: dry_run}}
  - {{match: "POST /accounts/{{id}}/tried", capability: accounts, shadow: {{sandbox: sandbox}}}}
  - {{match: "POST /accounts/{{id}}/seen", capability: accounts, shadow: {{verify_by_read: read}}}}
  - {{match: "POST /query", capability: accounts, write: false}}
"""

Sides = tuple[Upstream, Upstream, Upstream]


@pytest.fixture(scope="module")
def sides() -> Iterator[Sides]:
    with upstream() as legacy, upstream() as modern, upstream() as sandbox:
        yield legacy, modern, sandbox


def routes(sides: Sides, stage: str = "shadow", sample: str = "100%", noise: str = "0%") -> str:
    legacy, modern, sandbox = sides
    return ROUTES.format(
        legacy=legacy.url, modern=modern.url, sandbox=sandbox.url, stage=stage, sample=sample, noise=noise
    )


@pytest.fixture(scope="module")
def running(sides: Sides) -> Iterator[Gateway]:
    with gateway(routes(sides), comparer=True, mirror_entries_max=40) as one:
        wait_until(lambda: not counts_of_a_probe(one).get("dropped_comparer_away"), "the comparer is connected")
        yield one


def counts_of_a_probe(gate: Gateway) -> dict[str, int]:
    before = gate.mirror_counts()
    with Client(gate.port) as http:
        http.get("/accounts/probe")
    after = gate.mirror_counts()
    return {name: after[name] - before.get(name, 0) for name in after if after[name] != before.get(name, 0)}


@pytest.fixture
def gate(running: Gateway, sides: Sides) -> Gateway:
    for side in sides:
        side.reset()
    running.use(routes(sides))
    comparer = running.comparer
    assert comparer is not None
    wait_until(lambda: settled(running), "what ran before has ended")
    wait_until(lambda: comparer.told == running.mirror_counts().get("eligible", 0), "what ran before was told")
    comparer.events.clear()
    for side in sides:
        side.reset()  # once more: a copy of what ran before may have arrived meanwhile
    return running


def settled(gate: Gateway) -> bool:
    """Whether eligible = compared + skipped + dropped + errored, as it must be when nothing is under way."""
    counts = gate.mirror_counts()
    ends = sum(n for name, n in counts.items() if name not in ("eligible", "unsampled"))
    return counts.get("eligible", 0) == ends


def pairs(gate: Gateway, count: int = 1) -> list:  # type: ignore[type-arg]  # of Pair, as told
    comparer = gate.comparer
    assert comparer is not None
    wait_until(lambda: len(comparer.pairs) >= count, f"{count} pairs")
    return comparer.pairs


def counted(gate: Gateway, kind: type) -> int:
    assert gate.comparer is not None
    return gate.comparer.counted(kind)


def test_read_is_mirrored_and_both_answers_are_paired(gate: Gateway, sides: Sides) -> None:
    legacy, modern, _ = sides
    for side in (legacy, modern):
        side.respond = answer(b"same", extra=b"X-Side: any\r\n")
    with Client(gate.port) as http:
        assert http.get("/accounts/1?q=1", "X-Id: customer-77\r\n").body == b"same"
    (pair,) = pairs(gate)
    assert (pair.route, pair.capability, pair.stage, pair.method) == ("read", "accounts", "shadow", "GET")
    assert (pair.control.side, pair.candidate.side) == ("legacy", "modern")
    assert (pair.control.body, pair.candidate.body, pair.again) == (b"same", b"same", None)
    assert ("X-Side", "any") in pair.control.headers
    assert pair.key is not None
    assert len(pair.key) == 32
    assert "customer" not in pair.key
    seen, copy = legacy.requests[0], modern.requests[0]
    assert copy.target == b"/accounts/1?q=1"
    assert copy.all("x-shadow") == [b"mirror"]
    assert seen.all("x-shadow") == []
    assert copy.get("traceparent") == seen.get("traceparent")


def test_pairs_that_are_equal_by_their_bytes_are_counted_and_only_some_travel(gate: Gateway, sides: Sides) -> None:
    sides[0].respond = answer(b"same", extra=b"Server: CORE87\r\nContent-Type: text/plain\r\n")
    sides[1].respond = answer(b"same", extra=b"content-type: text/plain\r\nServer: uvicorn\r\n")
    with Client(gate.port) as http:
        for number in range(300):
            assert http.get(f"/accounts/{number}", f"X-Id: {number % 50}\r\n").body == b"same"
    wait_until(lambda: counted(gate, Pair) + counted(gate, Agreed) == 300, "all pairs are told")
    assert settled(gate)
    comparer = gate.comparer
    assert comparer is not None
    batches = [event for event in comparer.events if isinstance(event, Agreed)]
    assert sum(batch.count for batch in batches) > 100
    keys = {key for batch in batches for key in batch.keys} | {pair.key for pair in comparer.pairs}
    assert len(keys) == 50
    assert {(batch.route, batch.side, batch.status, batch.keyless) for batch in batches} == {("read", "legacy", 200, 0)}
    assert all(seconds > 0 for batch in batches for seconds in batch.seconds)


def test_one_header_that_is_compared_makes_a_pair_travel(gate: Gateway, sides: Sides) -> None:
    sides[0].respond = answer(b"same", extra=b"Location: /a\r\n")
    sides[1].respond = answer(b"same", extra=b"Location: /b\r\n")
    with Client(gate.port) as http:
        for number in range(100):
            http.get(f"/accounts/{number}")
    pairs(gate, 100)
    assert settled(gate)


def test_reading_post_is_mirrored_with_its_body(gate: Gateway, sides: Sides) -> None:
    with Client(gate.port) as http:
        http.post("/query", b"question")
        http.send(
            b"POST /query HTTP/1.1\r\nHost: bank\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n1\r\nd\r\n0\r\n\r\n"
        )
        http.answer()
    pairs(gate, 2)
    assert [received.body for received in sides[1].requests] == [b"question", b"abcd"]
    assert sides[1].problems == []


def test_in_canary_the_other_side_is_the_candidate(gate: Gateway, sides: Sides) -> None:
    gate.use(routes(sides, "canary"))
    with Client(gate.port) as http:
        http.get("/accounts/1", "X-Id: 1\r\n")
        http.get("/accounts/1")
        http.post("/accounts/1/transfers", b"x")
    found = pairs(gate, 2)
    assert sorted((pair.control.side, pair.candidate.side) for pair in found) == [
        ("legacy", "modern"),
        ("modern", "legacy"),
    ]
    assert [received.target for received in sides[1].requests] == [b"/accounts/1"] * 2


def test_writes_are_mirrored_only_as_the_route_says(gate: Gateway, sides: Sides) -> None:
    legacy, modern, sandbox = sides
    modern.respond = answer()
    with Client(gate.port) as http:
        for name in ("never", "transfers", "tried", "seen"):
            http.post(f"/accounts/7/{name}", name.encode())
    pairs(gate, 3)
    assert [(r.target, r.body, r.get("x-shadow")) for r in modern.requests] == [
        (b"/accounts/7/transfers", b"transfers", b"dry-run"),
        (b"/accounts/7", b"", b"mirror"),
    ]
    assert [(r.target, r.body) for r in sandbox.requests] == [(b"/accounts/7/tried", b"tried")]
    assert legacy.requests[-1].target == b"/accounts/7"
    assert legacy.requests[-1].get("content-length") is None


def test_dry_run_is_sent_only_when_the_outcome_is_known(gate: Gateway, sides: Sides) -> None:
    release = threading.Event()

    def slow(received: Received, sock: socket.socket) -> None:
        release.wait(10)
        answer()(received, sock)

    sides[0].respond = slow
    with Client(gate.port) as http:
        http.send_post("/accounts/7/transfers", b"x")
        wait_until(lambda: sides[0].requests, "the control is asked")
        with Client(gate.port) as other:
            assert other.get("/accounts").status == 404
        assert sides[1].requests == []
        release.set()
        assert http.answer().status == 200
    pairs(gate)
    assert len(sides[1].requests) == 1


def test_difference_that_goes_away_is_told_as_a_second_look(gate: Gateway, sides: Sides) -> None:
    answers = iter([b"old", b"new", b"new", b"new"])

    def changing(received: Received, sock: socket.socket) -> None:
        answer(next(answers))(received, sock)

    sides[1].respond = changing
    sides[0].respond = answer(b"new")
    with Client(gate.port) as http:
        http.get("/accounts/1")
    (pair,) = pairs(gate)
    assert (pair.control.body, pair.candidate.body) == (b"new", b"old")
    assert [observation.body for observation in pair.again] == [b"new", b"new"]


def hang(received: Received, sock: socket.socket) -> None:
    sock.recv(1)


def die(received: Received, sock: socket.socket) -> None:
    raise EOFError


@pytest.mark.parametrize("candidate", [hang, die, raw(b"garbage\r\n\r\n"), raw(b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nabc"),
                                       raw(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nokHTTP/1.1 evil")])  # fmt: skip
def test_candidate_can_neither_delay_nor_change_the_answer(gate: Gateway, sides: Sides, candidate: Responder) -> None:
    sides[1].respond = candidate
    started = time.monotonic()
    with Client(gate.port) as http:
        for _ in range(20):
            assert http.get("/accounts/1").body == b"ok"
    assert time.monotonic() - started < 0.9  # the candidate's own timeout is a second
    before = gate.mirror_counts()
    assert before["eligible"] >= 20
    wait_until(lambda: settled(gate), "all are accounted for")


def test_candidate_that_is_gone_is_errored_and_told(gate: Gateway, sides: Sides) -> None:
    sides[1].respond = die
    with Client(gate.port) as http:
        for _ in range(5):
            assert http.get("/accounts/1").body == b"ok"
    wait_until(lambda: counted(gate, Errored) == 5, "five errors are told")


def test_bodies_past_the_bound_pass_and_are_skipped(gate: Gateway, sides: Sides) -> None:
    sides[0].respond = answer(b"x" * 5000)
    with Client(gate.port) as http:
        assert http.get("/accounts/1").body == b"x" * 5000
        sides[0].respond = answer()
        assert http.post("/query", b"x" * 5000).body == b"ok"
        sides[1].respond = answer(b"x" * 5000)
        assert http.get("/accounts/1").body == b"ok"
    wait_until(lambda: counted(gate, Skipped) == 3, "three are skipped")
    assert settled(gate)


def test_full_queue_drops_and_counts(gate: Gateway, sides: Sides) -> None:
    sides[1].respond = hang
    with Client(gate.port) as http:
        for _ in range(60):
            assert http.get("/accounts/1").body == b"ok"
    wait_until(lambda: counted(gate, Dropped) == 20, "what is past the bound is dropped")
    wait_until(lambda: counted(gate, Errored) == 40, "the others time out", 20)
    assert settled(gate)


def test_client_that_leaves_does_not_cancel_the_mirror(gate: Gateway, sides: Sides) -> None:
    release = threading.Event()

    def slow(received: Received, sock: socket.socket) -> None:
        release.wait(10)
        answer()(received, sock)

    sides[0].respond = sides[1].respond = slow
    with Client(gate.port) as http:
        http.send(b"GET /accounts/1 HTTP/1.1\r\nHost: bank\r\n\r\n")
        wait_until(lambda: sides[0].requests and sides[1].requests, "both are asked")
    release.set()
    (pair,) = pairs(gate)
    assert pair.control.body == pair.candidate.body == b"ok"


def test_sample_leaves_requests_out_of_the_account(gate: Gateway, sides: Sides) -> None:
    gate.use(routes(sides, sample="50%"))
    before = gate.mirror_counts()
    with Client(gate.port) as http:
        for _ in range(100):
            http.get("/accounts/1")
    wait_until(lambda: settled(gate), "all are accounted for")
    after = gate.mirror_counts()
    eligible, left_out = (after[name] - before.get(name, 0) for name in ("eligible", "unsampled"))
    assert eligible + left_out == 100
    assert 20 < eligible < 80


@pytest.mark.parametrize("stage", ["shadow", "canary"])
def test_a_share_of_reads_is_asked_of_legacy_twice_and_counts_nothing(gate: Gateway, sides: Sides, stage: str) -> None:
    legacy, modern, _ = sides
    turns = iter(range(1000))

    def another_each_time(received: Received, sock: socket.socket) -> None:
        answer(b"%d" % next(turns))(received, sock)

    legacy.respond = another_each_time
    modern.respond = answer(b"x")
    gate.use(routes(sides, stage, noise="100%"))
    with Client(gate.port) as http:
        http.get("/accounts/1?a=b", "X-Id: 1\r\n")
        http.post("/accounts/1/never", b"a write is never asked twice")
    comparer = gate.comparer
    assert comparer is not None
    (noise,) = wait_until(lambda: [one for one in comparer.events if isinstance(one, Noise)], "legacy was asked twice")
    assert (noise.first.side, noise.again.side) == ("legacy", "legacy")
    assert noise.first.body != noise.again.body
    assert {one.target for one in legacy.requests if one.method == b"GET"} == {b"/accounts/1?a=b"}
    wait_until(lambda: settled(gate), "all is counted", 15)
    assert counted(gate, Noise) == 0


def test_without_a_comparer_everything_is_answered_and_dropped(sides: Sides) -> None:
    for side in sides:
        side.reset()
    with gateway(routes(sides)) as gate, Client(gate.port) as http:
        for _ in range(5):
            assert http.get("/accounts/1").body == b"ok"
        assert gate.mirror_counts() == {"eligible": 5, "dropped_comparer_away": 5}
    assert sides[1].requests == []


def test_a_worker_that_ends_asks_once_more_and_does_not_wait_for_a_race_to_end(sides: Sides) -> None:
    for side, body in zip(sides, (b"new", b"old", b""), strict=True):
        side.reset()
        side.respond = answer(body)
    with gateway(routes(sides), comparer=True) as gate:
        comparer = gate.comparer
        assert comparer is not None
        wait_until(lambda: not counts_of_a_probe(gate).get("dropped_comparer_away"), "the comparer is connected")
        with Client(gate.port) as http:
            http.get("/accounts/1")
        wait_until(lambda: len(sides[1].requests) > 2, "it was asked again, and differed")
        began = time.monotonic()
        gate.call("drain", seconds=25)
        assert time.monotonic() - began < sum(REPEAT_AFTER_SECONDS) / 3
        wait_until(lambda: any(pair.again for pair in comparer.pairs), "the difference was told")
        (told,) = [pair.again for pair in comparer.pairs if pair.control.body != pair.candidate.body][-1:]
    assert told is not None
    assert [one.body for one in told] == [b"new", b"old"]
