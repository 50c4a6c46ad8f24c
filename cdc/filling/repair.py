"""Puts right the rows that a verification found different, through the same mapping and under the stream's origin.

A batch of keys is read and written in a moment in which the source's table stands still (quiet.py): before-images,
upserts and deletes in one transaction of the target.

A kill anywhere leaves a batch done or not done. What the rows were before is in `strangler.repaired` of the target.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import psycopg
from psycopg import sql

from cdc.filling.copy_through import Copying, Into
from cdc.filling.quiet import quiet
from cdc.mapping import Mapping
from cdc.plan import StreamPlan
from cdc.setup import connected
from cdc.source_types import travels_as_text
from cdc.state import read_state
from cdc.statements import table, trusted, upsert_rows
from cdc.streaming.session import Session, open_session
from cdc.streaming.slots import is_read
from cdc.streaming.stream_errors import RepairRefused, reason_of
from cdc.verification.verify_sql import Comparison, Key, Side

KEYS_AT_ONCE = 500
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
        with quiet(self.plan, self.session, self.mapping.tables_read) as ends:
            written, removed = self._write(ends.source, ends.target)
        return Repaired(self.mapping.target_table, len(self.keys), written, removed)

    def _write(self, source: psycopg.Connection, target: psycopg.Connection) -> tuple[int, int]:
        mapping, into = self.mapping, table(self.mapping.target_table)
        names, key_columns = [column.name for column in mapping.columns], _names(mapping.key)
        is_text = travels_as_text(target, mapping.target_table, names)
        selects = self._selects(source)
        for select, name, some in zip(selects, (_STAGING, _KEYS), (names, mapping.key), strict=True):
            like = sql.SQL("CREATE TEMP TABLE {} ON COMMIT DROP AS SELECT {} FROM {} LIMIT 0")
            target.execute(like.format(name, _names(some), into))
            Copying.of(source, select, target, Into(name, some, is_text)).run(lambda _: None)
        of_keys = sql.SQL("({keys}) IN (SELECT {keys} FROM {staged})").format(keys=key_columns, staged=_KEYS)
        self._remember(target, into, of_keys)
        removed = target.execute(
            sql.SQL("DELETE FROM {} WHERE {} AND NOT ({}) IN (SELECT {} FROM {})").format(
                into, of_keys, key_columns, key_columns, _STAGING
            )
        ).rowcount
        upsert = upsert_rows(mapping, sql.SQL("SELECT * FROM {}").format(_STAGING))
        return target.execute(upsert).rowcount, removed

    def _selects(self, source: psycopg.Connection) -> tuple[sql.SQL, sql.SQL]:
        """The rows that the keys have in the source, through the mapping; and the keys themselves."""
        comparison = Comparison(self.forward)
        side: Side = "legacy" if self.plan.direction == "forward" else "modern"
        rows, keys = (ask(side, self.keys, self.mapping) for ask in (comparison.rows_of, comparison.keys_of))
        cursor = psycopg.ClientCursor(source)  # COPY takes no parameters
        return trusted(cursor.mogrify(rows[0].encode(), rows[1])), trusted(cursor.mogrify(keys[0].encode(), keys[1]))

    def _remember(self, target: psycopg.Connection, into: sql.Identifier, of_keys: sql.Composed) -> None:
        """Keep what the rows are now, beside them: that is the way back of a repair."""
        key = _names(self.mapping.key)
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


def _names(names: Sequence[str]) -> sql.Composed:
    return sql.SQL(", ").join(map(sql.Identifier, names))


def is_streaming(plan: StreamPlan) -> bool:
    """Whether a process runs the stream and it writes into its target: only then is its source right."""
    with connected(plan.target_url, "target") as target, connected(plan.source_url, "source") as source:
        state = read_state(target, plan.name)
        says_so = state is not None and state.state == "streaming" and state.mode == "apply"
        return says_so and is_read(source, plan.slot) is True
