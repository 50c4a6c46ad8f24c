"""Watches the forward streams of the capabilities in canary and says which writes have arrived in the modern database.

One thread a capability, in the supervisor. While there are writes that are not known to have arrived, it goes in
rounds: note the time, ask the source for its position in the log, wait until the stream has applied that position,
and then all writes up to the noted time are fresh. Without its databases a round does not end: nothing becomes fresh
and legacy answers, which is slower to move and never wrong.
"""

from __future__ import annotations

import math
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import structlog

from config.model import Routes
from gateway.freshness import Freshness

if TYPE_CHECKING:
    from psycopg import Connection

IDLE_SECONDS = 0.02
ROUND_SECONDS = 0.5  # for stamps; clocks drift less than a query takes in that time
POLL_SECONDS_MIN, POLL_SECONDS_MAX = 0.005, 0.05
RETRY_SECONDS_MIN, RETRY_SECONDS_MAX = 0.1, 5.0
CONNECTION_OPTIONS: dict[str, Any] = {
    "autocommit": True,
    "application_name": "strangler-gateway",
    "connect_timeout": 3,
    "tcp_user_timeout": 5000,
    "options": "-c statement_timeout=3000",
}
# The time first: what was committed before it lies before the position.
SOURCE = """SELECT at, pg_current_wal_insert_lsn()::text
    FROM (SELECT (extract(epoch FROM clock_timestamp()) * 1000000000)::bigint AS at OFFSET 0) AS clock"""
# In mode skip the position moves on without rows, and during the backfill rows are missing that are older than it.
HAS_ARRIVED = """SELECT true FROM strangler.stream
    WHERE name = %s AND mode = 'apply' AND state <> 'backfill' AND position >= %s::pg_lsn"""

_log = structlog.get_logger()


@dataclass(frozen=True)
class Plan:
    """What one watch needs: the capability, its forward stream and the two ends of it."""

    capability: str
    source_url: str
    target_url: str
    has_stamps: bool = False  # clients of other gateways come here too, so there are rounds without writes of ours

    @property
    def stream(self) -> str:
        """The stream's name in `strangler.stream`."""
        return f"{self.capability}:forward"


def plans_of(routes: Routes) -> dict[str, Plan]:
    """A plan for every capability in canary that has a stream; in no other stage are reads split."""
    return {
        name: Plan(
            name,
            routes.databases[one.sync.source].url,
            routes.databases[one.sync.target].url,
            one.canary is not None and one.canary.cookie is not None,
        )
        for name, one in routes.capabilities.items()
        if one.sync is not None and one.stage == "canary"
    }


class Watches:
    """The watches that the table in force asks for."""

    def __init__(self, path: Path, workers: int) -> None:
        """Make the shared file ready at `path`, for that many workers."""
        self._path = path
        self._freshness = Freshness(path, (), create=True, writers=workers)
        self._running: dict[str, Watch] = {}

    def apply(self, routes: Routes, now_ns: int) -> None:
        """Start and stop watches. What is not watched is fresh only if it has no stream to wait for."""
        plans = plans_of(routes)
        for name, watch in list(self._running.items()):
            if plans.get(name) != watch.plan:
                watch.stop()
                del self._running[name]
        names = tuple(routes.capabilities)
        self._freshness.cover(names)
        for index, name in enumerate(names):
            if routes.capabilities[name].sync is None:
                self._freshness.trust(index)
            elif name not in self._running:
                self._freshness.doubt(index, now_ns)
        for name in plans.keys() - self._running.keys():
            self._running[name] = Watch(plans[name], self._path)
            self._running[name].start()

    def close(self) -> None:
        """Stop all watches; they end by themselves, also where a database hangs."""
        for watch in self._running.values():
            watch.stop()
        self._running.clear()
        self._freshness.close()


class Watch(threading.Thread):
    """The rounds of one capability, with its own two connections and its own view of the shared file."""

    def __init__(self, plan: Plan, path: Path) -> None:
        super().__init__(name=f"freshness {plan.capability}", daemon=True)
        self.plan = plan
        self._path = path
        self._stopping = threading.Event()
        self._is_connected = False
        self._round_due = 0.0 if plan.has_stamps else math.inf

    def stop(self) -> None:
        """Ask the thread to end; does not wait."""
        self._stopping.set()

    def run(self) -> None:
        """Rounds until stopped; connections that break are made anew, less and less eagerly."""
        import psycopg  # where no capability is in canary, the driver is not needed

        freshness = Freshness(self._path, (self.plan.capability,))
        retry_seconds = RETRY_SECONDS_MIN
        while not self._stopping.is_set():
            try:
                self._watch(freshness, psycopg.connect)
            except (psycopg.Error, OSError) as error:
                retry_seconds = self._after(error, retry_seconds)
                self._stopping.wait(retry_seconds)
        freshness.close()

    def _watch(self, freshness: Freshness, connect: Callable[..., Connection[Any]]) -> None:
        with (
            connect(self.plan.source_url, **CONNECTION_OPTIONS) as source,
            connect(self.plan.target_url, **CONNECTION_OPTIONS) as target,
        ):
            while not self._stopping.is_set():
                if freshness.has_unseen_writes(0) or time.monotonic() >= self._round_due:
                    self._round(freshness, source, target)
                self._stopping.wait(IDLE_SECONDS)

    def _round(self, freshness: Freshness, source: Connection[Any], target: Connection[Any]) -> None:
        began_ns = time.monotonic_ns()
        source_ns, position = source.execute(SOURCE).fetchone() or (0, None)
        # The source's clock stood at `source_ns` at `began_ns` or later: our time and this are never before its own.
        freshness.know_source(0, source_ns - began_ns)
        poll_seconds = POLL_SECONDS_MIN
        while target.execute(HAS_ARRIVED, (self.plan.stream, position)).fetchone() is None:
            if self._stopping.wait(poll_seconds):
                return
            poll_seconds = min(poll_seconds * 2, POLL_SECONDS_MAX)
        if not self._stopping.is_set():
            freshness.advance(0, began_ns, source_ns)
            self._round_due = time.monotonic() + ROUND_SECONDS if self.plan.has_stamps else math.inf
        if not self._is_connected:
            self._is_connected = True
            _log.info("freshness.watching", capability=self.plan.capability)

    def _after(self, error: Exception, retry_seconds: float) -> float:
        """Say it once, not at every attempt, and return how long to wait; a connection that had worked starts anew."""
        if self._is_connected or retry_seconds == RETRY_SECONDS_MIN:
            sqlstate = getattr(error, "sqlstate", None)
            reason = f"{type(error).__name__}{f' {sqlstate}' if sqlstate else ''}"
            _log.warning("freshness.unavailable", capability=self.plan.capability, reason=reason)
        was_connected, self._is_connected = self._is_connected, False
        return RETRY_SECONDS_MIN * 2 if was_connected else min(retry_seconds * 2, RETRY_SECONDS_MAX)
