"""Several statements and the rows of their COPYs as one query, so that a batch costs three round trips and not nine.

A simple query may hold many statements; at each COPY the server asks for its rows and then goes on by itself. After an
error it leaves out the rest.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

import psycopg
from psycopg import generators, pq, sql

from cdc.streaming.copy_rows import Rows

_PIECE_BYTES = 128 << 10
_BAD = (pq.ExecStatus.FATAL_ERROR, pq.ExecStatus.BAD_RESPONSE)


@dataclass(frozen=True)
class Step:
    """One statement; `rows` if it is a COPY FROM STDIN."""

    statement: sql.Composable
    rows: Rows | None = None


def play(conn: psycopg.Connection, steps: Sequence[Step], at_copy: Callable[[bool], None]) -> None:
    """Run the steps in order. `at_copy` is called when the server waits for rows, and (true) when it has had the last.

    Raises the psycopg.Error of the first step that failed; the steps behind it were not run.
    """
    if not steps:
        return
    waiting = [step.rows for step in steps if step.rows is not None]
    conn.pgconn.send_query(sql.SQL("; ").join(step.statement for step in steps).as_bytes(conn))
    conn.wait(generators.send(conn.pgconn))
    error: psycopg.Error | None = None
    for result in _results(conn):
        if result.status == pq.ExecStatus.COPY_IN:
            at_copy(False)
            _give(conn, waiting.pop(0))
            if not waiting:
                at_copy(True)
        elif result.status in _BAD and error is None:
            error = psycopg.errors.error_from_result(result)
    if error is not None:
        raise error


def _results(conn: psycopg.Connection) -> Iterator[pq.abc.PGresult]:
    while (result := conn.wait(generators.fetch(conn.pgconn))) is not None:
        yield result


def _give(conn: psycopg.Connection, rows: Rows) -> None:
    for start in range(0, len(rows.data), _PIECE_BYTES):
        piece = rows.data[start : start + _PIECE_BYTES]
        conn.wait(generators.copy_to(conn.pgconn, piece, flush=True))
    conn.pgconn.put_copy_end()
    conn.wait(generators.send(conn.pgconn))
