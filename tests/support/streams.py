"""Streams that run while a test looks: in a thread of the test, or as a process that can be killed."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import psycopg

from cdc.state import StreamState, emit_marker, read_state
from cdc.sync import run
from config.model import Routes
from tests.support.waiting import wait_until

CHECKOUT = Path(__file__).parents[2]
RUN = """
import signal, sys, threading
from pathlib import Path
from cdc.sync import run
from config.reader import read_routes
stop = threading.Event()
signal.signal(signal.SIGTERM, lambda *_: stop.set())
run(read_routes(Path(sys.argv[1])), sys.argv[2], once=False, stop=stop)
"""
FORWARD, REVERSE = "accounts:forward", "accounts:reverse"


@dataclass
class Streaming:
    """A `sync run` in a thread; `error` is what it ended with."""

    stop: threading.Event = field(default_factory=threading.Event)
    error: BaseException | None = None
    thread: threading.Thread | None = None

    def ended(self) -> BaseException | None:
        """Wait until it has ended by itself, and say why."""
        assert self.thread is not None
        self.thread.join(20)
        assert not self.thread.is_alive(), "the streams go on"
        return self.error


@contextmanager
def streaming(routes: Routes, modern: str, capability: str = "accounts") -> Iterator[Streaming]:
    """Both streams, from the moment the forward one reads its slot until the end of the block."""
    streaming = Streaming()

    def work() -> None:
        try:
            run(routes, capability, once=False, stop=streaming.stop)
        except BaseException as error:  # noqa: BLE001 - the test looks at it
            streaming.error = error

    streaming.thread = threading.Thread(target=work)
    streaming.thread.start()
    try:
        wait_until(lambda: streaming.error or _streams(routes, modern, capability), "the forward stream streams", 30)
        yield streaming
    finally:
        streaming.stop.set()
        streaming.thread.join(30)
        assert not streaming.thread.is_alive()


@contextmanager
def streaming_process(routes: Routes, capability: str = "accounts") -> Iterator[subprocess.Popen[bytes]]:
    """The same as a process of its own; killed at the end if it still runs."""
    environment = {**os.environ, "PYTHONPATH": str(CHECKOUT)}
    process = subprocess.Popen(
        [sys.executable, "-c", RUN, str(routes.path), capability], env=environment, stderr=subprocess.DEVNULL
    )
    try:
        yield process
    finally:
        process.kill()
        process.wait()


def once(routes: Routes, capability: str = "accounts") -> None:
    """Apply what was flushed until now."""
    run(routes, capability, once=True, stop=threading.Event())


def state(target: psycopg.Connection | str, stream: str = FORWARD) -> StreamState:
    """The stream's row; it must be there."""
    if isinstance(target, str):
        with psycopg.connect(target, autocommit=True) as conn:
            return state(conn, stream)
    found = read_state(target, stream)
    assert found is not None, f"{stream} was never set up"
    return found


def mark(source: psycopg.Connection, target: psycopg.Connection, marker: str, **facts: str | None) -> StreamState:
    """Emit a marker and wait until the stream has reported it."""
    stream = facts.get("stream") or FORWARD
    emit_marker(source, stream, marker, facts.get("mode"))  # type: ignore[arg-type]
    wait_until(lambda: state(target, stream).marker == marker, f"{marker} has been applied", 20)
    return state(target, stream)


def rows(conn: psycopg.Connection, query: str) -> Sequence[tuple[object, ...]]:
    """All rows of a query."""
    return conn.execute(query.encode()).fetchall()


def _streams(routes: Routes, modern: str, capability: str) -> bool:
    with psycopg.connect(modern, autocommit=True) as conn:
        found = read_state(conn, f"{capability}:forward")
    if found is None or found.state == "backfill":
        return False
    with psycopg.connect(routes.databases["legacy"].url, autocommit=True) as conn:
        active = "SELECT active FROM pg_replication_slots WHERE slot_name = %s"
        slot = conn.execute(active, (found.slot,)).fetchone()
    return slot is not None and bool(slot[0])
