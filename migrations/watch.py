"""Watches the statements of an upgrade: the locks that each one takes, and how long it runs."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Engine, event

# What our own session holds on tables and indexes of people; the strongest mode a relation.
_LOCKS = """
SELECT l.relation::regclass::text, l.mode FROM pg_locks l JOIN pg_class c ON c.oid = l.relation
JOIN pg_namespace n ON n.oid = c.relnamespace
WHERE l.pid = pg_backend_pid() AND l.granted AND n.nspname NOT IN ('pg_catalog', 'pg_toast', 'strangler')
  AND c.relname NOT LIKE 'alembic_version%' ORDER BY 1, 2"""
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
        now = frozenset[str]()
        if int(raw.info.transaction_status) == _IN_TRANSACTION:
            with raw.cursor() as another:
                now = frozenset(f"{name}: {mode}" for name, mode in another.execute(_LOCKS).fetchall())
        on_end(RanStatement(statement.strip(), seconds, tuple(sorted(now - held[0]))))
        held[0] = now
