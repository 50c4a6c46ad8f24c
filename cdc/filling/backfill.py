"""The rows that were there before the slot, copied at the slot's own snapshot, table after table, parents first.

The slot is made inside a transaction whose snapshot it exports, so the copy and the stream neither overlap nor leave a
gap. One table (what it holds is in cdc/filling/filled.py, a worker's turn in cdc/filling/copy_turn.py):

    begin     an empty one: its indexes are put aside and `loading` is noted, in one transaction
              one that was loading when an earlier backfill ended: emptied first, for all of its rows are ours
              any other that has rows: they may be somebody else's; it is brought in line by key, in one turn
    copy      ranges of pages by a few workers, COPY BINARY end to end through the mapping's SELECT
    finish    the indexes are made again, the table is analysed and `done` is noted, in one transaction

The snapshot dies with the process. What is done stays done: the next start makes a new snapshot, lets the stream bring
the tables that are done exactly up to it (cdc/setup.py), and this copies the others.
"""

from __future__ import annotations

import os
import threading
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from itertools import count
from time import monotonic
from typing import Literal

import psycopg
import structlog
from psycopg import sql

from cdc.connections import connect
from cdc.filling.copy_tasks import Size, Task, size_of, tasks_of
from cdc.filling.copy_turn import EachPiece, Turn
from cdc.filling.filled import Filled, empty, is_done, note_done, note_loading, read_filled
from cdc.filling.pace import Care, Pace
from cdc.filling.set_aside import put_back, set_aside
from cdc.mapping import Mapping
from cdc.plan import StreamPlan
from cdc.statements import table
from cdc.streaming import slots
from cdc.streaming.session import open_session, origin_of
from cdc.streaming.stream_errors import BackfillRefused, reason_of

WORKERS_MAX = 2  # a thread shovels about a million rows a second, and two only share that on two processors
SET_ASIDE_PAGES = 1_024  # 8 MiB; below that, making an index anew is not worth its locks

_log = structlog.get_logger()


Doing = Literal["copying", "indexing", "comparing", "done"]


@dataclass(frozen=True)
class Snapshot:
    """A moment of the source that several connections can look at, and where the log begins behind it."""

    id: str
    position: str


@dataclass(frozen=True)
class Copied:
    """How far the copy, or the comparison, of one table is; `expected` is the source's own estimate, if any."""

    table: str
    rows: int
    expected: int | None
    doing: Doing


Progress = Callable[[Copied], None]


@dataclass(frozen=True)
class Watch:
    """Who watches a copy: what stops it, who is told of it, and how much it may ask of the servers."""

    stop: threading.Event
    progress: Progress = lambda _: None
    care: Care = field(default_factory=Care)


class Stopped(Exception):
    """The backfill was told to stop; the next start goes on with the tables that are not done."""


class Backfill:
    """The copy of one stream's tables at one snapshot."""

    def __init__(self, plan: StreamPlan, watch: Watch, snapshot: Snapshot) -> None:
        self._plan, self._watch, self._snapshot = plan, watch, snapshot
        self._pace = Pace(watch.care, plan.source_url, plan.target_url, watch.stop)
        self._numbers = count()

    def run(self) -> None:
        """Copy what is not done. Raises ForeignRows, BackfillRefused, Stopped, psycopg.Error."""
        try:
            with connect(self._plan.source_url) as source, connect(self._plan.target_url) as target:
                filled = read_filled(target, self._plan.name)
                for mapping in self._plan.mappings:
                    found = filled.get(mapping.target_table)
                    if not is_done(found, mapping):
                        self._fill(target, mapping, found, size_of(source, mapping.source_table))
                _drop_origins(target, self._plan.name)
        finally:
            self._pace.close()

    def _fill(self, target: psycopg.Connection, mapping: Mapping, found: Filled | None, size: Size) -> None:
        started = monotonic()
        counter = _Counter(mapping.target_table, size.rows, self._watch, self._pace)
        if found is not None:
            self._empty(found)
        if found is not None or _is_empty(target, mapping):
            with target.transaction():
                aside = set_aside(target, mapping.target_table) if size.pages > SET_ASIDE_PAGES else ()
                note_loading(target, self._plan.name, mapping, aside)
            rows = self._copy(tasks_of(mapping, size), Turn.load, counter.each_piece)
            counter.tell("indexing", rows)
            self._finish(target, mapping, aside, rows)
        else:
            rows = self._copy([Task(mapping)], Turn.bring_in_line, counter.each_piece)
        counter.tell("done", rows)
        seconds = round(monotonic() - started, 3)
        _log.info("backfill.table", stream=self._plan.name, table=mapping.target_table, rows=rows, seconds=seconds)

    def _copy(self, tasks: Sequence[Task], copy: Callable[[Turn, EachPiece], int], each_piece: EachPiece) -> int:
        """Let the workers take the tasks; the first that fails keeps the others from beginning anything."""
        turns = [Turn(self._plan, task, next(self._numbers), self._snapshot.id) for task in tasks]
        workers = min(WORKERS_MAX, max((os.cpu_count() or 1) // 2, 1))
        with ThreadPoolExecutor(workers, thread_name_prefix=f"backfill {self._plan.name}") as pool:
            futures = [pool.submit(copy, turn, each_piece) for turn in turns]
            try:
                return sum(future.result() for future in futures)
            except BaseException:
                pool.shutdown(wait=False, cancel_futures=True)
                raise

    def _empty(self, found: Filled) -> None:
        """Remove what an earlier backfill of ours has left."""
        session = open_session(self._plan.target_url, self._plan.name, "backfill-empty")
        try:
            empty(session, found)
        finally:
            session.retire()

    def _finish(self, target: psycopg.Connection, mapping: Mapping, aside: tuple[str, ...], rows: int) -> None:
        try:
            with target.transaction():
                put_back(target, aside)
                # Nobody else does it soon, and without figures the first plans of a new service are the slow ones.
                target.execute(sql.SQL("ANALYZE {}").format(table(mapping.target_table)))
                note_done(target, self._plan.name, mapping, rows)
        except psycopg.IntegrityError as error:
            raise BackfillRefused(self._plan.name, mapping.target_table, reason_of(error)) from error


class _Counter:
    """The rows of one table, counted over its workers; where they stop, and slow down."""

    def __init__(self, name: str, expected: int | None, watch: Watch, pace: Pace) -> None:
        self._name, self._expected, self._watch, self._pace = name, expected, watch, pace
        self._rows = 0
        self._lock = threading.Lock()

    def each_piece(self, rows: int) -> None:
        """Rows have been sent. Raises Stopped."""
        if self._watch.stop.is_set():
            raise Stopped
        with self._lock:
            self._rows += rows
        self.tell("copying")
        self._pace.keep(rows)

    def tell(self, doing: Doing, exactly: int | None = None) -> None:
        """Say how far it is. What was sent has a message more than it has rows, which the target counts."""
        self._rows = self._rows if exactly is None else exactly
        self._watch.progress(Copied(self._name, self._rows, self._expected, doing))


def open_snapshot(replication: psycopg.Connection, slot: str, *, is_temporary: bool = False) -> Snapshot:
    """Make the slot and keep its snapshot open for others, as long as nothing else happens on this connection."""
    replication.execute("BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY")
    position = slots.create_slot(replication, slot, with_snapshot=True, is_temporary=is_temporary)
    row = replication.execute("SELECT pg_export_snapshot()").fetchone()
    return Snapshot(str(row[0]) if row else "", position)


def _is_empty(target: psycopg.Connection, mapping: Mapping) -> bool:
    row = target.execute(sql.SQL("SELECT EXISTS (SELECT FROM {})").format(table(mapping.target_table))).fetchone()
    return row is not None and not row[0]


def _drop_origins(target: psycopg.Connection, stream: str) -> None:
    """Origins that the workers of a process have left that was killed."""
    try:
        target.execute(
            "SELECT pg_replication_origin_drop(roname) FROM pg_replication_origin WHERE starts_with(roname, %s)",
            (origin_of(stream, "backfill-"),),
        )
    except psycopg.errors.InsufficientPrivilege:
        return  # then there are none
