"""One worker's turn of a backfill: a table, or some pages of it, from a snapshot of the source into the target.

It is one transaction of the target, with an origin of its own. A table that is empty takes the rows as they come. Any
other is brought in line by key: rows are copied beside it, those that differ are written, and one that only the target
has makes the whole turn fail, because somebody else has put it there.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import psycopg
from psycopg import sql

from cdc.connections import connect
from cdc.crash_points import reached
from cdc.filling.copy_tasks import Task
from cdc.filling.copy_through import Copying, Into
from cdc.filling.filled import note_done
from cdc.plan import StreamPlan
from cdc.source_types import travels_as_text
from cdc.statements import table, trusted, upsert_rows
from cdc.streaming.session import open_session
from cdc.streaming.stream_errors import BackfillRefused, ForeignRows, reason_of

_COPIED = sql.Identifier("strangler_backfill")
EachPiece = Callable[[int], None]


@dataclass(frozen=True)
class Turn:
    """A task of a stream's backfill; `number` names the origin."""

    plan: StreamPlan
    task: Task
    number: int
    snapshot: str

    def load(self, each_piece: EachPiece) -> int:
        """Copy into the table itself and return the number of rows. Raises BackfillRefused, psycopg.Error."""
        return self._turn(self._load, each_piece)

    def bring_in_line(self, each_piece: EachPiece) -> int:
        """Make the table equal to the copy and note that it is done. Raises the same, and ForeignRows."""
        return self._turn(self._bring_in_line, each_piece)

    def _turn(self, copy: Callable[[psycopg.Connection, psycopg.Connection, EachPiece], int], each: EachPiece) -> int:
        session = open_session(self.plan.target_url, self.plan.name, f"backfill-{self.number}")
        try:
            with connect(self.plan.source_url) as source:
                _look_at(source, self.snapshot)
                session.conn.execute(session.begin())
                rows = copy(source, session.conn, each)
                reached("backfill.copied")
                session.conn.execute("COMMIT")
                reached("backfill.committed")
                return rows
        except (psycopg.DataError, psycopg.IntegrityError, psycopg.errors.RaiseException) as error:
            raise BackfillRefused(self.plan.name, self.task.mapping.target_table, reason_of(error)) from error
        finally:
            session.retire()

    def _load(self, source: psycopg.Connection, target: psycopg.Connection, each_piece: EachPiece) -> int:
        return self._copy(source, target, table(self.task.mapping.target_table), each_piece)

    def _bring_in_line(self, source: psycopg.Connection, target: psycopg.Connection, each_piece: EachPiece) -> int:
        mapping = self.task.mapping
        like = sql.SQL("CREATE TEMP TABLE {} ON COMMIT DROP AS SELECT {} FROM {} LIMIT 0")
        target.execute(like.format(_COPIED, self._columns, table(mapping.target_table)))
        rows = self._copy(source, target, _COPIED, each_piece)
        same = sql.SQL(" AND ").join(sql.SQL("t.{0} = s.{0}").format(sql.Identifier(name)) for name in mapping.key)
        target.execute("SET LOCAL enable_hashjoin = on")
        target.execute(sql.SQL("ANALYZE {}").format(_COPIED))
        row = target.execute(
            sql.SQL("SELECT count(*) FROM {} AS t WHERE NOT EXISTS (SELECT FROM {} AS s WHERE {})").format(
                table(mapping.target_table), _COPIED, same
            )
        ).fetchone()
        if row and row[0]:
            raise ForeignRows(self.plan.name, mapping.target_table, int(row[0]))
        target.execute(upsert_rows(mapping, sql.SQL("SELECT * FROM {}").format(_COPIED)))
        note_done(target, self.plan.name, mapping, rows)
        return rows

    def _copy(
        self, source: psycopg.Connection, target: psycopg.Connection, into: sql.Identifier, each_piece: EachPiece
    ) -> int:
        names = [column.name for column in self.task.mapping.columns]
        is_text = travels_as_text(target, self.task.mapping.target_table, names)
        return Copying.of(source, trusted(self.task.select()), target, Into(into, names, is_text)).run(each_piece)

    @property
    def _columns(self) -> sql.Composed:
        return sql.SQL(", ").join(sql.Identifier(column.name) for column in self.task.mapping.columns)


def _look_at(source: psycopg.Connection, snapshot: str) -> None:
    source.execute("BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY")
    source.execute(sql.SQL("SET TRANSACTION SNAPSHOT {}").format(sql.Literal(snapshot)))
    source.execute("SET LOCAL TimeZone = 'UTC'; SET LOCAL DateStyle = 'ISO'; SET LOCAL jit = off")
