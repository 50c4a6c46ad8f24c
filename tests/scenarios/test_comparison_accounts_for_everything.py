"""eligible = compared + skipped + dropped + errored, at the workers and in the store alike, whatever befalls the comparer."""

from __future__ import annotations

import os
import re
import signal
import threading
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager, suppress
from pathlib import Path

import psutil

from runbook.comparison import read_report
from shadow.accounting import Accounting, problems
from shadow.store import Store
from tests.support.gateway_process import GatewayProcess, fetch
from tests.support.waiting import wait_until
from tests.support.wire import Client, Received, answer, upstream

ROUTES = """
version: 1
upstreams:
  monolith: {{url: "{legacy}"}}
  ledger: {{url: "{modern}", timeout: 2s, breaker: {{failures: 100000, open_for: 10s}}}}
capabilities:
  accounts: {{legacy: monolith, modern: ledger, stage: shadow, shadow: {{body_max: 256KiB}}}}
routes:
  - {{match: "GET /accounts/{{id}}", capability: accounts}}
  - {{match: "GET /large", capability: accounts}}
  - {{match: "GET /gone", capability: accounts}}
  - {{match: "POST /accounts/{{id}}/transfers", capability: accounts, shadow: dry_run}}
"""
LINE = re.compile(r'strangler_mirror_total\{outcome="(\w+)".*?\} ([0-9.e+]+)')


def respond(side: bytes) -> Callable[[Received, object], None]:
    bodies = {b"/large": b"x" * (300 << 10), b"/gone": b"here"}
    says_all = answer(side * (200 << 10))

    def one(received: Received, sock: object) -> None:
        if side == b"m" and received.target == b"/gone":
            raise EOFError("modern closes without an answer")
        if received.method == b"POST":
            says_all(received, sock)  # type: ignore[arg-type]
        else:
            answer(bodies.get(received.target, b"same"))(received, sock)  # type: ignore[arg-type]

    return one


def comparer_of(gate: GatewayProcess) -> psutil.Process:
    def found() -> psutil.Process | None:
        with suppress(psutil.Error):
            for child in psutil.Process(gate.pid).children():
                if "gateway.comparer" in child.cmdline():
                    return child
        return None

    one = wait_until(found, "a comparer runs")
    assert one is not None
    return one


def at_the_workers(gate: GatewayProcess) -> Counter[str]:
    counts: Counter[str] = Counter()
    for outcome, count in LINE.findall(fetch(gate.admin_url + "/metrics").text):
        counts[outcome] += int(float(count))
    return counts


def in_the_store(path: Path) -> Accounting:
    with closing(Store(path)) as store:
        return store.summary("accounts").accounting


def as_outcomes(accounting: Accounting) -> Counter[str]:
    parts = {"skipped": accounting.skipped, "dropped": accounting.dropped, "errored": accounting.errored}
    counts = Counter({f"{kind}_{what}": n for kind, found in parts.items() for what, n in found.items() if n})
    return counts + Counter(eligible=accounting.eligible, compared=accounting.compared)


@contextmanager
def traffic(port: int, *targets: str) -> Iterator[None]:
    """One client that asks for one after the other until the end of the block."""
    stopping, failures = threading.Event(), []

    def ask() -> None:
        try:
            with Client(port) as http:
                while not stopping.is_set():
                    for target in targets:
                        got = http.post(target, b"{}") if "transfers" in target else http.get(target)
                        assert got.status == 200
        except (OSError, AssertionError, EOFError) as error:
            failures.append(error)

    asking = threading.Thread(target=ask)
    asking.start()
    try:
        yield
    finally:
        stopping.set()
        asking.join(20)
    assert not failures


def test_the_numbers_add_up_under_overload_and_when_the_comparer_is_killed(tmp_path: Path) -> None:
    with upstream() as legacy, upstream() as modern:
        legacy.respond, modern.respond = respond(b"l"), respond(b"m")
        routes = tmp_path / "routes.yaml"
        routes.write_text(ROUTES.format(legacy=legacy.url, modern=modern.url))
        with GatewayProcess(routes) as gate:
            store, port = tmp_path / ".strangler" / "shadow.db", int(gate.url.rpartition(":")[2])
            with traffic(port, "/accounts/1", "/accounts/2", "/large", "/gone"):
                wait_until(lambda: at_the_workers(gate)["compared"] > 10, "pairs are stored", 20)
                halted = comparer_of(gate)
                halted.send_signal(signal.SIGSTOP)
                with traffic(port, "/accounts/1/transfers"):
                    wait_until(lambda: at_the_workers(gate)["dropped_queue_full"] > 0, "overload drops", 20)
                halted.send_signal(signal.SIGKILL)
                before = at_the_workers(gate)["compared"]
                wait_until(lambda: at_the_workers(gate)["dropped_comparer_lost"] > 0, "what was lost is counted", 20)
            wait_until(lambda: is_settled(at_the_workers(gate), in_the_store(store)), "every request has ended", 20)
            found = at_the_workers(gate)
            accounting = in_the_store(store)
        assert +found == as_outcomes(accounting)
        assert not problems(accounting, found["eligible"])
        assert found["compared"] > before
        assert found["skipped_body_too_large"] > 0
        assert found["errored_modern"] > 0
        told = read_report(routes, "accounts").to_json()["summary"]["routes"]
        assert sum(route["accounting"]["eligible"] for route in told) == found["eligible"]


def is_settled(counts: Counter[str], accounting: Accounting) -> bool:
    ended = sum(count for outcome, count in counts.items() if outcome != "eligible")
    return counts["eligible"] == ended == accounting.eligible


@contextmanager
def stubborn_traffic(port: int, clients: int) -> Iterator[None]:
    """Clients that connect anew when their worker is killed, until the end of the block."""
    stopping = threading.Event()

    def ask() -> None:
        while not stopping.wait(0.01):
            with suppress(OSError, EOFError), Client(port) as http:
                while not stopping.is_set():
                    http.get("/accounts/1")
                    http.get("/gone")

    asking = [threading.Thread(target=ask) for _ in range(clients)]
    for one in asking:
        one.start()
    try:
        yield
    finally:
        stopping.set()
        for one in asking:
            one.join(20)


def test_what_a_killed_worker_had_in_hand_is_dropped_and_counted(tmp_path: Path) -> None:
    clients, kills = 4, 2
    with upstream() as legacy, upstream() as modern:
        legacy.respond, modern.respond = respond(b"l"), respond(b"m")
        routes = tmp_path / "routes.yaml"
        routes.write_text(ROUTES.format(legacy=legacy.url, modern=modern.url))
        with GatewayProcess(routes, workers=2) as gate:
            store, port = tmp_path / ".strangler" / "shadow.db", int(gate.url.rpartition(":")[2])

            def pids() -> set[int]:
                return {worker["pid"] for worker in fetch(gate.admin_url + "/api/table").json()["workers"]}

            with stubborn_traffic(port, clients):
                wait_until(lambda: in_the_store(store).compared > 10, "pairs are stored", 20)
                for victim in list(pids())[:kills]:
                    os.kill(victim, signal.SIGKILL)
                    wait_until(
                        lambda victim=victim: None not in pids() and victim not in pids(), "another one serves", 20
                    )
                before = in_the_store(store).compared
                wait_until(lambda: in_the_store(store).compared > before, "pairs are stored again", 20)

            def controls() -> int:
                return sum(not request.all("x-shadow") for request in legacy.requests)

            wait_until(lambda: in_the_store(store).eligible >= controls(), "every request has ended", 20)
            accounting = in_the_store(store)
        # Whatever legacy answered was eligible; beyond that, each client may have asked a worker that was killed first.
        assert controls() <= accounting.eligible <= controls() + clients * kills
        assert not problems(accounting)
        assert accounting.dropped["worker_lost"] > 0
        assert list((tmp_path / ".strangler").glob("*eligible*")) == []
