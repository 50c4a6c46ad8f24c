"""An upstream that is ill or overloaded is left alone in time, and clients are told so at once, not after a queue."""

from __future__ import annotations

import os
import signal
import socket
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from time import monotonic

import pytest

from tests.support.gateway_process import GatewayProcess, fetch
from tests.support.gateways import Gateway, gateway
from tests.support.waiting import wait_until
from tests.support.wire import Client, Received, Upstream, answer, raw, upstream

WORK_SECONDS = 0.02
ROUTES = """
version: 1
upstreams:
  monolith: {{url: "{legacy}"}}
  ledger: {{url: "{modern}", breaker: {{failures: 3, open_for: 300ms}}}}
  busy: {{url: "{legacy}", connections: 2, waiting: 2, wait: 200ms}}
  flaky: {{url: "{legacy}", breaker: {{failures: 1000, failure_rate: 50%, requests: 10, open_for: 200ms}}}}
capabilities:
  accounts: {{legacy: monolith, modern: ledger, stage: canary, canary: {{percent: 100, key: "header:X-Customer-Id"}}}}
routes:
  - {{match: "* /accounts/{{id}}", capability: accounts}}
  - {{match: "* /busy", upstream: busy}}
  - {{match: "* /flaky", upstream: flaky}}
"""


@pytest.fixture(scope="module")
def legacy() -> Iterator[Upstream]:
    with upstream() as one:
        yield one


@pytest.fixture(scope="module")
def modern() -> Iterator[Upstream]:
    with upstream() as one:
        yield one


@pytest.fixture(autouse=True)
def _fresh(legacy: Upstream, modern: Upstream) -> None:
    for name, one in ((b"legacy", legacy), (b"modern", modern)):
        one.reset()
        one.respond = answer(name)


@pytest.fixture(scope="module")
def gate(legacy: Upstream, modern: Upstream) -> Iterator[Gateway]:
    with gateway(ROUTES.format(legacy=legacy.url, modern=modern.url)) as one:
        yield one


def breaker_of(gate: Gateway, name: str) -> str:
    rows = [row["labels"] for row in gate.metrics()["gauges"] if row["name"] == "strangler_upstream_breaker"]
    return next(labels["state"] for labels in rows if labels["upstream"] == name)


def test_past_its_limit_an_upstream_keeps_its_pace_and_the_rest_is_told_at_once(
    gate: Gateway, legacy: Upstream
) -> None:
    """Sixteen clients for two connections: those who are served wait for at most two others."""
    at_work, most, lock = 0, 0, threading.Lock()
    pace = threading.Event()

    def work(received: Received, sock: socket.socket) -> None:
        nonlocal at_work, most
        with lock:
            at_work += 1
            most = max(most, at_work)
        pace.wait(WORK_SECONDS)
        with lock:
            at_work -= 1
        answer(b"done")(received, sock)

    legacy.respond = work

    def one_client(_: int) -> list[tuple[int, float, bytes | None]]:
        found = []
        with Client(gate.port) as http:
            for _ in range(12):
                began = monotonic()
                answered = http.get("/busy")
                found.append((answered.status, monotonic() - began, answered.get("retry-after")))
        return found

    with ThreadPoolExecutor(16) as pool:
        found = [one for several in pool.map(one_client, range(16)) for one in several]
    served = sorted(seconds for status, seconds, _ in found if status == 200)
    shed = [(status, after) for status, _, after in found if status != 200]
    assert set(shed) == {(503, b"1")}
    assert len(served) >= 4
    assert most <= 2, "the upstream never had more than its connections"
    # Two at work and two waiting: without the limit sixteen would share the two, eight times the work for each.
    assert served[len(served) // 2] < 8 * WORK_SECONDS


def test_an_upstream_that_answers_fast_and_wrong_is_left_alone_and_probed(gate: Gateway, legacy: Upstream) -> None:
    legacy.respond = answer(b"", b"500 Oops")
    with Client(gate.port) as http:
        seen = [http.get("/flaky").status for _ in range(14)]
        assert seen == [500] * 10 + [503] * 4
        assert breaker_of(gate, "flaky") == "open"
        wait_until(lambda: breaker_of(gate, "flaky") == "half_open", "a probe may go")
        assert [http.get("/flaky").status for _ in range(2)] == [500, 503], "the probe has failed"
        legacy.respond = answer()
        wait_until(lambda: http.get("/flaky").status == 200, "a probe closes it")
        assert breaker_of(gate, "flaky") == "closed"


def test_in_canary_legacy_answers_while_modern_cannot(gate: Gateway, legacy: Upstream, modern: Upstream) -> None:
    key = "X-Customer-Id: ada\r\n"
    with Client(gate.port) as http:
        assert http.get("/accounts/1", key).body == b"modern"
        modern.respond = raw(b"", close=True)
        statuses = [http.get("/accounts/1", key).status for _ in range(8)]
        assert statuses.count(502) <= 3, "as many as the breaker takes to notice"
        assert statuses[-1] == 200
        assert http.get("/accounts/1", key).body == b"legacy"
        modern.respond = answer(b"modern")
        wait_until(lambda: http.get("/accounts/1", key).body == b"modern", "modern answers again")


def test_an_upstream_whose_health_check_fails_is_left_alone_by_all_workers_and_by_new_ones(
    tmp_path: Path, legacy: Upstream, modern: Upstream
) -> None:
    def respond(received: Received, sock: socket.socket) -> None:
        ill = received.target == b"/healthz" and not is_well.is_set()
        answer(b"modern", b"503 Ill" if ill else b"200 OK")(received, sock)

    is_well = threading.Event()
    is_well.set()
    modern.respond = respond
    text = ROUTES.format(legacy=legacy.url, modern=modern.url).replace(
        f'ledger: {{url: "{modern.url}"', f'ledger: {{url: "{modern.url}", health: /healthz, health_every: 20ms'
    )
    (tmp_path / "routes.yaml").write_text(
        text + '  - {match: "* /modern", upstream: ledger}\n  - {match: "* /legacy", upstream: monolith}\n'
    )
    with GatewayProcess(tmp_path / "routes.yaml", workers=2) as gate:
        assert fetch(f"{gate.url}/modern").text == "modern"
        is_well.clear()
        wait_until(lambda: gate.events("upstream.ill"), "the check notices")
        wait_until(lambda: {fetch(f"{gate.url}/modern").status_code for _ in range(8)} == {503}, "every worker knows")
        assert fetch(f"{gate.url}/modern").json()["type"].endswith("upstream_unhealthy")
        read = fetch(f"{gate.url}/accounts/1", headers={"X-Customer-Id": "ada"})
        assert read.text == "legacy", "a canary's reads go home"
        _kill(gate.worker_pids()[0])
        wait_until(lambda: fetch(f"{gate.admin_url}/readyz").is_success, "the worker is replaced", 30)
        assert {fetch(f"{gate.url}/modern").status_code for _ in range(8)} == {503}
        ejected = 'strangler_upstream_breaker{state="ejected",upstream="ledger"} 2.0'
        wait_until(lambda: ejected in fetch(f"{gate.admin_url}/metrics").text, "both workers say so", 30)
        assert 'strangler_upstream_healthy{upstream="ledger"} 0.0' in fetch(f"{gate.admin_url}/metrics").text
        is_well.set()
        wait_until(lambda: {fetch(f"{gate.url}/modern").status_code for _ in range(8)} == {200}, "it is well again")


def _kill(pid: int) -> None:
    os.kill(pid, signal.SIGKILL)
    wait_until(lambda: not Path(f"/proc/{pid}").exists(), "it is gone")
