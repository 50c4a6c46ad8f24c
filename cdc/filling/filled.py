"""Which tables a backfill has filled, kept in the target beside the rows: what an interrupted one goes on from.

    loading   the table was empty when the backfill came to it, so every row in it is ours; `put_back` has the
              statements that make its indexes again. Set before the first row; a kill leaves it, and the next start
              empties the table
    done      it has every row of the stream's position. Set when the rows and the indexes are there

A mapping that was edited since gives other rows, so its table is not done: `mapping` is the digest of what was copied.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass

import psycopg
from psycopg import sql

from cdc.filling.set_aside import put_back
from cdc.mapping import Mapping
from cdc.statements import table
from cdc.streaming.session import Session

_TABLE = """CREATE TABLE IF NOT EXISTS strangler.backfill (
    stream text, relation text, state text NOT NULL, mapping text NOT NULL, put_back text[] NOT NULL DEFAULT '{}',
    rows bigint, started_at timestamptz NOT NULL DEFAULT clock_timestamp(), done_at timestamptz,
    PRIMARY KEY (stream, relation))"""


@dataclass(frozen=True)
class Filled:
    """What is known of one table."""

    relation: str
    state: str
    mapping: str
    put_back: tuple[str, ...]


def digest_of(mapping: Mapping) -> str:
    """Changes when the mapping gives other rows or columns."""
    return hashlib.sha256(f"{mapping.select()}\n{mapping.key}".encode()).hexdigest()[:16]


def read_filled(conn: psycopg.Connection, stream: str) -> dict[str, Filled]:
    """The tables that a backfill of this stream has come to, by their name."""
    conn.execute(_TABLE)
    rows = conn.execute(
        "SELECT relation, state, mapping, put_back FROM strangler.backfill WHERE stream = %s", (stream,)
    ).fetchall()
    return {row[0]: Filled(row[0], row[1], row[2], tuple(row[3])) for row in rows}


def is_done(found: Filled | None, mapping: Mapping) -> bool:
    """Whether the table holds all rows of this very mapping."""
    return found is not None and found.state == "done" and found.mapping == digest_of(mapping)


def note_loading(conn: psycopg.Connection, stream: str, mapping: Mapping, put_back: tuple[str, ...]) -> None:
    """All rows of the table are ours from here on; part of the caller's transaction."""
    _note(conn, stream, mapping, "loading", put_back, None)


def note_done(conn: psycopg.Connection, stream: str, mapping: Mapping, rows: int) -> None:
    """The table has all its rows and indexes; part of the caller's transaction."""
    _note(conn, stream, mapping, "done", (), rows)


def empty_loading(session: Session) -> None:
    """Empty the tables that were loading when a backfill ended, and make their indexes again."""
    for found in read_filled(session.conn, session.stream).values():
        if found.state == "loading":
            empty(session, found)


def empty(session: Session, found: Filled) -> None:
    """Remove the rows of a table that are all ours. TRUNCATE is not for a table that others refer to."""
    conn, name = session.conn, table(found.relation)
    conn.execute(session.begin())
    try:
        with conn.transaction():
            conn.execute(sql.SQL("TRUNCATE {}").format(name))
        put_back(conn, found.put_back)
    except (psycopg.errors.FeatureNotSupported, psycopg.errors.InsufficientPrivilege):
        put_back(conn, found.put_back)  # the reverse stream's publication lets no row go that has no key
        conn.execute(sql.SQL("DELETE FROM {}").format(name))
    conn.execute(
        "UPDATE strangler.backfill SET state = 'loading', put_back = '{}' WHERE stream = %s AND relation = %s",
        (session.stream, found.relation),
    )
    conn.execute("COMMIT")


def forget_filled(conn: psycopg.Connection, stream: str) -> None:
    """Nothing is known of any table any more; indexes that are still put aside are made again."""
    for found in read_filled(conn, stream).values():
        with conn.transaction():
            put_back(conn, found.put_back)
            conn.execute("DELETE FROM strangler.backfill WHERE stream = %s AND relation = %s", (stream, found.relation))


def forget_done(conn: psycopg.Connection, stream: str) -> None:
    """No table is done any more; all rows of those that were are ours, as while they were loading."""
    conn.execute("UPDATE strangler.backfill SET state = 'loading' WHERE stream = %s", (stream,))


def _note(
    conn: psycopg.Connection, stream: str, mapping: Mapping, state: str, put_back: tuple[str, ...], rows: int | None
) -> None:
    at = sql.SQL("clock_timestamp()" if state == "done" else "NULL")
    conn.execute(
        sql.SQL(
            "INSERT INTO strangler.backfill (stream, relation, state, mapping, put_back, rows, done_at) "
            "VALUES (%s, %s, %s, %s, %s, %s, {at}) ON CONFLICT (stream, relation) DO UPDATE "
            "SET (state, mapping, put_back, rows, done_at) = "
            "(excluded.state, excluded.mapping, excluded.put_back, excluded.rows, excluded.done_at)"
        ).format(at=at),
        (stream, mapping.target_table, state, digest_of(mapping), list(put_back), rows),
    )
