"""The streams' own tables in schema `strangler` of both databases, and what others read and write there.

`strangler.stream` is in the target of a stream, one row each. Who sets what: setup makes the row (state backfill or
streaming); the applier moves position, commit_at, the counters, marker and mode in the transaction that writes the
rows, so all of them survive a crash together; the pipeline sets state stopped and error. `position` is the end of the
last transaction that is in the target, and a transaction that begins to commit before it is never applied again.
"""

from __future__ import annotations

import json
from dataclasses import dataclass, fields
from datetime import datetime
from typing import Literal, LiteralString

import psycopg
from psycopg import sql
from psycopg.rows import class_row

from cdc.streaming.batch import Ending
from cdc.streaming.pgoutput import as_datetime, format_lsn

Mode = Literal["skip", "apply"]

_LOCK = 0x7374_7261_6E67  # two processes that make the schema at once wait for each other
_TABLES: tuple[LiteralString, ...] = (
    "CREATE SCHEMA IF NOT EXISTS strangler",
    """CREATE TABLE IF NOT EXISTS strangler.stream (
        name text PRIMARY KEY, system_id text NOT NULL, timeline int NOT NULL, slot text NOT NULL,
        slot_created_lsn pg_lsn, position pg_lsn, commit_at timestamptz, mode text NOT NULL, marker text,
        marker_position pg_lsn, state text NOT NULL, error text, applied_rows bigint NOT NULL DEFAULT 0,
        applied_transactions bigint NOT NULL DEFAULT 0, skipped_transactions bigint NOT NULL DEFAULT 0,
        alarms bigint NOT NULL DEFAULT 0, last_alarm text, heartbeat_at timestamptz,
        updated_at timestamptz NOT NULL DEFAULT now(), applied_batches bigint NOT NULL DEFAULT 0)
        WITH (fillfactor = 50)""",
    """CREATE TABLE IF NOT EXISTS strangler.sentinel (
        id text, direction text, at timestamptz NOT NULL DEFAULT now(), PRIMARY KEY (id, direction))""",
    """CREATE TABLE IF NOT EXISTS strangler.recheck (
        stream text PRIMARY KEY, checked bigint NOT NULL, left_out bigint NOT NULL,
        at timestamptz NOT NULL DEFAULT now())""",
    """CREATE TABLE IF NOT EXISTS strangler.difference (
        stream text NOT NULL, relation text NOT NULL, key json NOT NULL, kind text NOT NULL, columns text[] NOT NULL,
        position pg_lsn NOT NULL, first_seen timestamptz NOT NULL DEFAULT now())""",
    """CREATE TABLE IF NOT EXISTS strangler.pulse (
        stream text PRIMARY KEY, at timestamptz NOT NULL) WITH (fillfactor = 50)""",
    # One SELECT in either database shows both ends that are here: the streams that write, the slots that are read from.
    """CREATE OR REPLACE VIEW strangler.status AS
        SELECT 'target' AS side, name, state, mode, position,
            round(extract(epoch FROM clock_timestamp() - commit_at), 3) AS seconds_behind,
            applied_rows, applied_transactions, skipped_transactions, applied_batches, alarms,
            last_alarm, NULL::numeric AS unsent_bytes, NULL::numeric AS wal_held_bytes, error,
            round(applied_rows::numeric / nullif(applied_batches, 0), 1) AS rows_per_batch,
            (SELECT checked FROM strangler.recheck WHERE stream = name) AS rechecked_rows,
            (SELECT count(*) FROM strangler.difference WHERE stream = name) AS differences
        FROM strangler.stream
        UNION ALL
        SELECT 'source', slot_name,
            coalesce(wal_status, 'lost') || CASE WHEN active THEN ', read' ELSE ', not read' END,
            NULL, confirmed_flush_lsn, NULL, NULL, NULL, NULL, NULL, NULL, NULL,
            pg_current_wal_lsn() - confirmed_flush_lsn, pg_current_wal_lsn() - restart_lsn, NULL, NULL, NULL, NULL
        FROM pg_replication_slots WHERE slot_name LIKE 'strangler\\_%'
            AND database = current_database() AND NOT temporary""",
)


@dataclass(frozen=True)
class StreamState:
    """The row of one stream; positions as PostgreSQL writes them."""

    name: str
    system_id: str
    timeline: int
    slot: str
    slot_created_lsn: str | None
    position: str | None
    commit_at: datetime | None
    mode: str
    marker: str | None
    marker_position: str | None
    state: str
    error: str | None
    applied_rows: int
    applied_transactions: int
    skipped_transactions: int
    alarms: int
    last_alarm: str | None
    heartbeat_at: datetime | None
    updated_at: datetime
    applied_batches: int = 0  # target transactions that carried rows


@dataclass(frozen=True)
class Marker:
    """A place in the source's log that a stream reports when it has applied everything before it."""

    stream: str
    id: str
    mode: Mode | None = None


@dataclass(frozen=True)
class Lag:
    """How far a stream is behind: log in bytes, and the age of the last transaction applied by the source's clock."""

    bytes: int
    seconds: float


_LSN_COLUMNS = ("slot_created_lsn", "position", "marker_position")
_READ = sql.SQL("SELECT {} FROM strangler.stream WHERE name = %s").format(
    sql.SQL(", ").join(
        sql.SQL("{0}::text AS {0}" if field.name in _LSN_COLUMNS else "{}").format(sql.Identifier(field.name))
        for field in fields(StreamState)
    )
)


def create_tables(conn: psycopg.Connection) -> None:
    """Make schema and tables where they are missing, in one transaction."""
    with conn.transaction():
        conn.execute("SELECT pg_advisory_xact_lock(%s)", (_LOCK,))
        for statement in _TABLES:
            conn.execute(statement)


def read_state(conn: psycopg.Connection, stream: str) -> StreamState | None:
    """The stream's row in its target; None where the stream was never set up."""
    with conn.cursor(row_factory=class_row(StreamState)) as cursor:
        try:
            return cursor.execute(_READ, (stream,)).fetchone()
        except (psycopg.errors.UndefinedTable, psycopg.errors.InvalidSchemaName):
            if conn.info.transaction_status == psycopg.pq.TransactionStatus.INERROR:
                conn.rollback()
            return None


def emit_marker(conn: psycopg.Connection, stream: str, marker_id: str, mode: Mode | None) -> None:
    """Put a marker into the log of the stream's source, as part of the caller's transaction."""
    content = json.dumps({"stream": stream, "marker": marker_id, "mode": mode})
    conn.execute("SELECT pg_logical_emit_message(true, 'strangler', %s)", (content,))


def emit_heartbeat(conn: psycopg.Connection, at: datetime) -> None:
    """Put a small transaction into a source's log, with the time at which it was written."""
    content = json.dumps({"heartbeat": at.isoformat()})
    conn.execute("SELECT pg_logical_emit_message(true, 'strangler.heartbeat', %s)", (content,))


def emit_nudge(conn: psycopg.Connection) -> None:
    """Put a small transaction into a source's log that says nothing but lets the stream's position move on."""
    conn.execute("SELECT pg_logical_emit_message(true, 'strangler.nudge', '')")


def lag(source_conn: psycopg.Connection, target_conn: psycopg.Connection, stream: str) -> Lag | None:
    """How far the stream is behind now; None where it was never set up or still makes its backfill."""
    state = read_state(target_conn, stream)
    if state is None or state.position is None or state.state == "backfill":
        return None
    row = source_conn.execute(
        "SELECT greatest(pg_current_wal_lsn() - %s::pg_lsn, 0)::bigint, "
        "greatest(extract(epoch FROM clock_timestamp() - %s::timestamptz), 0)::float8",
        (state.position, state.commit_at or state.updated_at),
    ).fetchone()
    return Lag(0, 0.0) if row is None or row[0] == 0 else Lag(int(row[0]), float(row[1]))


def begin_stream(conn: psycopg.Connection, state: StreamState) -> None:
    """Make the stream's row, or make it anew for a backfill that starts over; part of the caller's transaction."""
    names = [sql.Identifier(field.name) for field in fields(StreamState)]
    conn.execute(
        sql.SQL(
            "INSERT INTO strangler.stream ({}) VALUES ({}) ON CONFLICT (name) DO UPDATE SET ({}) = ROW ({})"
        ).format(
            sql.SQL(", ").join(names),
            sql.SQL(", ").join(sql.Placeholder() * len(names)),
            sql.SQL(", ").join(names),
            sql.SQL(", ").join(sql.Identifier("excluded", field.name) for field in fields(StreamState)),
        ),
        [getattr(state, field.name) for field in fields(StreamState)],
    )


def set_state(conn: psycopg.Connection, stream: str, state: str, error: str | None = None) -> None:
    """Note that the stream runs or has stopped, and why; its position stays."""
    conn.execute(
        "UPDATE strangler.stream SET state = %s, error = %s, updated_at = now() WHERE name = %s "
        "AND (state, error) IS DISTINCT FROM (%s, %s)",
        (state, error, stream, state, error),
    )


def checkpoint(stream: str, ending: Ending, rows: int) -> sql.Composed:
    """The statement that records an ending, for the transaction that writes the rows."""
    return sql.SQL(
        "UPDATE strangler.stream SET position = {position}, commit_at = {at}, applied_rows = applied_rows + {rows}, "
        "applied_batches = applied_batches + ({rows} > 0)::int, "
        "applied_transactions = applied_transactions + {transactions}, "
        "skipped_transactions = skipped_transactions + {skipped}, alarms = alarms + {alarms}, "
        "last_alarm = coalesce({last_alarm}, last_alarm), marker = coalesce({marker}, marker), "
        "marker_position = coalesce({marker_position}::pg_lsn, marker_position), mode = coalesce({mode}, mode), "
        "heartbeat_at = coalesce({heartbeat}::timestamptz, heartbeat_at), updated_at = clock_timestamp() "
        "WHERE name = {stream}"
    ).format(
        position=sql.Literal(format_lsn(ending.position)),
        at=sql.Literal(as_datetime(ending.commit_us).isoformat()),
        rows=sql.Literal(rows),
        transactions=sql.Literal(ending.transactions),
        skipped=sql.Literal(ending.skipped),
        alarms=sql.Literal(ending.alarms),
        last_alarm=sql.Literal(ending.last_alarm),
        marker=sql.Literal(ending.marker),
        marker_position=sql.Literal(None if ending.marker_position is None else format_lsn(ending.marker_position)),
        mode=sql.Literal(ending.mode),
        heartbeat=sql.Literal(ending.heartbeat),
        stream=sql.Literal(stream),
    )
