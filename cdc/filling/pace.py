"""How fast a copy may go: a rate that somebody set, and pauses while a server has no strength to spare.

A pause is made while a physical standby of either server is behind by more than is allowed (what a bank reads from, or
fails over to), or while more sessions of others are active on the source than is allowed. The servers are looked at
once a second, between two pieces of a copy. What the role may not see (pg_monitor lets it) counts as healthy.
"""

from __future__ import annotations

import threading
from dataclasses import dataclass
from time import monotonic

import psycopg
import structlog

from cdc.connections import APPLICATION, connect

LOOK_SECONDS = 1.0
BURST_SECONDS = 1.0  # time that was not used may be made up for, up to this
_STANDBYS = """SELECT coalesce(max(extract(epoch FROM r.replay_lag)), 0)::float8 FROM pg_stat_replication r
    WHERE NOT EXISTS (SELECT FROM pg_replication_slots s WHERE s.active_pid = r.pid AND s.slot_type = 'logical')"""
_ACTIVE = """SELECT count(*) FROM pg_stat_activity WHERE state = 'active' AND backend_type = 'client backend'
    AND pid <> pg_backend_pid() AND application_name <> %s"""

_log = structlog.get_logger()


@dataclass(frozen=True)
class Care:
    """How much a copy may ask of the servers; None is no limit."""

    rows_per_second: int | None = None
    active_sessions: int | None = None
    standby_seconds: float | None = 10.0


@dataclass
class Bucket:
    """A rate: how long to wait after so many rows, so that no second has more than is allowed; no clock of its own."""

    rows_per_second: float
    due: float = 0.0

    def take(self, rows: int, now: float) -> float:
        """The seconds to wait, for these rows."""
        self.due = max(self.due, now - BURST_SECONDS) + rows / self.rows_per_second
        return max(self.due - now, 0.0)


class Pace:
    """What the workers of one copy ask after every piece."""

    def __init__(self, care: Care, source_url: str, target_url: str, stop: threading.Event) -> None:
        self._care, self._stop = care, stop
        self._urls = {"source": source_url, "target": target_url}
        self._conns: dict[str, psycopg.Connection] = {}
        self._bucket = Bucket(care.rows_per_second, monotonic()) if care.rows_per_second else None
        self._looked_at = monotonic()
        self._lock = threading.Lock()

    def keep(self, rows: int) -> None:
        """Wait as long as the next piece must wait; returns early when the copy is to stop."""
        with self._lock:  # who has to wait makes all wait
            if self._bucket is not None:
                self._stop.wait(self._bucket.take(rows, monotonic()))
            if monotonic() - self._looked_at >= LOOK_SECONDS:
                self._wait_for_health()
                self._looked_at = monotonic()

    def close(self) -> None:
        """End the connections."""
        for conn in self._conns.values():
            conn.close()

    def _wait_for_health(self) -> None:
        started, reason = monotonic(), self._complaint()
        if reason is None:
            return
        _log.warning("backfill.pauses", reason=reason)
        while reason is not None and not self._stop.wait(LOOK_SECONDS):
            reason = self._complaint()
        _log.info("backfill.goes_on", after_seconds=round(monotonic() - started, 1))

    def _complaint(self) -> str | None:
        care = self._care
        if care.standby_seconds is not None:
            for name in self._urls:
                seconds = self._ask(name, _STANDBYS)
                if seconds > care.standby_seconds:
                    return f"a standby of the {name} is {seconds:.0f} s behind"
        if care.active_sessions is not None:
            active = self._ask("source", _ACTIVE, APPLICATION)
            if active > care.active_sessions:
                return f"{active:.0f} sessions are active on the source"
        return None

    def _ask(self, name: str, query: str, *values: str) -> float:
        conn = self._conns.get(name)
        if conn is None:
            conn = connect(self._urls[name])
            self._conns[name] = conn
        row = conn.execute(query.encode(), values or None).fetchone()
        return float(row[0]) if row else 0.0
