"""Brings a service's database up to the newest revision of a branch, one at a time and never two runs at once.

The life of an upgrade: the turn is taken, what has run is compared with what the files say, invalid indexes are named
or repaired, then each revision runs in a transaction of its own. A statement that does not get its lock in time is
rolled back with its revision and tried again later, so that the queue behind it moves on in between.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import psycopg
from alembic import command
from alembic.config import Config
from alembic.runtime.migration import MigrationInfo
from sqlalchemy import Connection, create_engine
from sqlalchemy.exc import DBAPIError
from sqlalchemy.pool import NullPool

from config.errors import DatabaseDown
from migrations.environment import configuration, revisions
from migrations.errors import AnotherUpgradeRuns, ContractNotAllowed, LockNotGiven, RevisionFailed
from migrations.hashes import hash_of, refuse_edited, remember
from migrations.leftovers import refuse_invalid, repair
from migrations.watch import RanStatement, watch

LOCK_TIMEOUT_SECONDS, STATEMENT_TIMEOUT_SECONDS = 2, 60
LOCK_ATTEMPTS, LOCK_PAUSE_SECONDS = 5, 0.5
TURN_SECONDS, POLL_SECONDS = 60.0, 0.05
APPLICATION_NAME = "strangler-migrations"


@dataclass(frozen=True)
class AppliedRevision:
    """One revision that this run applied."""

    revision: str
    title: str
    seconds: float


def _ignore(_: object) -> None:
    """Nobody wants to hear about it."""


@dataclass(frozen=True)
class Listeners:
    """Who hears what: each statement before it runs, and with its locks after it; each revision; each retry."""

    on_statement: Callable[[str], None] = _ignore
    on_ran: Callable[[RanStatement], None] = _ignore
    on_revision: Callable[[AppliedRevision], None] = _ignore
    on_retry: Callable[[str], None] = _ignore


def upgrade(
    database_url: str,
    service: str = "ledger",
    branch: str = "expand",
    *,
    run: str | None = None,
    mend: bool = False,
    listeners: Listeners = Listeners(),
) -> tuple[AppliedRevision, ...]:
    """Apply what is missing and return it; nothing missing is no error.

    `run` says what allows the contract branch; `mend` rebuilds invalid indexes instead of refusing. Raises
    UnknownService, UnknownBranch, ContractNotAllowed, DatabaseDown, AnotherUpgradeRuns, RevisionEdited, IndexesInvalid,
    LockNotGiven, RevisionFailed.
    """
    config = configuration(service)
    scripts = revisions(config, branch)
    if not scripts:
        return ()
    if branch == "contract" and run is None:
        raise ContractNotAllowed(service)
    hashes = {script.revision: hash_of(service, script) for script in scripts}
    applied: list[AppliedRevision] = []
    clock = [time.monotonic()]
    titles = {script.revision: script.doc for script in scripts}

    def applied_one(*, ctx: Any, step: MigrationInfo, **_: Any) -> None:
        now = time.monotonic()
        revision = str(step.up_revision_id)
        remember(ctx.connection, revision, hashes.get(revision, ""))
        applied.append(AppliedRevision(revision, titles.get(revision, ""), now - clock[0]))
        clock[0] = now
        listeners.on_revision(applied[-1])

    config.attributes["on_version_apply"] = applied_one
    with _turn(database_url, service) as watcher:
        refuse_edited(watcher, scripts, hashes)
        if mend:
            repair(watcher, listeners.on_statement)
        refuse_invalid(watcher)
        _upgrade_with_retries(database_url, service, branch, config, listeners)
    return tuple(applied)


def _upgrade_with_retries(database_url: str, service: str, branch: str, config: Config, listeners: Listeners) -> None:
    for attempt in range(1, LOCK_ATTEMPTS + 1):
        try:
            with _connection(database_url, service, listeners) as connection:
                config.attributes["connection"] = connection
                command.upgrade(config, f"{branch}@head")
                return
        except LockNotGiven as error:
            if attempt == LOCK_ATTEMPTS:
                raise LockNotGiven(service, error.statement, error.reason, LOCK_ATTEMPTS) from error
            listeners.on_retry(error.statement)
            time.sleep(LOCK_PAUSE_SECONDS * attempt)


@contextmanager
def _turn(database_url: str, service: str) -> Iterator[psycopg.Connection[Any]]:
    """Hold the database's lock for upgrades of this service, on a connection of its own in autocommit.

    The lock is asked for again and again rather than waited for: a waiting statement keeps a snapshot, and
    CREATE INDEX CONCURRENTLY in the run that holds the lock would wait for that snapshot forever.
    """
    key = f"strangler migrate {service}"
    with _connect(database_url, service, autocommit=True) as connection:
        deadline = time.monotonic() + TURN_SECONDS
        while not _is_ours(connection, key):
            if time.monotonic() > deadline:
                raise AnotherUpgradeRuns(service, TURN_SECONDS)
            time.sleep(POLL_SECONDS)
        yield connection


def _is_ours(connection: psycopg.Connection[Any], key: str) -> bool:
    row = connection.execute("SELECT pg_try_advisory_lock(hashtextextended(%s, 0))", (key,)).fetchone()
    return bool(row and row[0])


@contextmanager
def _connection(database_url: str, service: str, listeners: Listeners) -> Iterator[Connection]:
    """A SQLAlchemy connection with both timeouts set, whose errors are ours."""
    options = f"-c lock_timeout={LOCK_TIMEOUT_SECONDS}s -c statement_timeout={STATEMENT_TIMEOUT_SECONDS}s"
    engine = create_engine(
        "postgresql+psycopg://", creator=lambda: _connect(database_url, service, options=options), poolclass=NullPool
    )
    watch(engine, listeners.on_statement, listeners.on_ran)
    try:
        with engine.connect() as connection:
            yield connection
    except DBAPIError as error:
        statement = (error.statement or "").strip().partition("\n")[0]
        kind = LockNotGiven if isinstance(error.orig, psycopg.errors.LockNotAvailable) else RevisionFailed
        raise kind(service, statement, str(error.orig).partition("\n")[0]) from error


def _connect(
    database_url: str, service: str, *, autocommit: bool = False, options: str | None = None
) -> psycopg.Connection[Any]:
    try:
        return psycopg.connect(
            database_url, autocommit=autocommit, options=options, application_name=APPLICATION_NAME, connect_timeout=5
        )
    except psycopg.OperationalError as error:
        raise DatabaseDown(service, str(error)) from error
