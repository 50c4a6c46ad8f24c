"""What one COPY gives into another COPY, in pieces so large that a row costs a microsecond."""

from __future__ import annotations

import select
from collections.abc import Callable, Iterator
from dataclasses import dataclass

import psycopg
from psycopg import sql

PIECE_BYTES = 256 << 10
SILENCE_SECONDS_MAX = 3600.0  # a mapping may sort or filter for long before its first row
_ENDED = -1


@dataclass(frozen=True)
class Copying:
    """A COPY TO STDOUT of one database and a COPY FROM STDIN of another, both binary."""

    source: psycopg.Connection
    out_of: sql.Composed
    target: psycopg.Connection
    into: sql.Composed

    def run(self, each_piece: Callable[[int], None]) -> int:
        """Copy everything and return the number of rows. `each_piece(rows)` may raise to end it. Raises psycopg.Error.

        The server gives every row as a message of its own. Reading them through psycopg's cursor costs three times as
        much as reading them here.
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

    def _pieces(self) -> Iterator[list[bytes]]:
        """Rows of about PIECE_BYTES at a time."""
        read = self.source.pgconn.get_copy_data
        rows: list[bytes] = []
        size = count = 0
        while count != _ENDED:
            count, view = read(1)
            if count > 0:
                rows.append(bytes(view))
                size += count
            elif count == 0:
                self._wait()
            if size >= PIECE_BYTES or count == _ENDED:
                yield rows
                rows, size = [], 0

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
