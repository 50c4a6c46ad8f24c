"""One table filled again while its stream, and the rest, go on: range after range of its key.

Each range is read and written in a moment in which the source's table stands still (quiet.py): rows of the target
that are not in the source go, rows that differ are written, equal ones are left alone. A kill leaves a range done or
not done; a second run writes only what is still wrong. A range is ROWS_AT_ONCE rows, or all rows of one value of the
key's first column; where an index cannot find ranges it is the whole table, and its writers wait as long as that takes.
"""

from __future__ import annotations

from dataclasses import dataclass

import psycopg
from psycopg import sql

from cdc.filling.backfill import Copied, Stopped, Watch
from cdc.filling.copy_tasks import size_of
from cdc.filling.copy_through import Copying, Into
from cdc.filling.pace import Pace
from cdc.filling.quiet import Quiet, quiet
from cdc.filling.repair import is_streaming
from cdc.mapping import Mapping
from cdc.plan import StreamPlan
from cdc.setup import connected
from cdc.source_types import travels_as_text
from cdc.statements import table, trusted, upsert_rows
from cdc.streaming.session import Session, open_session
from cdc.streaming.stream_errors import RepairRefused, reason_of
from cdc.verification.key_ranges import key_ranges
from cdc.verification.verify_sql import Comparison, Range

ROWS_AT_ONCE = 10_000
ATTEMPTS, PAUSE_SECONDS = 5, 1.0  # a range whose writers take too long is tried again after a pause
_COPIED = sql.Identifier("strangler_refill")


@dataclass(frozen=True)
class Refilled:
    """What was done to the table: rows that the source has, rows written, rows removed."""

    table: str
    rows: int
    written: int
    removed: int


def refill(plan: StreamPlan, mapping: Mapping, watch: Watch) -> Refilled:
    """Make the target's table what the mapping gives. Raises RepairRefused, SecondApplier, DatabaseDown, Stopped."""
    if not is_streaming(plan):
        raise RepairRefused(plan.name, "the stream does not run, or does not write into this database")
    session = open_session(plan.target_url, plan.name, "refill")
    pace = Pace(watch.care, plan.source_url, plan.target_url, watch.stop)
    try:
        session.conn.execute("SET enable_hashjoin = on")
        return _Refill(plan, session, mapping, watch, pace).run()
    except (psycopg.DataError, psycopg.IntegrityError, psycopg.errors.RaiseException) as error:
        raise RepairRefused(plan.name, f"the target refuses a row: {reason_of(error)}") from error
    finally:
        pace.close()
        session.retire()


@dataclass(frozen=True)
class _Refill:
    plan: StreamPlan
    session: Session
    mapping: Mapping
    watch: Watch
    pace: Pace

    def run(self) -> Refilled:
        name = self.mapping.target_table
        rows = written = removed = 0
        with connected(self.plan.source_url, "source") as source:
            expected = size_of(source, self.mapping.source_table).rows
            ranges = key_ranges(
                Comparison(self.mapping),
                "legacy",
                ROWS_AT_ONCE,
                lambda text, values: source.execute(text.encode(), values).fetchall(),
            )
            for part in ranges:
                some = self._with_patience(part)
                rows, written, removed = rows + some.rows, written + some.written, removed + some.removed
                self.watch.progress(Copied(name, rows, expected, "copying"))
                self.pace.keep(some.rows)
        self.watch.progress(Copied(name, rows, expected, "done"))
        return Refilled(name, rows, written, removed)

    def _with_patience(self, part: Range) -> Refilled:
        for attempt in range(1, ATTEMPTS + 1):
            if self.watch.stop.is_set():
                raise Stopped
            try:
                with quiet(self.plan, self.session, self.mapping.tables_read) as ends:
                    return self._fill(ends, part)
            except RepairRefused:
                if attempt == ATTEMPTS:
                    raise
                self.watch.stop.wait(PAUSE_SECONDS)
        raise AssertionError("the last attempt returns or raises")

    def _fill(self, ends: Quiet, part: Range) -> Refilled:
        mapping, target, into = self.mapping, ends.target, table(self.mapping.target_table)
        columns = sql.SQL(", ").join(sql.Identifier(column.name) for column in mapping.columns)
        like = sql.SQL("CREATE TEMP TABLE {} ON COMMIT DROP AS SELECT {} FROM {} LIMIT 0")
        target.execute(like.format(_COPIED, columns, into))
        names = [column.name for column in mapping.columns]
        staged = Into(_COPIED, names, travels_as_text(target, mapping.target_table, names))
        select = self._bound(ends.source, "range_of", part)
        rows = Copying.of(ends.source, select, target, staged).run(lambda _: None)
        target.execute(sql.SQL("ANALYZE {}").format(_COPIED))
        same = sql.SQL(" AND ").join(sql.SQL("t.{0} = s.{0}").format(sql.Identifier(name)) for name in mapping.key)
        removed = target.execute(
            sql.SQL("DELETE FROM {} AS t WHERE {} AND NOT EXISTS (SELECT FROM {} AS s WHERE {})").format(
                into, self._bound(target, "is_in", part), _COPIED, same
            )
        ).rowcount
        written = target.execute(upsert_rows(mapping, sql.SQL("SELECT * FROM {}").format(_COPIED))).rowcount
        return Refilled(mapping.target_table, rows, written, removed)

    def _bound(self, conn: psycopg.Connection, statement: str, part: Range) -> sql.SQL:
        """A statement of the comparison with its values in it: COPY takes no parameters."""
        text, values = getattr(Comparison(self.mapping), statement)(part)
        return trusted(psycopg.ClientCursor(conn).mogrify(text.encode(), values))
