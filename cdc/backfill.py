"""The rows that were there before the slot, copied at the slot's own snapshot by a few workers.

The slot is made inside a transaction whose snapshot it exports, so the copy and the stream neither overlap nor leave a
gap. Each table, or range of a large one, is COPY BINARY end to end through the mapping's SELECT, in one transaction of
the target that carries an origin of its own. The snapshot dies with the process, so an interrupted backfill starts over
as a whole with a new slot. A table that has rows already is not loaded but brought in line by key: what a backfill of
ours has left behind may be removed there, anybody else's rows may not.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial
from time import monotonic

import psycopg
import structlog
from psycopg import sql

from cdc import slots
from cdc.copy_through import Copying
from cdc.crash_points import reached
from cdc.mapping import Mapping
from cdc.session import APPLICATION, Session, open_session
from cdc.source_types import travels_as_text
from cdc.sql_types import quoted, quoted_table
from cdc.statements import table, trusted, upsert_rows, wide
from cdc.stream_errors import BackfillRefused, ForeignRows, reason_of

WORKERS_MAX = 2
RANGE_PAGES = 8_192  # 64 MiB of a table a worker's turn
_PAGE_MAX = 0xFFFFFFFE

Progress = Callable[[str, int], None]  # target table and rows copied since the last call

_log = structlog.get_logger()


@dataclass(frozen=True)
class Snapshot:
    """A moment of the source that several connections can look at, and where the log begins behind it."""

    id: str
    position: str


@dataclass(frozen=True)
class Task:
    """One table, or the pages of it from the first up to the last (not included).

    `loads` into an empty table; otherwise the table is brought in line, which needs all of its rows at once.
    """

    mapping: Mapping
    loads: bool
    pages: tuple[int, int] | None = None

    def select(self) -> str:
        """The mapping's SELECT over these rows, each column in the type of the target without its modifier."""
        source = None
        if self.pages is not None:
            first, end = self.pages
            name = quoted_table(self.mapping.source_table)
            source = f"(SELECT * FROM {name} WHERE ctid >= '({first},0)' AND ctid < '({end},0)') AS strangler_range"  # noqa: S608 - quoted name, numbers
        columns = ", ".join(f"{quoted(one.name)}::{wide(one.type)}" for one in self.mapping.columns)
        return f"SELECT {columns} FROM ({self.mapping.select(source)}) AS strangler_rows"  # noqa: S608 - the mapping engine's own SQL


class Stopped(Exception):
    """The backfill was told to stop; the next start makes it anew."""


@dataclass
class Backfill:
    """The copy of one stream's tables. `resumes` says that an earlier backfill of ours did not end."""

    stream: str
    source_url: str
    target_url: str
    mappings: Sequence[Mapping]
    resumes: bool
    stop: threading.Event
    progress: Progress = lambda _table, _rows: None

    def run(self, snapshot: Snapshot) -> None:
        """Copy everything. Raises ForeignRows, Stopped, psycopg.Error."""
        tasks = self._tasks()
        with ThreadPoolExecutor(WORKERS_MAX, thread_name_prefix=f"backfill {self.stream}") as pool:
            futures = [pool.submit(self._run, task, number, snapshot) for number, task in enumerate(tasks)]
            try:
                for future in futures:
                    future.result()
            except BaseException:
                pool.shutdown(wait=False, cancel_futures=True)  # one has failed: the others need not begin
                raise

    def _tasks(self) -> list[Task]:
        with (
            psycopg.connect(self.source_url, autocommit=True, application_name=APPLICATION) as source,
            psycopg.connect(self.target_url, autocommit=True, application_name=APPLICATION) as target,
        ):
            return [task for mapping in self.mappings for task in _tasks_of(mapping, source, target)]

    def _run(self, task: Task, number: int, snapshot: Snapshot) -> None:
        if self.stop.is_set():
            raise Stopped
        started = monotonic()
        session = open_session(self.target_url, self.stream, f"backfill-{number}")
        try:
            with psycopg.connect(self.source_url, autocommit=True, application_name=APPLICATION) as source:
                _look_at(source, snapshot)
                rows = self._copy(task, source, session)
        except (psycopg.DataError, psycopg.IntegrityError, psycopg.errors.RaiseException) as error:
            raise BackfillRefused(self.stream, task.mapping.target_table, reason_of(error)) from error
        finally:
            session.retire()
        _log.info(
            "backfill.table",
            stream=self.stream,
            table=task.mapping.target_table,
            rows=rows,
            seconds=round(monotonic() - started, 3),
        )

    def _copy(self, task: Task, source: psycopg.Connection, session: Session) -> int:
        target, mapping = session.conn, task.mapping
        target.execute(session.begin())
        columns = sql.SQL(", ").join(sql.Identifier(column.name) for column in mapping.columns)
        into = table(mapping.target_table)
        if not task.loads:
            into = sql.Identifier("strangler_backfill")
            like = sql.SQL("CREATE TEMP TABLE {} ON COMMIT DROP AS SELECT {} FROM {} LIMIT 0")
            target.execute(like.format(into, columns, table(mapping.target_table)))
        names = [column.name for column in mapping.columns]
        form = sql.SQL("text" if travels_as_text(target, mapping.target_table, names) else "binary")
        copying = Copying(
            source,
            sql.SQL("COPY ({}) TO STDOUT (FORMAT {})").format(trusted(task.select()), form),
            target,
            sql.SQL("COPY {} ({}) FROM STDIN (FORMAT {})").format(into, columns, form),
        )
        rows = copying.run(partial(self._after_piece, mapping.target_table))
        if not task.loads:
            self._bring_in_line(target, mapping, into)
        reached("backfill.copied")
        target.execute("COMMIT")
        reached("backfill.committed")
        return rows

    def _after_piece(self, table_name: str, rows: int) -> None:
        if self.stop.is_set():
            raise Stopped
        self.progress(table_name, rows)

    def _bring_in_line(self, target: psycopg.Connection, mapping: Mapping, copied: sql.Identifier) -> None:
        """Make a table that has rows equal to the copy. Raises ForeignRows where somebody else's would go."""
        same = sql.SQL(" AND ").join(sql.SQL("t.{0} = s.{0}").format(sql.Identifier(name)) for name in mapping.key)
        names = {"table": table(mapping.target_table), "copied": copied, "same": same}
        target.execute("SET LOCAL enable_hashjoin = on")
        target.execute(sql.SQL("ANALYZE {}").format(copied))
        surplus = sql.SQL("{table} AS t WHERE NOT EXISTS (SELECT FROM {copied} AS s WHERE {same})").format(**names)
        if self.resumes:
            target.execute(sql.SQL("DELETE FROM {}").format(surplus))
        else:
            row = target.execute(sql.SQL("SELECT count(*) FROM {}").format(surplus)).fetchone()
            if row and row[0]:
                raise ForeignRows(self.stream, mapping.target_table, int(row[0]))
        target.execute(upsert_rows(mapping, sql.SQL("SELECT * FROM {}").format(copied)))


def open_snapshot(replication: psycopg.Connection, slot: str) -> Snapshot:
    """Make the slot and keep its snapshot open for others, as long as nothing else happens on this connection."""
    replication.execute("BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY")
    position = slots.create_slot(replication, slot, with_snapshot=True)
    row = replication.execute("SELECT pg_export_snapshot()").fetchone()
    return Snapshot(str(row[0]) if row else "", position)


def _tasks_of(mapping: Mapping, source: psycopg.Connection, target: psycopg.Connection) -> Iterator[Task]:
    found = target.execute(sql.SQL("SELECT EXISTS (SELECT FROM {})").format(table(mapping.target_table))).fetchone()
    is_empty = found is not None and not found[0]
    row = source.execute(
        "SELECT pg_relation_size(c.oid) / current_setting('block_size')::bigint, c.relkind FROM pg_class c "
        "WHERE c.oid = to_regclass(%s)",
        (table(mapping.source_table).as_string(source),),
    ).fetchone()
    pages, kind = row or (0, "r")
    if not is_empty or kind != "r" or pages <= RANGE_PAGES:
        yield Task(mapping, is_empty)
        return
    for first in range(0, pages, RANGE_PAGES):
        # The last range is open: rows of the snapshot may be on pages that were added since the size was read.
        is_last = first + RANGE_PAGES >= pages
        yield Task(mapping, is_empty, (first, _PAGE_MAX if is_last else first + RANGE_PAGES))


def _look_at(source: psycopg.Connection, snapshot: Snapshot) -> None:
    source.execute("BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY")
    source.execute(sql.SQL("SET TRANSACTION SNAPSHOT {}").format(sql.Literal(snapshot.id)))
    source.execute("SET LOCAL TimeZone = 'UTC'; SET LOCAL DateStyle = 'ISO'; SET LOCAL jit = off")
