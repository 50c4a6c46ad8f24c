"""Runs the two streams of a capability as one: made ready, kept alive by heartbeats, re-checked, ended together."""

from __future__ import annotations

import sys
import threading
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime

import psycopg
import structlog

from cdc import pulse
from cdc.connections import connect
from cdc.filling.backfill import Stopped, Watch
from cdc.plan import StreamPlan
from cdc.setup import Streams, connected, make_ready, sync_of
from cdc.state import Lag, read_state
from cdc.state import lag as measure_lag
from cdc.streaming import pipeline
from cdc.streaming.head_start import HeadStart
from cdc.streaming.pgoutput import parse_lsn
from cdc.streaming.stream_errors import SourceWentBack
from cdc.verification.recheck import KEYS_A_LOOK, Recheck
from config.errors import DatabaseDown
from config.model import Routes

HEARTBEAT_SECONDS = 1.0
HEARTBEAT_PAUSE_SECONDS_MAX = 10.0
RECHECK_SECONDS_MAX = 5.0
SWITCH_SECONDS = 0.001  # a thread that wants to go on waits so long for one that computes; Python's 5 ms are a delay

_log = structlog.get_logger()


@dataclass(frozen=True)
class Running:
    """How both streams run: who watches a copy that comes first; how many rows of a table a second are re-checked."""

    watch: Watch | None = None
    rechecked: int = KEYS_A_LOOK
    ahead: HeadStart | None = None  # the forward stream, where it has begun to send


def run(routes: Routes, capability: str, *, once: bool, stop: threading.Event, running: Running | None = None) -> None:
    """Stream until `stop` is set; with `once` only forward, until all is applied that was flushed at the start.

    Raises StranglerError subclasses. Everything is made ready first; what is ready is left as it is.
    """
    running = running or Running()
    try:
        streams = make_ready(routes, capability, running.watch or Watch(stop), leaves_what_streams=once)
    except Stopped:
        return
    if once:
        with connected(streams.forward.source_url, "source") as source:
            row = source.execute("SELECT pg_current_wal_flush_lsn()::text").fetchone()
        begun = running.ahead.claim() if running.ahead else None
        pipeline.run(streams.forward, stop, until=parse_lsn(row[0]) if row else 0, begun=begun)
    else:
        _run_both(streams, stop, running.rechecked)


def backfill(routes: Routes, capability: str, watch: Watch) -> bool:
    """Make everything ready and copy the tables, without streaming; false if it was told to stop before the end."""
    try:
        make_ready(routes, capability, watch)
    except Stopped:
        return False
    return True


def lag(routes: Routes, capability: str) -> Lag | None:
    """How far the forward stream is behind; None where it has never run. Raises DatabaseDown."""
    sync = sync_of(routes, capability)
    with (
        connected(routes.databases[sync.source].url, sync.source) as source,
        connected(routes.databases[sync.target].url, sync.target) as target,
    ):
        return measure_lag(source, target, f"{capability}:forward")


def _run_both(streams: Streams, stop: threading.Event, rechecked: int) -> None:
    """Threads that end together: the first error ends the others and is raised here."""
    sys.setswitchinterval(SWITCH_SECONDS)
    ending = threading.Event()
    errors: list[BaseException] = []
    plans = [plan for plan in (streams.forward, streams.reverse) if plan is not None]
    threads = [_thread(f"heartbeat {plan.name}", _beating(plan, ending), ending, errors) for plan in plans]
    rechecks = []
    for plan in plans:
        recheck = Recheck(plan, streams.forward.mappings, ending, rechecked) if rechecked else None
        threads.append(_thread(plan.name, _streaming(plan, ending, recheck), ending, errors))
        if recheck is not None:
            rechecks.append(_thread(f"re-check {plan.name}", recheck.run, ending, errors))
    for thread in (*threads, *rechecks):
        thread.start()
    while not stop.wait(_LOOK_SECONDS) and not ending.is_set():
        pass
    ending.set()
    for thread in threads:
        thread.join()
    for thread in rechecks:  # nothing is lost with one that waits for a server that is gone
        thread.join(RECHECK_SECONDS_MAX)
    if errors:
        raise errors[0]


_LOOK_SECONDS = 0.1


def _thread(
    name: str, work: Callable[[], None], ending: threading.Event, errors: list[BaseException]
) -> threading.Thread:
    def supervised() -> None:
        try:
            work()
        except BaseException as error:  # noqa: BLE001 - it is raised again by the thread that waits for all
            errors.append(error)
        finally:
            ending.set()

    return threading.Thread(target=supervised, name=name, daemon=True)


def _streaming(plan: StreamPlan, ending: threading.Event, recheck: Recheck | None) -> Callable[[], None]:
    return lambda: pipeline.run(plan, ending, each_part=recheck.note if recheck else None)


def _beating(plan: StreamPlan, ending: threading.Event) -> Callable[[], None]:
    return lambda: beat(plan, ending)


def beat(plan: StreamPlan, ending: threading.Event) -> None:
    """Put a heartbeat into a source's log at once and every second, so that positions move on where nobody writes."""
    pause = HEARTBEAT_SECONDS
    while not ending.is_set():
        try:
            with connect(plan.target_url) as target:
                state = read_state(target, plan.name)
            known = state.heartbeat_at if state else None
            with connect(plan.source_url) as source:
                while not ending.is_set():
                    known = pulse.beat(source, plan.name, known, datetime.now(UTC))
                    pause = HEARTBEAT_SECONDS
                    ending.wait(HEARTBEAT_SECONDS)
        except (psycopg.OperationalError, DatabaseDown, SourceWentBack) as error:
            _log.warning("heartbeat.interrupted", reason=type(error).__name__, again_in=pause)
            ending.wait(pause)
            pause = min(2 * pause, HEARTBEAT_PAUSE_SECONDS_MAX)
