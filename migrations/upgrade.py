"""Brings a service's database up to the newest revision of a branch, one at a time and never two runs at once."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import psycopg
from alembic import command
from alembic.runtime.migration import MigrationInfo
from sqlalchemy import Connection, create_engine, event
from sqlalchemy.exc import DBAPIError
from sqlalchemy.pool import NullPool

from config.errors import DatabaseDown, StranglerError
from migrations.environment import configuration, revisions

LOCK_TIMEOUT_SECONDS, STATEMENT_TIMEOUT_SECONDS = 5, 60
TURN_SECONDS, POLL_SECONDS = 60.0, 0.05
APPLICATION_NAME = "strangler-migrations"


@dataclass(frozen=True)
class AppliedRevision:
    """One revision that this run applied."""

    revision: str
    title: str
    seconds: float


@dataclass(eq=False)
class AnotherUpgradeRuns(StranglerError):
    """Somebody else upgrades the same database and did not finish in time."""

    service: str
    waited_seconds: float

    @property
    def sentence(self) -> str:
        """The service, and how long we waited."""
        return f"Another upgrade of {self.service!r} still runs after {self.waited_seconds:g} s; nothing was applied."

    @property
    def hint(self) -> str:
        """Who holds the lock."""
        return "Look for its session in pg_locks (locktype advisory), wait for it or end it, and run this again."


@dataclass(eq=False)
class ContractNotAllowed(StranglerError):
    """Contract revisions remove what legacy used, so they need the run that allows them."""

    service: str

    @property
    def sentence(self) -> str:
        """Why it was refused."""
        return f"Contract revisions of {self.service!r} are only applied within a run of the runbook."

    @property
    def hint(self) -> str:
        """How it gets there."""
        return "Retire the capability first; its run names itself to the upgrade."


@dataclass(eq=False)
class RevisionFailed(StranglerError):
    """The database refused a statement of a revision, which was rolled back as a whole."""

    service: str
    statement: str
    reason: str

    @property
    def sentence(self) -> str:
        """The first line of the statement and the server's message."""
        return f"A revision of {self.service!r} failed at {self.statement!r}: {self.reason}."

    @property
    def hint(self) -> str:
        """What is in force now."""
        return "Revisions before it stay applied; it was rolled back. Remove the cause and run the upgrade again."


def _ignore(_: object) -> None:
    """Nobody wants to hear about it."""


def upgrade(
    database_url: str,
    service: str = "ledger",
    branch: str = "expand",
    *,
    run: str | None = None,
    on_statement: Callable[[str], None] = _ignore,
    on_revision: Callable[[AppliedRevision], None] = _ignore,
) -> tuple[AppliedRevision, ...]:
    """Apply what is missing, each revision in a transaction of its own, and return it; nothing missing is no error.

    `on_statement` hears the SQL of each statement before it runs, `on_revision` each revision once it is applied.
    `run` is the id of the runbook's run that allows the contract branch. Raises UnknownService, UnknownBranch,
    ContractNotAllowed, DatabaseDown, AnotherUpgradeRuns, RevisionFailed.
    """
    config = configuration(service)
    titles = {script.revision: script.doc for script in revisions(config, branch)}
    if not titles:
        return ()
    if branch == "contract" and run is None:
        raise ContractNotAllowed(service)
    applied: list[AppliedRevision] = []
    clock = [time.monotonic()]

    def applied_one(*, step: MigrationInfo, **_: Any) -> None:
        now = time.monotonic()
        revision = str(step.up_revision_id)
        applied.append(AppliedRevision(revision, titles.get(revision, ""), now - clock[0]))
        clock[0] = now
        on_revision(applied[-1])

    config.attributes["on_version_apply"] = applied_one
    with _turn(database_url, service), _connection(database_url, service, on_statement) as connection:
        config.attributes["connection"] = connection
        command.upgrade(config, f"{branch}@head")
    return tuple(applied)


@contextmanager
def _turn(database_url: str, service: str) -> Iterator[None]:
    """Hold the database's lock for upgrades of this service, on a connection of its own.

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
        yield


def _is_ours(connection: psycopg.Connection, key: str) -> bool:
    row = connection.execute("SELECT pg_try_advisory_lock(hashtextextended(%s, 0))", (key,)).fetchone()
    return bool(row and row[0])


@contextmanager
def _connection(database_url: str, service: str, on_statement: Callable[[str], None]) -> Iterator[Connection]:
    """A SQLAlchemy connection with both timeouts set, whose errors are ours."""
    options = f"-c lock_timeout={LOCK_TIMEOUT_SECONDS}s -c statement_timeout={STATEMENT_TIMEOUT_SECONDS}s"
    engine = create_engine(
        "postgresql+psycopg://", creator=lambda: _connect(database_url, service, options=options), poolclass=NullPool
    )

    @event.listens_for(engine, "before_cursor_execute")
    def heard(_connection: object, _cursor: object, statement: str, *_: object) -> None:
        on_statement(statement.strip())

    try:
        with engine.connect() as connection:
            yield connection
    except DBAPIError as error:
        statement = (error.statement or "").strip().partition("\n")[0]
        raise RevisionFailed(service, statement, str(error.orig).partition("\n")[0]) from error


def _connect(
    database_url: str, service: str, *, autocommit: bool = False, options: str | None = None
) -> psycopg.Connection:
    try:
        return psycopg.connect(
            database_url, autocommit=autocommit, options=options, application_name=APPLICATION_NAME, connect_timeout=5
        )
    except psycopg.OperationalError as error:
        raise DatabaseDown(service, str(error)) from error
