"""The control database: what runs, attempts, gates, approvals and waivers there were; SQLite or PostgreSQL."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path

import sqlalchemy as sa
from sqlalchemy.engine import Connection
from sqlalchemy.exc import SQLAlchemyError

from config.control_database import control_engine, control_url
from config.errors import DatabaseDown
from config.model import Routes

BUSY_SECONDS_MAX = 10.0
METADATA = sa.MetaData()
TEXT, INTEGER, REAL = sa.Text, sa.BigInteger, sa.Float

RUN = sa.Table(
    "run",
    METADATA,
    sa.Column("id", TEXT, primary_key=True),
    sa.Column("capability", TEXT, nullable=False),
    sa.Column("kind", TEXT, nullable=False),
    sa.Column("from_stage", TEXT, nullable=False),
    sa.Column("to_stage", TEXT, nullable=False),
    sa.Column("from_percent", REAL),
    sa.Column("percent", REAL),
    sa.Column("plan_hash", TEXT, nullable=False),
    sa.Column("routes_digest", TEXT, nullable=False),
    sa.Column("actor", TEXT, nullable=False),
    # open: begun, nothing is final. committed: past the point of no return. done, undone: ended.
    sa.Column("status", TEXT, nullable=False),
    sa.Column("generation", INTEGER, nullable=False),
    sa.Column("started_at", TEXT, nullable=False),
    sa.Column("ended_at", TEXT),
    sa.Column("pause_seconds", REAL),
)
STEP_ATTEMPT = sa.Table(
    "step_attempt",
    METADATA,
    sa.Column("id", sa.Integer, primary_key=True, autoincrement=True),
    sa.Column("run_id", TEXT, nullable=False, index=True),
    sa.Column("step", TEXT, nullable=False),
    sa.Column("result", TEXT, nullable=False),
    sa.Column("evidence", TEXT, nullable=False),
    sa.Column("seconds", REAL, nullable=False),
    sa.Column("at", TEXT, nullable=False),
)
GATE_RESULT = sa.Table(
    "gate_result",
    METADATA,
    sa.Column("id", sa.Integer, primary_key=True, autoincrement=True),
    sa.Column("capability", TEXT, nullable=False, index=True),
    sa.Column("run_id", TEXT, nullable=False),
    sa.Column("gate", TEXT, nullable=False),
    sa.Column("ok", sa.Boolean, nullable=False),
    sa.Column("evidence", TEXT, nullable=False),
    sa.Column("threshold", TEXT, nullable=False),
    sa.Column("waived_by", TEXT),
    sa.Column("at", TEXT, nullable=False),
)
# Every answer of a gate, also outside of runs, for the trend; bounded by who writes it.
GATE_ANSWER = sa.Table(
    "gate_answer",
    METADATA,
    sa.Column("id", sa.Integer, primary_key=True, autoincrement=True),
    sa.Column("capability", TEXT, nullable=False, index=True),
    sa.Column("gate", TEXT, nullable=False),
    sa.Column("ok", sa.Boolean, nullable=False),
    sa.Column("value", REAL),
    sa.Column("at", TEXT, nullable=False),
)
REHEARSED = sa.Table(
    "rehearsed",
    METADATA,
    sa.Column("capability", TEXT, primary_key=True),
    sa.Column("kind", TEXT, primary_key=True),
    sa.Column("step", TEXT, primary_key=True),
    sa.Column("seconds", REAL, nullable=False),
    sa.Column("at", TEXT, nullable=False),
)
APPROVAL = sa.Table(
    "approval",
    METADATA,
    sa.Column("id", sa.Integer, primary_key=True, autoincrement=True),
    sa.Column("capability", TEXT, nullable=False),
    sa.Column("plan_hash", TEXT, nullable=False, index=True),
    sa.Column("principal", TEXT, nullable=False),
    sa.Column("decision", TEXT, nullable=False),
    sa.Column("at", TEXT, nullable=False),
)
# What an approval rested on; beside `approval`, because an older version's table is used as it is.
APPROVAL_BASIS = sa.Table(
    "approval_basis",
    METADATA,
    sa.Column("approval_id", INTEGER, primary_key=True, autoincrement=False),
    sa.Column("kind", TEXT, nullable=False),
    sa.Column("percent", REAL),
    sa.Column("facts", TEXT, nullable=False),
)
PLAN_AUTHOR = sa.Table(
    "plan_author",
    METADATA,
    sa.Column("plan_hash", TEXT, primary_key=True),
    sa.Column("capability", TEXT, nullable=False),
    sa.Column("author", TEXT, nullable=False),
    sa.Column("at", TEXT, nullable=False),
)
# What the gates of a transition said last, for those who show approvals and ask no gate.
GATES_SEEN = sa.Table(
    "gates_seen",
    METADATA,
    sa.Column("capability", TEXT, primary_key=True),
    sa.Column("kind", TEXT, primary_key=True),
    sa.Column("transition", TEXT, primary_key=True),
    sa.Column("verdicts", TEXT, nullable=False),
    sa.Column("at", TEXT, nullable=False),
)
WAIVER = sa.Table(
    "waiver",
    METADATA,
    sa.Column("id", sa.Integer, primary_key=True, autoincrement=True),
    sa.Column("capability", TEXT, nullable=False, index=True),
    sa.Column("gate", TEXT, nullable=False),
    sa.Column("reason", TEXT, nullable=False),
    sa.Column("actor", TEXT, nullable=False),
    sa.Column("second", TEXT, nullable=False),
    sa.Column("at", TEXT, nullable=False),
    sa.Column("expires_at", TEXT, nullable=False),
)
PAUSE = sa.Table(
    "pause",
    METADATA,
    sa.Column("capability", TEXT, primary_key=True),
    sa.Column("actor", TEXT, nullable=False),
    sa.Column("reason", TEXT, nullable=False),
    sa.Column("at", TEXT, nullable=False),
)
JOURNAL = sa.Table(
    "journal",
    METADATA,
    sa.Column("seq", INTEGER, primary_key=True, autoincrement=False),
    sa.Column("prev_hash", TEXT, nullable=False),
    sa.Column("hash", TEXT, nullable=False),
    sa.Column("at", TEXT, nullable=False),
    sa.Column("actor", TEXT, nullable=False),
    sa.Column("type", TEXT, nullable=False),
    sa.Column("capability", TEXT, nullable=False),
    sa.Column("run_id", TEXT, nullable=False),
    sa.Column("payload", TEXT, nullable=False),
)
LEASE = sa.Table(
    "lease",
    METADATA,
    sa.Column("capability", TEXT, primary_key=True),
    sa.Column("owner", TEXT, nullable=False),
    sa.Column("machine", TEXT, nullable=False),
    sa.Column("process", TEXT, nullable=False),
    sa.Column("generation", INTEGER, nullable=False),
    sa.Column("expires_at", TEXT, nullable=False),
)

SQLITE_APPEND_ONLY = """
CREATE TRIGGER IF NOT EXISTS journal_no_{verb} BEFORE {verb} ON journal
BEGIN SELECT RAISE(ABORT, 'the journal is append-only'); END
"""
POSTGRESQL_REFUSAL = """
CREATE OR REPLACE FUNCTION journal_is_append_only() RETURNS trigger LANGUAGE plpgsql AS
$$ BEGIN RAISE EXCEPTION 'the journal is append-only'; END $$
"""
POSTGRESQL_APPEND_ONLY = """
CREATE OR REPLACE TRIGGER journal_append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON journal
FOR EACH STATEMENT EXECUTE FUNCTION journal_is_append_only()
"""
APPEND_ONLY = {
    "sqlite": tuple(SQLITE_APPEND_ONLY.format(verb=verb) for verb in ("update", "delete")),
    "postgresql": (POSTGRESQL_REFUSAL, POSTGRESQL_APPEND_ONLY),
}


def now() -> str:
    """Return the time as it is stored everywhere here: ISO 8601 in UTC, with microseconds, so that text sorts."""
    return stamp(datetime.now(UTC))


def stamp(at: datetime) -> str:
    """Return a time as it is stored."""
    return at.astimezone(UTC).isoformat(timespec="microseconds")


def run_directory(routes_path: Path) -> Path:
    """Return the folder of everything that is kept beside routes.yaml: `.strangler`, or $STRANGLER_RUN."""
    given = os.environ.get("STRANGLER_RUN")
    return Path(given) if given else routes_path.resolve().parent / ".strangler"


class Control:
    """The control database, made on first use. Raises DatabaseDown when it does not answer: then nothing is run."""

    def __init__(self, url: str, head: Path) -> None:
        self.head = head
        self.engine = control_engine(url, BUSY_SECONDS_MAX)
        with self._mapped():
            self._create()

    @classmethod
    def of(cls, routes: Routes) -> Control:
        """Open the one that routes.yaml names under `databases.control`, else `.strangler/control.db` beside it."""
        folder = run_directory(routes.path)
        folder.mkdir(parents=True, exist_ok=True)
        return cls(control_url(routes, folder), folder / "journal.head")

    @contextmanager
    def writing(self) -> Iterator[Connection]:
        """One transaction, the only writer while it lasts."""
        with self._mapped(), self.engine.begin() as connection:
            yield connection

    @contextmanager
    def reading(self) -> Iterator[Connection]:
        """Statements that see what is committed, without a transaction of their own."""
        with self._mapped(), self.engine.execution_options(isolation_level="AUTOCOMMIT").connect() as connection:
            yield connection

    def close(self) -> None:
        """Give the connections back."""
        self.engine.dispose()

    def _create(self) -> None:
        with self.engine.begin() as connection:
            METADATA.create_all(connection)
            for statement in APPEND_ONLY.get(self.engine.dialect.name, ()):
                connection.exec_driver_sql(statement)

    @contextmanager
    def _mapped(self) -> Iterator[None]:
        try:
            yield
        except SQLAlchemyError as error:
            raise DatabaseDown("control", str(getattr(error, "orig", None) or error)) from error
