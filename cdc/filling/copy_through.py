"""What one COPY gives into another COPY, in pieces so large that a row costs less than a microsecond."""

from __future__ import annotations

import select
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from itertools import repeat

import psycopg
from psycopg import sql

PIECE_BYTES = 32 << 10  # larger ones leave the processor's cache: a third more time
LOOK_ROWS = 256  # rows between two looks at the size of a piece
SILENCE_SECONDS_MAX = 3600.0  # a mapping may sort or filter for long before its first row
_ENDED = -1


@dataclass(frozen=True)
class Into:
    """Where rows go; as text where their binary form means something else there (cdc/source_types.py)."""

    relation: sql.Identifier
    columns: Sequence[str]
    is_text: bool


@dataclass(frozen=True)
class Copying:
    """A COPY TO STDOUT of one database and a COPY FROM STDIN of another, in the same form."""

    source: psycopg.Connection
    out_of: sql.Composed
    target: psycopg.Connection
    into: sql.Composed

    @classmethod
    def of(cls, source: psycopg.Connection, select: sql.Composable, target: psycopg.Connection, into: Into) -> Copying:
        """The copy of what a SELECT gives into some columns of a relation."""
        form = sql.SQL("text" if into.is_text else "binary")
        names = sql.SQL(", ").join(map(sql.Identifier, into.columns))
        return cls(
            source,
            sql.SQL("COPY ({}) TO STDOUT (FORMAT {})").format(select, form),
            target,
            sql.SQL("COPY {} ({}) FROM STDIN (FORMAT {})").format(into.relation, names, form),
        )

    def run(self, each_piece: Callable[[int], None]) -> int:
        """Copy everything and return the number of rows. `each_piece(rows)` may raise to end it. Raises psycopg.Error.

        The server gives every row as a message of its own. Reading them through psycopg's cursor costs three times as
        much as reading them here, and what is read is joined without a copy for each.
        """
        pgconn = self.source.pgconn
        result = pgconn.exec_(self.out_of.as_bytes(self.source))
        if result.status != psycopg.pq.ExecStatus.COPY_OUT:
            raise psycopg.errors.error_from_result(result)
        cursor = self.target.cursor()
        with cursor.copy(self.into) as writing:
            for piece in self._pieces():
                writing.write(b"".join(piece))
                each_piece(len(piece))
        self._end()
        return max(cursor.rowcount, 0)

    def _pieces(self) -> Iterator[list[memoryview]]:
        """Rows of about PIECE_BYTES at a time."""
        read = self.source.pgconn.get_copy_data
        rows: list[memoryview] = []
        size = count = 0
        while count != _ENDED:
            for count, view in map(read, repeat(1, LOOK_ROWS)):
                if count <= 0:
                    break
                rows.append(view)
                size += count
            if size >= PIECE_BYTES or count == _ENDED:
                yield rows
                rows, size = [], 0
            if count == 0:
                self._wait()

    def _wait(self) -> None:
        pgconn = self.source.pgconn
        if not select.select([pgconn.socket], [], [], SILENCE_SECONDS_MAX)[0]:
            raise psycopg.OperationalError("the source has sent nothing for too long")
        pgconn.consume_input()

    def _end(self) -> None:
        """The server's verdict on the COPY that has ended: it may have failed after its last row."""
        pgconn = self.source.pgconn
        while (result := pgconn.get_result()) is not None:
            if result.status == psycopg.pq.ExecStatus.FATAL_ERROR:
                raise psycopg.errors.error_from_result(result)
