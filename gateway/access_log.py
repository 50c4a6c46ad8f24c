"""The access log: one JSON object a line for each request that ended, written by a thread, bounded, never waited for.

Nothing a client chose is in it but its method and the ids by which it can be asked about: no path, no query, no body,
no other header. Ids are checked and everything is escaped ASCII, so no line can be forged.
"""

from __future__ import annotations

import json
import os
import queue
import re
import sys
import threading
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import structlog

from gateway.routing.conditions import field
from gateway.wire import headers

if TYPE_CHECKING:
    from gateway.carriage import Carriage

ENTRIES_MAX: Final = 20_000
CLOSE_SECONDS: Final = 2.0
METHOD_MAX: Final = 32
_ID: Final = re.compile(rb"[0-9A-Za-z._:+/=@-]{1,128}").fullmatch
_TRACE: Final = re.compile(rb"[0-9a-f]{2}-([0-9a-f]{32})-").match

log = structlog.get_logger()


def entry_of(exchange: Carriage, now: float) -> dict[str, Any]:
    """What is logged of a request; what is not known of it (a route, an upstream) is null."""
    decision = exchange.decision
    plan = getattr(exchange, "plan", None)
    trace = _TRACE(exchange.facts.get(headers.TRACEPARENT, b""))
    request_id = field(exchange, b"x-request-id") or b""
    return {
        "method": exchange.method[:METHOD_MAX].decode("ascii", "replace"),
        "route": plan.name if plan is not None else None,
        "side": decision.side if decision is not None else None,
        "upstream": decision.upstream if decision is not None else None,
        "status": exchange.status or None,  # null: the client left, or the answer broke off before it began
        "seconds": round(now - exchange.started, 6),
        "request_bytes": exchange.body_bytes,
        "attempts": exchange.attempts,
        "client": exchange.client.decode("ascii", "replace"),
        "trace_id": trace[1].decode() if trace else None,
        "request_id": request_id.decode() if _ID(request_id) else None,
    }


class AccessLog(threading.Thread):
    """Takes entries in the event loop and writes them in its thread; past the bound entries are dropped and counted."""

    def __init__(self, path: Path | None) -> None:
        """`path` is None for standard output. Raises OSError."""
        super().__init__(name="access log", daemon=True)
        self.dropped = 0
        self._path = path
        self._file = self._opened()
        self._batch: list[tuple[float, dict[str, Any]]] = []
        self._waiting = 0  # entries that are handed to the thread and not written
        self._queue: queue.SimpleQueue[list[tuple[float, dict[str, Any]]] | str] = queue.SimpleQueue()
        self._is_failing = False

    def ended(self, exchange: Carriage, now: float) -> None:
        """Note a request; it is written with the next sweep."""
        if self._waiting + len(self._batch) >= ENTRIES_MAX:
            self.dropped += 1
        else:
            self._batch.append((datetime.now(UTC).timestamp(), entry_of(exchange, now)))

    def sweep(self) -> None:
        """Hand over what was noted."""
        if self._batch:
            batch, self._batch = self._batch, []
            self._waiting += len(batch)
            self._queue.put(batch)

    def reopen(self) -> None:
        """Whoever rotates logs has moved the file away: go on in a new one."""
        self._queue.put("reopen")

    def close(self) -> None:
        """Write what there is, for a bounded time."""
        self.sweep()
        self._queue.put("close")
        self.join(CLOSE_SECONDS)

    # In the thread.

    def run(self) -> None:
        """Batches until closed."""
        while (item := self._queue.get()) != "close":
            if isinstance(item, list):
                self._write(item)
                self._waiting -= len(item)
            elif self._path is not None:
                os.close(self._file)
                self._file = self._opened()
        if self._path is not None:
            os.close(self._file)

    def _write(self, batch: list[tuple[float, dict[str, Any]]]) -> None:
        lines = "".join(json.dumps({"at": _stamp(at), **entry}) + "\n" for at, entry in batch).encode()
        try:
            while lines:  # O_APPEND: lines of other workers may stand between ours, never inside of one write
                lines = lines[os.write(self._file, lines) :]
            self._is_failing = False
        except OSError as error:
            self.dropped += len(batch)
            if not self._is_failing:
                log.warning("access_log.failed", reason=(error.strerror or "").lower())
            self._is_failing = True

    def _opened(self) -> int:
        if self._path is None:
            return sys.stdout.fileno()
        return os.open(self._path, os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC, 0o640)


def _stamp(at: float) -> str:
    return datetime.fromtimestamp(at, UTC).isoformat(timespec="milliseconds")
