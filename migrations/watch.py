"""Watches the statements of an upgrade: the locks that each one takes, and how long it runs."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import psycopg
from sqlalchemy import Engine, event

# What our own session holds on relations. A revision of hundreds of statements holds thousands of locks at its end, so
# they come without their names and as one value, and names are looked up of those that the last statement took.
_LOCKS = "SELECT string_agg(relation || ' ' || mode, ',') FROM pg_locks WHERE pid = pg_backend_pid() AND granted"
# Tables and indexes of people.
_NAMES = """
SELECT c.oid, c.oid::regclass::text FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
WHERE c.oid = ANY(%s) AND n.nspname NOT IN ('pg_catalog', 'pg_toast', 'strangler')
  AND c.relname NOT LIKE 'alembic\\_version%%'"""
_IN_TRANSACTION = 2  # psycopg.pq.TransactionStatus.INTRANS


@dataclass(frozen=True)
class RanStatement:
    """One statement that ran: `locks` are those that it took, as "table: mode"."""

    sql: str
    seconds: float
    locks: tuple[str, ...]


def watch(engine: Engine, on_start: Callable[[str], None], on_end: Callable[[RanStatement], None]) -> None:
    """Tell of every statement of this engine before it runs, and with its locks afterwards."""
    started, held = [0.0], [frozenset[str]()]

    @event.listens_for(engine, "before_cursor_execute")
    def begins(_connection: object, _cursor: object, statement: str, *_: object) -> None:
        on_start(statement.strip())
        started[0] = time.monotonic()

    @event.listens_for(engine, "after_cursor_execute")
    def ended(_connection: object, cursor: Any, statement: str, *_: object) -> None:
        seconds = time.monotonic() - started[0]
        raw = cursor.connection
        now, taken = frozenset[str](), tuple[str, ...]()
        if int(raw.info.transaction_status) == _IN_TRANSACTION:
            with raw.cursor(binary=True) as another:
                ((found,),) = another.execute(_LOCKS).fetchall()
                now = frozenset((found or "").split(",")) - {""}
                taken = _named(another, now - held[0])
        on_end(RanStatement(statement.strip(), seconds, taken))
        held[0] = now


def _named(cursor: psycopg.Cursor[Any], locks: frozenset[str]) -> tuple[str, ...]:
    """Locks as "table: mode" of locks as "oid mode"."""
    if not locks:
        return ()
    modes = [(int(oid), mode) for oid, mode in (lock.split(" ") for lock in locks)]
    names = dict(cursor.execute(_NAMES, ([oid for oid, _ in modes],)).fetchall())
    return tuple(sorted(f"{names[oid]}: {mode}" for oid, mode in modes if oid in names))
