"""`advance --auto`: a verdict that fails takes canary's traffic off modern within two seconds, and says why."""

from __future__ import annotations

import json
import sys
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import httpx
import pytest

from config.reader import read_routes
from runbook.comparison import read_report
from runbook.demo.processes import free_port
from runbook.execute import Event
from runbook.people_errors import PromotionStopped
from runbook.promotion import Patience, promote
from tests.support.gateway_process import GatewayProcess
from tests.support.waiting import wait_until

OFF_MODERN_SECONDS_MAX = 2.0
TEXT = """
version: 1
gateway: {admin: "127.0.0.1:ADMIN"}
upstreams:
  monolith: {url: "LEGACY"}
  ledger: {url: "MODERN"}
capabilities:
  accounts:
    legacy: monolith
    modern: ledger
    stage: canary
    canary: {percent: 50, key: "header:X-Customer-Id"}
    shadow: {sample: 100%}
    gates: {mismatch_rate: 20%, coverage: 50%, latency_p99_ratio: 1000}
routes:
  - {match: "GET /accounts/{id}", capability: accounts, compare: {ignore: ["$.by"]}}
"""


class Bank(ThreadingHTTPServer):
    """Answers with its name and a balance; a broken one has another balance."""

    daemon_threads = True
    request_queue_size = 128

    def __init__(self, name: str) -> None:
        super().__init__(("127.0.0.1", 0), Answer)
        self.name, self.is_broken = name, False
        threading.Thread(target=self.serve_forever, args=(0.01,), daemon=True).start()


class Answer(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True  # else head and body are 40 ms apart
    server: Bank

    def do_GET(self) -> None:
        body = json.dumps({"by": self.server.name, "balance": 2 if self.server.is_broken else 1}).encode()
        self.send_response(200)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        pass


@contextmanager
def customers(url: str) -> Iterator[list[tuple[float, str]]]:
    """New customers all the time; each entry is when one was answered, and by whom."""
    answered: list[tuple[float, str]] = []
    stop = threading.Event()

    def come() -> None:
        with httpx.Client(base_url=url, verify=False, trust_env=False) as client:
            number = 0
            while not stop.wait(0.004):
                number += 1
                answer = client.get(f"/accounts/{number}", headers={"X-Customer-Id": str(number)})
                answered.append((time.monotonic(), answer.json()["by"]))

    thread = threading.Thread(target=come)
    thread.start()
    try:
        yield answered
    finally:
        stop.set()
        thread.join()


def test_a_failing_verdict_takes_traffic_off_modern_within_two_seconds(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, record_property: Callable[[str, object], None]
) -> None:
    monkeypatch.setenv("STRANGLER_RUN", str(tmp_path / ".strangler"))
    admin = free_port()
    with Bank("legacy") as legacy, Bank("modern") as modern:
        routes = tmp_path / "routes.yaml"
        text = TEXT.replace("ADMIN", str(admin))
        for name, bank in (("LEGACY", legacy), ("MODERN", modern)):
            text = text.replace(name, f"http://127.0.0.1:{bank.server_port}")
        routes.write_text(text)
        decided: list[float] = []

        def note(text: str) -> None:
            if ": back," in text:
                decided.append(time.monotonic())

        def walk() -> str:
            patience = Patience(dwell_seconds=600)
            return promote(routes, "accounts", patience=patience, actor="olivia", progress=_unseen, say=note)

        with (
            GatewayProcess(routes, admin=f"127.0.0.1:{admin}") as gateway,
            customers(gateway.url) as answered,
            ThreadPoolExecutor(1) as walker,
        ):
            wait_until(lambda: _answer(routes) == "pass", "the verdict passes", 30)
            walking = walker.submit(walk)
            modern.is_broken = True
            with pytest.raises(PromotionStopped, match="the verdict fails"):
                walking.result(timeout=60)
            after = len(answered)
            wait_until(lambda: len(answered) > after + 100, "a hundred customers more")
            last = max(at for at, by in answered if by == "modern")
        legacy.shutdown()
        modern.shutdown()
    assert read_routes(routes).capabilities["accounts"].stage == "shadow"
    seconds = max(0.0, last - decided[0])
    record_property("seconds from the failing verdict to the last answer by modern", f"{seconds:.3f}")
    sys.stdout.write(f"the last answer by modern came {seconds:.3f} s after the failing verdict was read\n")
    assert seconds <= OFF_MODERN_SECONDS_MAX


def _answer(routes: Path) -> str:
    if not (routes.parent / ".strangler" / "shadow.db").exists():
        return ""
    return read_report(routes, "accounts").verdict.answer


def _unseen(_: Event) -> None:
    pass
