"""Parts into the target: COPY into staging, one statement per table and kind, the checkpoint in the same transaction.

Deletes go children first, upserts parents first. A row that the target refuses is found by halving the part and then,
alone and in its place, is the error that stops the stream: nothing is skipped. `strangler.stream` moves in the same
transaction, so a kill between any two steps leaves either all of a batch or nothing of it.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from time import monotonic

import psycopg
from psycopg import pq, sql

from cdc.crash_points import reached
from cdc.mapping import Mapping
from cdc.source_types import SourceTypes
from cdc.state import checkpoint
from cdc.statements import Statements, trusted
from cdc.streaming.batch import Ending, Part, Rekey, TableRows, Truncate, collapse, frame
from cdc.streaming.copy_rows import Layout, Rows, frame_keys, frame_partial
from cdc.streaming.follow import Followers
from cdc.streaming.pgoutput import as_datetime
from cdc.streaming.script import Step, play
from cdc.streaming.session import Session
from cdc.streaming.staging import Staging
from cdc.streaming.stream_errors import RowRefused, ValueMissing, reason_of

DURABLE_SECONDS = 1.0  # how often the target is asked what is durable and may be confirmed
FLUSH_SECONDS = 10.0  # what is not durable by itself after so long is made so
REFUSALS = (psycopg.errors.IntegrityError, psycopg.errors.DataError, psycopg.errors.RaiseException)


class Applier:
    """Applies the parts of one stream, one after the other. `mappings` are in the order parents before children."""

    def __init__(self, session: Session, mappings: Sequence[Mapping], position: int, types: SourceTypes) -> None:
        self._session = session
        self._conn = session.conn
        self._statements = {
            one.source_table: Statements(one.at_target, place, types.is_text) for place, one in enumerate(mappings)
        }
        self._followers = Followers(self._statements.values())
        self._is_open = False  # a target transaction has begun: the last part had no ending
        self._staging = Staging()
        self._rows = 0  # changes of the open transaction
        self._committed = self._durable = position
        self._waiting: tuple[int, int] | None = None  # a position, and the end of the target's log when it was applied
        self._asked_at = self._flushed_at = monotonic()

    @property
    def is_behind(self) -> bool:
        """Whether something that was applied is not known to be durable yet."""
        return self._durable < self._committed

    def apply(self, part: Part) -> None:
        """Apply one part. Raises RowRefused, ValueMissing; with psycopg's errors the connection is to be given up."""
        if part.first is not None:
            self._play(self._opening())
            self._do_first(part.first)
        self._rows += len(part.changes)
        ending = part.ending
        if part.changes and self._do_changes(part, self._ending(ending) if ending is not None else []):
            ending = None
        if ending is not None:
            self._play([*self._opening(), *self._ending(ending)])
        if part.ending is not None:
            reached("apply.committed")
            self._is_open = False
            self._committed, self._rows = part.ending.position, 0

    def durable(self, *, now: bool = False) -> int:
        """The position that may be confirmed; asked of the target from time to time, or made durable `now`.

        The target's own writer of the log flushes several times a second. To ask it for a flush would let every batch
        behind it wait for the disk: a quarter of a second on a busy one.
        """
        if not self.is_behind or self._is_open:
            return self._durable
        at = monotonic()
        if now or self._session.origin is None or at - self._flushed_at > FLUSH_SECONDS:
            self._durable, self._flushed_at = self._session.durable(self._committed), at
        elif at - self._asked_at <= DURABLE_SECONDS:
            return self._durable
        else:
            self._look()
        reached("confirm.durable")
        self._asked_at = at
        return self._durable

    def _look(self) -> None:
        """Whether the log was flushed as far as it reached at the last look."""
        flushed, written = self._session.log_ends()
        if self._waiting is not None and flushed >= self._waiting[1]:
            self._durable, self._flushed_at = self._waiting[0], self._asked_at
            self._waiting = None
        if self._waiting is None:
            self._waiting = (self._committed, written)

    def _opening(self) -> list[Step]:
        """What begins a target transaction, if none is open."""
        if self._is_open:
            return []
        self._is_open = True
        return [Step(trusted(self._session.begin().decode()))]

    def _ending(self, ending: Ending) -> list[Step]:
        """What records the position and commits."""
        wait = sql.SQL("SET LOCAL synchronous_commit = on" if ending.marker else "SELECT")
        at = as_datetime(ending.commit_us)
        statements = (
            checkpoint(self._session.stream, ending, self._rows),
            self._session.place(ending.position, at),
            wait,
            sql.SQL("COMMIT"),
        )
        return [Step(statement) for statement in statements]

    def _play(self, steps: list[Step]) -> None:
        play(self._conn, steps, lambda is_last: reached("apply.staged") if is_last else reached("apply.begun"))

    def _do_first(self, first: Truncate | Rekey) -> None:
        if isinstance(first, Truncate):
            emptied = [self._of(layout) for layout in first.layouts]
            before, after = self._followers.around([(of, None) for of in emptied])
            self._play([*before, *(Step(of.empty()) for of in emptied), *after])
            return
        layout, of = first.layout, self._of(first.layout)
        before, after = self._followers.around([(of, ("old", "partial"))])
        self._play(
            [
                *self._staging.clear(),
                *self._staging.copy(of, "old", layout.keys, frame_keys(layout, [first.old])),
                *self._staging.copy(of, "partial", layout.columns, frame_partial(layout, [first.new])),
                *before,
                Step(of.rekey()),
                *after,
            ]
        )
        self._do_changes(Part([first.new], {layout.relation.id: layout}).prepare(), [])

    def _do_changes(self, part: Part, ending: list[Step]) -> bool:
        """All changes at once; where the target refuses a row, in halves until it is found. True if it has ended, too.

        The ending is in the same query where nothing has to be looked at before it.
        """
        has_partial = any(rows.partial for rows in part.tables)
        steps = [
            *self._opening(),
            Step(sql.SQL("SAVEPOINT strangler_part")),
            *self._steps(part.tables, is_trusting=True),
        ]
        try:
            self._play([*steps, *([] if has_partial else ending)])
            self._do_partial(part.tables)
        except REFUSALS:
            if self._conn.info.transaction_status == pq.TransactionStatus.IDLE:  # refused by the COMMIT itself
                self._is_open = False
                self._staging.rolled_back()
                self._play(self._opening())
            else:
                self._back("strangler_part")
            self._do_carefully(part.changes, part)
            return False
        return bool(ending) and not has_partial

    def _do_carefully(self, changes: list[bytes], part: Part) -> None:
        tables = frame(collapse(changes, part.layouts))
        self._conn.execute("SAVEPOINT strangler_slice")
        try:
            self._play(self._steps(tables, is_trusting=False))
            self._do_partial(tables)
        except REFUSALS as error:
            self._back("strangler_slice")
            if len(changes) == 1:
                raise self._refused(tables[0], error) from error
        else:
            self._conn.execute("RELEASE strangler_slice")
            return
        half = len(changes) // 2
        self._do_carefully(changes[:half], part)
        self._do_carefully(changes[half:], part)

    def _back(self, savepoint: str) -> None:
        self._conn.execute(f"ROLLBACK TO {savepoint}".encode())
        self._staging.rolled_back()

    def _steps(self, tables: Sequence[TableRows], *, is_trusting: bool) -> list[Step]:
        """Copy and apply. Trusting: what was inserted in the source is not in the target yet."""
        order = list(self._statements)
        tables = sorted(tables, key=lambda rows: order.index(rows.layout.mapping.source_table))
        steps = self._staging.clear()
        for rows in tables:
            steps += self._stage(rows, is_trusting=is_trusting)
        before, after = self._followers.around([(self._of(rows.layout), rows.staged) for rows in tables])
        steps += [*before, *map(Step, self._removals(reversed(tables)))]
        for rows in tables:
            if rows.layout.mapping.lookups:  # references come before all that look them up
                steps += after
                after = []
            steps += self._add(rows, is_trusting=is_trusting)
        steps += after
        if not self._session.is_replica:
            steps.append(Step(sql.SQL("SET CONSTRAINTS ALL IMMEDIATE")))
        return steps

    def _do_partial(self, tables: Sequence[TableRows]) -> None:
        for rows in tables:
            for missing, partial in rows.partial.items():
                self._update_partial(rows.layout, missing, partial)

    def _stage(self, rows: TableRows, *, is_trusting: bool) -> list[Step]:
        of, layout = self._of(rows.layout), rows.layout
        steps = self._staging.copy(of, "changed", layout.columns, rows.changed)
        if not (is_trusting and of.copies_straight):
            steps += self._staging.copy(of, "inserted", layout.columns, rows.inserted)
        return steps + self._staging.copy(of, "deleted", layout.keys, rows.deleted)

    def _removals(self, tables: Iterable[TableRows]) -> Iterable[sql.Composed]:
        for rows in tables:
            of = self._of(rows.layout)
            if rows.deleted.count:
                yield of.delete()
            if rows.changed.count and (moved_out := of.moved_out("changed")) is not None:
                yield moved_out

    def _add(self, rows: TableRows, *, is_trusting: bool) -> list[Step]:
        """Changed and new rows of one table, from staging or, where they need none, straight into it."""
        of = self._of(rows.layout)
        steps = [Step(of.upsert("changed"))] if rows.changed.count else []
        if rows.inserted.count and is_trusting and of.copies_straight:
            steps.append(Step(of.copy_straight(rows.layout.columns), rows.inserted))
        elif rows.inserted.count:
            steps.append(Step(of.insert() if is_trusting else of.upsert("inserted")))
        return steps

    def _update_partial(self, layout: Layout, missing: tuple[str, ...], rows: Rows) -> None:
        """Rows in which large values are missing; they must be in the target, because the values are nowhere else."""
        of = self._of(layout)
        self._play([*self._staging.clear(), *self._staging.copy(of, "partial", layout.columns, rows)])
        column = of.not_computable(missing)
        absent = self._conn.execute(of.absent()).fetchone()
        if column is None and absent is not None and absent[0]:
            column = "a row that the target does not have,"
        if column is not None:
            raise ValueMissing(self._session.stream, layout.mapping.source_table, self._key(of, "partial"), column)
        before, after = self._followers.around([(of, ("partial",))])
        changes = [Step(one) for one in (of.moved_out("partial"), of.update_partial(missing)) if one is not None]
        self._play([*before, *changes, *after])

    def _refused(self, rows: TableRows, error: psycopg.Error) -> RowRefused:
        """The error of one row, by its key; the server's own words may quote values, so only its facts are used."""
        of = self._of(rows.layout)
        staged = [("deleted", rows.deleted), ("changed", rows.changed), ("inserted", rows.inserted)]
        staged += [("partial", lacking) for lacking in rows.partial.values()]
        role, row = next((role, some) for role, some in staged if some.count)
        columns = rows.layout.keys if role == "deleted" else rows.layout.columns
        self._play([*self._staging.clear(), *self._staging.copy(of, role, columns, row)])
        mapping = of.mapping
        return RowRefused(
            self._session.stream, mapping.source_table, self._key(of, role), mapping.target_table, reason_of(error)
        )

    def _key(self, of: Statements, role: str) -> str:
        row = self._conn.execute(of.shown_key(role)).fetchone()
        return str(row[0]) if row else "(unknown)"

    def _of(self, layout: Layout) -> Statements:
        return self._statements[layout.mapping.source_table]
