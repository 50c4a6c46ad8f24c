"""A moment in which tables of the source stand still and the stream has brought everything that was committed.

A row that was read a moment ago may be older than what the stream has applied since. So whoever writes rows of a stream
past it, a repair or a table that is filled again, does it in such a moment, for a few rows at a time:

    source  BEGIN; LOCK TABLE .. IN SHARE MODE     waits for open writers, at the most LOCK_SECONDS
    source  a message, on another connection       its place in the log is behind everything that is committed
    target  wait until the stream has applied it   at the most QUIET_SECONDS, else the batch is given up
    target  BEGIN; what the caller does; COMMIT    with an origin that the other stream leaves out
    source  COMMIT                                 writers go on
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from time import monotonic, sleep

import psycopg
from psycopg import sql

from cdc.plan import StreamPlan
from cdc.setup import connected
from cdc.state import emit_nudge
from cdc.statements import table
from cdc.streaming.session import Session
from cdc.streaming.stream_errors import RepairRefused

LOCK_SECONDS, QUIET_SECONDS = 2.0, 1.0  # how long we wait for writers, and they for the stream
CATCH_UP_SECONDS, LOOK_SECONDS = 5.0, 0.005


@dataclass(frozen=True)
class Quiet:
    """Both ends of a stream; the target's session has a transaction open."""

    source: psycopg.Connection
    target: psycopg.Connection


@contextmanager
def quiet(plan: StreamPlan, session: Session, relations: Sequence[str]) -> Iterator[Quiet]:
    """Nobody writes these tables meanwhile. Raises RepairRefused where writers or the stream take too long."""
    _catch_up(plan, session, CATCH_UP_SECONDS)  # a stream that is behind, or does not run, makes no writer wait
    with connected(plan.source_url, "source") as source, _locked(plan, source, relations):
        _catch_up(plan, session, QUIET_SECONDS)
        target = session.conn
        target.execute(session.begin())
        try:
            yield Quiet(source, target)
            target.execute("COMMIT")
        except BaseException:
            target.execute("ROLLBACK")
            raise


@contextmanager
def _locked(plan: StreamPlan, source: psycopg.Connection, relations: Sequence[str]) -> Iterator[None]:
    names = sql.SQL(", ").join(map(table, relations))
    try:
        with source.transaction():
            source.execute("SELECT set_config('lock_timeout', %s, true)", (f"{int(LOCK_SECONDS * 1000)}ms",))
            source.execute(sql.SQL("LOCK TABLE {} IN SHARE MODE").format(names))
            source.execute("SET LOCAL TimeZone = 'UTC'; SET LOCAL DateStyle = 'ISO'; SET LOCAL jit = off")
            yield
    except psycopg.errors.LockNotAvailable as error:
        busy = f"{', '.join(relations)} had open writers for longer than {LOCK_SECONDS:g} s"
        raise RepairRefused(plan.name, busy) from error


def _catch_up(plan: StreamPlan, session: Session, seconds: float) -> None:
    """Wait until the stream has applied all that is committed now."""
    deadline = monotonic() + seconds
    with connected(plan.source_url, "source") as source:
        emit_nudge(source)
        row = source.execute("SELECT pg_current_wal_insert_lsn()::text").fetchone()
    wanted = row[0] if row else None
    query = "SELECT position >= %s::pg_lsn FROM strangler.stream WHERE name = %s"
    while monotonic() < deadline:
        found = session.conn.execute(query, (wanted, plan.name)).fetchone()
        if found is not None and found[0]:
            return
        sleep(LOOK_SECONDS)
    raise RepairRefused(plan.name, f"the stream did not catch up within {seconds:g} s")
