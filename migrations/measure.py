"""Runs revisions on a scratch database that is filled like the real one, while a writer writes: which locks, how long.

The life of a measurement: the revisions that the real database has are applied, its tables are filled with a sample of
its rows, then each revision that is still to come runs under a writer for each table. A lock is held from its statement
to the commit of its revision; what a sample shows is scaled to the real number of rows, and multiplied by the traffic.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import psycopg
from alembic import command
from psycopg import sql
from sqlalchemy import create_engine
from sqlalchemy.pool import NullPool

from config.errors import DatabaseDown
from migrations.environment import configuration, revisions
from migrations.watch import RanStatement, watch

SAMPLE_ROWS = 100_000
_BOOKKEEPING = ("SELECT", "UPDATE ALEMBIC", "INSERT INTO ALEMBIC")
_BLOCKING_MODES = ("AccessExclusiveLock", "ExclusiveLock", "ShareRowExclusiveLock", "ShareLock")
_TABLES = """
SELECT n.nspname, c.relname, greatest(c.reltuples, 0)::bigint
FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
WHERE c.relkind = 'r' AND n.nspname = 'public' AND c.relname <> 'alembic_version' ORDER BY 2"""


@dataclass(frozen=True)
class TableRows:
    """A table of the real database and how many rows stand for it in the scratch database."""

    name: str
    real_rows: int
    sampled_rows: int

    @property
    def factor(self) -> float:
        """How much larger the real table is."""
        return max(1.0, self.real_rows / self.sampled_rows) if self.sampled_rows else 1.0


@dataclass
class Measured:
    """One statement of one revision: the locks that it took and what they would cost."""

    revision: str
    statement: str
    seconds: float
    locks: tuple[str, ...]
    held_seconds: float = 0.0
    longest_write_seconds: float = 0.0
    predicted_seconds: float = 0.0
    waiting_requests: float = 0.0


@dataclass
class _Run:
    """What is being measured now."""

    statements: list[tuple[RanStatement, float]] = field(default_factory=list)


def measure(
    scratch_url: str, like_url: str, service: str, traffic: Mapping[str, float], tell: Callable[[str], None]
) -> tuple[Measured, ...]:
    """Measure the revisions of the branch expand that the database at `like_url` does not have yet.

    `traffic` is requests a second by table. Raises UnknownService, DatabaseDown.
    """
    config = configuration(service)
    names = [script.revision for script in revisions(config, "expand")]
    with _connected(like_url) as real:
        present = _applied(real, names)
        _upgrade(scratch_url, config, names[present - 1] if present else None, None)
        tables = _filled(real, scratch_url, tell)
    found: list[Measured] = []
    for name in names[present:]:
        tell(f"revision {name}")
        found += _one(scratch_url, config, name, tables, traffic)
    return tuple(found)


def _one(
    url: str, config: Any, revision: str, tables: dict[str, TableRows], traffic: Mapping[str, float]
) -> list[Measured]:
    run = _Run()
    with _writers(url, list(tables)) as slowest:
        _upgrade(url, config, revision, run)
        ended = time.monotonic()
    found = []
    for statement, finished in run.statements:
        begun = finished - statement.seconds
        one = Measured(revision, " ".join(statement.sql.split())[:200], statement.seconds, statement.locks)
        for lock in statement.locks:
            table, _, mode = lock.partition(": ")
            rows = tables.get(table)
            if rows is None or mode not in _BLOCKING_MODES:
                continue
            one.held_seconds = max(one.held_seconds, ended - begun)
            one.longest_write_seconds = max(one.longest_write_seconds, slowest.get(table, 0.0))
            predicted = (ended - begun) * rows.factor
            one.predicted_seconds = max(one.predicted_seconds, predicted)
            one.waiting_requests += predicted * traffic.get(table, 0.0)
        found.append(one)
    return found


def _upgrade(url: str, config: Any, revision: str | None, run: _Run | None) -> None:
    if revision is None:
        return
    engine = create_engine("postgresql+psycopg://", creator=lambda: psycopg.connect(url), poolclass=NullPool)
    if run is not None:

        def ran(statement: RanStatement) -> None:
            if statement.locks or not statement.sql.upper().startswith(
                ("SELECT", "UPDATE ALEMBIC", "INSERT INTO ALEMBIC")
            ):
                run.statements.append((statement, time.monotonic()))

        watch(engine, lambda _: None, ran)
    with engine.connect() as connection:
        config.attributes["connection"] = connection
        command.upgrade(config, revision)


def _applied(real: psycopg.Connection[Any], names: list[str]) -> int:
    """How many of the revisions the real database has."""
    if real.execute("SELECT to_regclass('public.alembic_version')").fetchone() == (None,):
        return 0
    heads = {row[0] for row in real.execute("SELECT version_num FROM public.alembic_version").fetchall()}
    return max((at + 1 for at, name in enumerate(names) if name in heads), default=0)


def _filled(real: psycopg.Connection[Any], scratch_url: str, tell: Callable[[str], None]) -> dict[str, TableRows]:
    """Copy a sample of each table; triggers and references do not look, because a sample breaks references."""
    found = {}
    with psycopg.connect(scratch_url, autocommit=True) as scratch:
        scratch.execute("SET session_replication_role = replica")
        here = {row[1] for row in scratch.execute(_TABLES).fetchall()}
        for schema, name, rows in real.execute(_TABLES).fetchall():
            if name not in here:
                continue
            tell(f"filling {name}")
            table = sql.Identifier(schema, name)
            sampled = sql.SQL("COPY (SELECT * FROM {} LIMIT {}) TO STDOUT (FORMAT binary)").format(table, SAMPLE_ROWS)
            with (
                real.cursor().copy(sampled) as out,
                scratch.cursor() as cursor,
                cursor.copy(sql.SQL("COPY {} FROM STDIN (FORMAT binary)").format(table)) as into,
            ):
                for data in out:
                    into.write(data)
            (copied,) = scratch.execute(sql.SQL("SELECT count(*) FROM {}").format(table)).fetchone() or (0,)
            found[name] = TableRows(name, rows, copied)
            scratch.execute(sql.SQL("ANALYZE {}").format(table))
    return found


@contextmanager
def _writers(url: str, tables: list[str]) -> Any:
    """One writer that touches each table in turn, and the longest that it waited for each."""
    slowest: dict[str, float] = dict.fromkeys(tables, 0.0)
    stop = threading.Event()

    def write() -> None:
        with psycopg.connect(url, autocommit=True) as connection:
            while not stop.is_set():
                for name in tables:
                    begun = time.monotonic()
                    lock = sql.SQL("LOCK TABLE {} IN ROW EXCLUSIVE MODE").format(sql.Identifier("public", name))
                    with connection.transaction():
                        connection.execute(lock)
                    slowest[name] = max(slowest[name], time.monotonic() - begun)

    thread = threading.Thread(target=write, name="writer")
    thread.start()
    try:
        yield slowest
    finally:
        stop.set()
        thread.join()


def _connected(url: str) -> psycopg.Connection[Any]:
    try:
        return psycopg.connect(url, connect_timeout=5)
    except psycopg.OperationalError as error:
        raise DatabaseDown("the database to measure for", str(error)) from error
