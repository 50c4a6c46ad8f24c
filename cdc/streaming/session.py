"""The session that writes into a target: alone for its stream, tagged with its origin, past triggers and the fence.

A replication origin tags every transaction, so that the stream in the other direction leaves it out. Where the role may
not use origins, a message at the start of each transaction says the same. An advisory lock that lives as long as the
session makes sure that there is one applier a stream.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from time import monotonic, sleep

import psycopg
import structlog
from psycopg import pq, sql

from cdc.connections import SERVER_TCP, Connection, connect, end
from cdc.streaming.pgoutput import format_lsn, parse_lsn
from cdc.streaming.stream_errors import SecondApplier

LEASE_SECONDS_MAX = 5.0  # a session whose process was killed may need a moment to notice
LEASE_PAUSE_SECONDS = 0.1
_SETTINGS = (
    "SET TimeZone = 'UTC'; SET DateStyle = 'ISO'; SET jit = off; SET work_mem = '64MB'; SET temp_buffers = '32MB'; "
    # Staging tables have no statistics: with these two a small batch can never scan a large target table.
    "SET enable_hashjoin = off; SET enable_mergejoin = off; "
    "SET idle_in_transaction_session_timeout = 0; SET statement_timeout = 0; SET lock_timeout = 0; "
    "SET client_min_messages = error; " + SERVER_TCP
)

_log = structlog.get_logger()


def origin_of(stream: str, part: str = "") -> str:
    """The origin of a stream's transactions; a backfill's workers each have a part of their own."""
    return f"strangler:{stream}{f':{part}' if part else ''}"


@dataclass
class Session:
    """A connection in autocommit mode, whose transactions are written by hand."""

    conn: Connection
    stream: str
    origin: str | None  # None where the role may not use origins
    is_replica: bool  # ordinary triggers and foreign keys do not act on what it writes

    def begin(self) -> bytes:
        """What begins a transaction, tag included."""
        tag = "" if self.origin else f"; SELECT pg_logical_emit_message(true, 'strangler.origin', '{self.stream}')"
        return f"BEGIN{tag}".encode()

    def place(self, position: int, commit_at: datetime) -> sql.Composable:
        """What gives the open transaction its place in the source's log."""
        if not self.origin:
            return sql.SQL("SELECT")
        return sql.SQL("SELECT pg_replication_origin_xact_setup({}, {})").format(
            sql.Literal(format_lsn(position)), sql.Literal(commit_at.isoformat())
        )

    def log_ends(self) -> tuple[int, int]:
        """Up to where the target's log is on its disk, and up to where it is written."""
        row = self.conn.execute("SELECT pg_current_wal_flush_lsn()::text, pg_current_wal_insert_lsn()::text").fetchone()
        return (parse_lsn(row[0]), parse_lsn(row[1])) if row else (0, 0)

    def durable(self, committed: int) -> int:
        """The position up to which everything survives a crash of the target, after making it so."""
        if not self.origin:
            return committed  # every commit waited for the disk
        row = self.conn.execute("SELECT pg_replication_origin_progress(%s, true)::text", (self.origin,)).fetchone()
        return min(committed, parse_lsn(row[0])) if row and row[0] else 0

    def retire(self) -> None:
        """End a session whose origin has served: a backfill's or a repair's. The next one makes its own."""
        if self.origin and not self.conn.closed and self.conn.info.transaction_status == pq.TransactionStatus.IDLE:
            self.conn.execute("SELECT pg_replication_origin_session_reset()")
            self.conn.execute("SELECT pg_replication_origin_drop(%s)", (self.origin,))
        self.close()

    def close(self) -> None:
        """Give lease and origin back by ending the session."""
        self.conn.close()


def open_session(url: str, stream: str, part: str = "", lost: int | None = None) -> Session:
    """Connect and take the lease. Raises SecondApplier where another process has it.

    `lost` is the session of our own before this one: its server may not know yet that its connection has broken.
    """
    conn = connect(url)
    try:
        if lost is not None:
            end(conn, lost)
        conn.execute(_SETTINGS)
        is_replica = _try(conn, "SET session_replication_role = replica")
        conn.execute("SELECT set_config('strangler.applier', 'yes', false)")
        _take_lease(conn, stream, part)
        origin = _set_up_origin(conn, stream, origin_of(stream, part))
        if origin:
            conn.execute("SET synchronous_commit = off")
        return Session(conn, stream, origin, is_replica)
    except BaseException:
        conn.close()
        raise


def _take_lease(conn: psycopg.Connection, stream: str, part: str) -> None:
    deadline = monotonic() + LEASE_SECONDS_MAX
    name = origin_of(stream, part)
    while True:
        row = conn.execute("SELECT pg_try_advisory_lock(hashtextextended(%s, 87))", (name,)).fetchone()
        if row and row[0]:
            return
        if monotonic() > deadline:
            raise SecondApplier(stream)
        sleep(LEASE_PAUSE_SECONDS)


def _set_up_origin(conn: psycopg.Connection, stream: str, name: str) -> str | None:
    try:
        conn.execute(
            "SELECT pg_replication_origin_create(%s) WHERE pg_replication_origin_oid(%s) IS NULL", (name, name)
        )
        conn.execute("SELECT pg_replication_origin_session_setup(%s)", (name,))
    except psycopg.errors.InsufficientPrivilege:
        _log.info("stream.without_origin", stream=stream)
        return None
    except psycopg.errors.ObjectInUse as error:
        raise SecondApplier(stream) from error
    return name


def _try(conn: psycopg.Connection, statement: str) -> bool:
    try:
        conn.execute(statement.encode())
    except psycopg.errors.InsufficientPrivilege:
        return False
    return True
