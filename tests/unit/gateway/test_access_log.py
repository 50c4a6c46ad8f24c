"""What a whole gateway writes is in tests/scenarios/test_gateway_is_observed.py."""

from __future__ import annotations

import json
import threading
from pathlib import Path
from types import SimpleNamespace
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from gateway import access_log as module
from gateway.access_log import AccessLog, entry_of
from gateway.wire import headers


def exchange(method: bytes = b"GET", fields: list[tuple[bytes, bytes]] | None = None, trace: bytes = b"") -> Any:
    return SimpleNamespace(
        method=method, fields=fields or [], facts={headers.TRACEPARENT: trace} if trace else {}, decision=None, status=0,
        started=1.0, body_bytes=0, attempts=0, client=b"192.0.2.1",
    )  # fmt: skip


@given(st.binary(max_size=200), st.binary(max_size=200), st.binary(max_size=80))
def test_whatever_a_client_sends_is_one_line_of_ascii(method: bytes, request_id: bytes, trace: bytes) -> None:
    entry = entry_of(exchange(method, [(b"X-Request-ID", request_id)], trace), 2.0)
    line = json.dumps(entry)
    assert line.isascii()
    assert line.isprintable()
    assert len(line) < 1000
    assert json.loads(line)["seconds"] == 1.0


def test_of_a_request_that_never_had_a_route_only_what_is_known_is_said() -> None:
    entry = entry_of(exchange(), 2.0)
    assert {key for key, value in entry.items() if value is None} == {
        "route", "side", "upstream", "status", "trace_id", "request_id",
    }  # fmt: skip


def test_a_writer_that_stands_still_costs_lines_and_they_are_counted(tmp_path: Path, monkeypatch: Any) -> None:
    monkeypatch.setattr(module, "ENTRIES_MAX", 10)
    log = AccessLog(tmp_path / "access.jsonl")
    stands, goes = threading.Event(), threading.Event()
    write = log._write

    def slow(batch: Any) -> None:
        stands.set()
        goes.wait(10)
        write(batch)

    monkeypatch.setattr(log, "_write", slow)
    log.start()
    log.ended(exchange(), 2.0)
    log.sweep()
    assert stands.wait(10)
    for _ in range(30):
        log.ended(exchange(), 2.0)
        log.sweep()
    assert log.dropped == 21
    goes.set()
    log.close()
    assert len((tmp_path / "access.jsonl").read_text().splitlines()) == 10
