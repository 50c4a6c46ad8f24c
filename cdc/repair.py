"""Puts right the rows that a verification found different, through the same mapping and under the stream's origin.

A repair must not race with the stream: a row that was read a moment ago may be older than what the stream has applied
since. So for each batch of keys writes to the source's table wait (a SHARE lock, bounded in time) until the stream has
applied everything that was committed before; then the rows are read and written, and the writes go on:

    source  BEGIN; LOCK TABLE .. IN SHARE MODE     waits for open writers, at the most LOCK_SECONDS
    source  heartbeat, on another connection       its place in the log is behind everything that is committed
    target  wait until the stream has applied it   at the most QUIET_SECONDS, else the batch is given up
    target  BEGIN; before-images; upserts, deletes; COMMIT, with an origin that the other stream leaves out
    source  COMMIT                                 writers go on

A kill anywhere leaves a batch done or not done. What the rows were before is in `strangler.repaired` of the target.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from time import monotonic, sleep

import psycopg
from psycopg import sql

from cdc.copy_through import Copying
from cdc.mapping import Mapping
from cdc.plan import StreamPlan
from cdc.session import Session, open_session
from cdc.setup import connected
from cdc.state import emit_heartbeat, read_state
from cdc.statements import table, trusted, upsert_rows
from cdc.stream_errors import RepairRefused, reason_of
from cdc.verify_sql import Comparison, Key, Side

KEYS_AT_ONCE = 500
LOCK_SECONDS, QUIET_SECONDS = 2.0, 1.0  # how long we wait for writers, and they for the stream
CATCH_UP_SECONDS, LOOK_SECONDS = 5.0, 0.005
_STAGING = sql.Identifier("strangler_repair")
_KEYS = sql.Identifier("strangler_repair_keys")
_REPAIRED = """CREATE TABLE IF NOT EXISTS strangler.repaired (
    at timestamptz NOT NULL DEFAULT now(), stream text NOT NULL, relation text NOT NULL, key jsonb NOT NULL,
    before jsonb)"""


@dataclass(frozen=True)
class Repaired:
    """What was done to one table: rows written and rows removed, and the keys that were looked at."""

    table: str
    keys: int
    written: int
    removed: int


def repair(
    plan: StreamPlan, keys: Sequence[tuple[Mapping, Sequence[Key]]], each: Callable[[Repaired], None]
) -> tuple[Repaired, ...]:
    """Make the target's rows of these keys what the mapping gives. Keys are by the forward mapping, in its key's order.

    `each` is told of every batch that is done. Raises RepairRefused, SecondApplier, DatabaseDown.
    """
    done: list[Repaired] = []
    with connected(plan.target_url, "target") as conn:
        conn.execute(_REPAIRED)
    session = open_session(plan.target_url, plan.name, "repair")
    try:
        session.conn.execute("SET synchronous_commit = on")
        for mapping, of_table in keys:
            for start in range(0, len(of_table), KEYS_AT_ONCE):
                batch = _Batch(plan, session, mapping, of_table[start : start + KEYS_AT_ONCE])
                done.append(batch.run())
                each(done[-1])
    except (psycopg.DataError, psycopg.IntegrityError, psycopg.errors.RaiseException) as error:
        raise RepairRefused(plan.name, f"the target refuses a row: {reason_of(error)}") from error
    finally:
        session.retire()
    return tuple(done)


@dataclass(frozen=True)
class _Batch:
    """Some keys of one table. `forward` is the mapping from legacy, whatever the direction of the stream is."""

    plan: StreamPlan
    session: Session
    forward: Mapping
    keys: Sequence[Key]

    @property
    def mapping(self) -> Mapping:
        """The mapping in the direction of the stream."""
        return self.forward if self.plan.direction == "forward" else self.forward.reverse()

    def run(self) -> Repaired:
        self._catch_up(CATCH_UP_SECONDS)  # a stream that is behind, or does not run, makes no writer wait
        with connected(self.plan.source_url, "source") as source, self._quiet(source):
            self._catch_up(QUIET_SECONDS)
            target = self.session.conn
            target.execute(self.session.begin())
            try:
                written, removed = self._write(source, target)
                target.execute("COMMIT")
            except BaseException:
                target.execute("ROLLBACK")
                raise
        return Repaired(self.mapping.target_table, len(self.keys), written, removed)

    @contextmanager
    def _quiet(self, source: psycopg.Connection) -> Iterator[None]:
        """Nobody writes the source's table meanwhile."""
        try:
            with source.transaction():
                source.execute("SELECT set_config('lock_timeout', %s, true)", (f"{int(LOCK_SECONDS * 1000)}ms",))
                source.execute(sql.SQL("LOCK TABLE {} IN SHARE MODE").format(table(self.mapping.source_table)))
                source.execute("SET LOCAL TimeZone = 'UTC'; SET LOCAL DateStyle = 'ISO'; SET LOCAL jit = off")
                yield
        except psycopg.errors.LockNotAvailable as error:
            reason = f"{self.mapping.source_table} had open writers for longer than {LOCK_SECONDS:g} s"
            raise RepairRefused(self.plan.name, reason) from error

    def _catch_up(self, seconds: float) -> None:
        """Wait until the stream has applied all that is committed now."""
        deadline = monotonic() + seconds
        with connected(self.plan.source_url, "source") as source:
            emit_heartbeat(source, datetime.now(UTC))
            row = source.execute("SELECT pg_current_wal_insert_lsn()::text").fetchone()
        wanted = row[0] if row else None
        query = "SELECT position >= %s::pg_lsn FROM strangler.stream WHERE name = %s"
        while monotonic() < deadline:
            found = self.session.conn.execute(query, (wanted, self.plan.name)).fetchone()
            if found is not None and found[0]:
                return
            sleep(LOOK_SECONDS)
        raise RepairRefused(self.plan.name, f"the stream did not catch up within {seconds:g} s")

    def _write(self, source: psycopg.Connection, target: psycopg.Connection) -> tuple[int, int]:
        mapping, into = self.mapping, table(self.mapping.target_table)
        columns = sql.SQL(", ").join(sql.Identifier(column.name) for column in mapping.columns)
        key_columns = sql.SQL(", ").join(map(sql.Identifier, mapping.key))
        for name, names in ((_STAGING, columns), (_KEYS, key_columns)):
            like = sql.SQL("CREATE TEMP TABLE {} ON COMMIT DROP AS SELECT {} FROM {} LIMIT 0")
            target.execute(like.format(name, names, into))
        rows, keys = self._selects(source)
        for out_of, name, names in ((rows, _STAGING, columns), (keys, _KEYS, key_columns)):
            Copying(source, out_of, target, sql.SQL("COPY {} ({}) FROM STDIN (FORMAT binary)").format(name, names)).run(
                lambda _: None
            )
        of_keys = sql.SQL("({keys}) IN (SELECT {keys} FROM {staged})").format(keys=key_columns, staged=_KEYS)
        self._remember(target, into, of_keys)
        removed = target.execute(
            sql.SQL("DELETE FROM {} WHERE {} AND NOT ({}) IN (SELECT {} FROM {})").format(
                into, of_keys, key_columns, key_columns, _STAGING
            )
        ).rowcount
        upsert = upsert_rows(mapping, sql.SQL("SELECT * FROM {}").format(_STAGING))
        return target.execute(upsert).rowcount, removed

    def _selects(self, source: psycopg.Connection) -> tuple[sql.Composed, sql.Composed]:
        """COPY of the rows that the keys have in the source, through the mapping; and of the keys themselves."""
        comparison = Comparison(self.forward)
        side: Side = "legacy" if self.plan.direction == "forward" else "modern"
        rows = comparison.rows_of(side, self.keys, self.mapping)
        keys = comparison.keys_of(side, self.keys, self.mapping)
        out_of = sql.SQL("COPY ({}) TO STDOUT (FORMAT binary)")
        cursor = psycopg.ClientCursor(source)
        return tuple(out_of.format(trusted(cursor.mogrify(text.encode(), values))) for text, values in (rows, keys))  # type: ignore[return-value]

    def _remember(self, target: psycopg.Connection, into: sql.Identifier, of_keys: sql.Composed) -> None:
        """Keep what the rows are now, beside them: that is the way back of a repair."""
        key = sql.SQL(", ").join(map(sql.Identifier, self.mapping.key))
        target.execute(
            sql.SQL(
                "INSERT INTO strangler.repaired (stream, relation, key, before) "
                "SELECT {stream}, {relation}, to_jsonb(k), to_jsonb(t) FROM {keys} AS k "
                "LEFT JOIN (SELECT * FROM {into} WHERE {of_keys}) AS t USING ({key})"
            ).format(
                stream=sql.Literal(self.plan.name),
                relation=sql.Literal(self.mapping.target_table),
                keys=_KEYS,
                into=into,
                of_keys=of_keys,
                key=key,
            )
        )


def is_streaming(plan: StreamPlan) -> bool:
    """Whether the stream says that it runs; a repair needs it to."""
    with connected(plan.target_url, "target") as target:
        state = read_state(target, plan.name)
    return state is not None and state.state == "streaming"
