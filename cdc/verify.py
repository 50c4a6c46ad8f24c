"""Both databases by the same mapping: equal, or which keys differ, while writes go on.

For every mapping, parents first: sums of hashes per half-open range of the key on both sides at once; where they
differ, sums per bucket; where those differ, keys; and these are looked at again until the difference is settled
(cdc/settle.py). Nothing is paused and no snapshot is held longer than one statement. Values never leave the databases,
except keys and control totals.

The comparison is the same in both directions. The direction says which side is the truth, and so what the stream in
between still has to bring: a row is `missing` or `extra` on the side that follows.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, suppress
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from decimal import Decimal
from functools import cached_property, partial
from time import monotonic, sleep
from typing import TYPE_CHECKING, Any, Literal

import psycopg

from cdc.key_ranges import key_ranges
from cdc.settle import Hashes, Look, settle
from cdc.slots import is_read, name_of
from cdc.state import emit_heartbeat
from cdc.translation.functions import install_functions
from cdc.translation.load import load_mappings
from cdc.verify_sql import Comparison, Key, Range, Side
from config.errors import DatabaseDown, NotConfigured

if TYPE_CHECKING:
    from config.model import Routes, Sync

Direction = Literal["forward", "reverse"]
Progress = Callable[[str, int], None]

ROWS_PER_RANGE = 1_000_000
KEYS_MAX = 10_000  # differing keys of one table that are looked at; more are not told one by one
SAMPLE = 20
BUCKETS_AT_ONCE = 16
SETTLE_SECONDS, DEADLINE_SECONDS = 0.5, 20.0
LOOK_SECONDS = 0.02
SETTINGS = "-c TimeZone=UTC -c DateStyle=ISO -c extra_float_digits=3 -c jit=off"


@dataclass(frozen=True)
class Total:
    """The exact sum of one column of money on both sides, for one currency where the table has such a column."""

    column: str
    currency: str | None
    legacy: Decimal
    modern: Decimal


@dataclass(frozen=True)
class TableResult:
    """What is known of one table; `differences` counts `keys`, all of them only if `is_complete`."""

    target: str
    rows: int
    differences: int
    sample_keys: tuple[Key, ...]
    keys: tuple[Key, ...] = ()
    missing: int = 0
    extra: int = 0
    changed: int = 0
    unsettled: int = 0
    is_complete: bool = True
    totals: tuple[Total, ...] = ()


@dataclass(frozen=True)
class VerifyResult:
    """The result of one verification of a capability."""

    direction: Direction
    tables: tuple[TableResult, ...]
    seconds: float
    equal: bool


def verify(
    capability: str,
    routes: Routes,
    direction: Direction,
    progress: Progress | None = None,
    *,
    settle_seconds: float = SETTLE_SECONDS,
    deadline_seconds: float = DEADLINE_SECONDS,
) -> VerifyResult:
    """Compare all tables of a capability and store the result in `strangler.verify_result` of the modern database.

    `progress(table, rows)` is called after each range with the rows of the table compared so far. Raises DatabaseDown,
    MappingsRefused, NotConfigured.
    """
    sync = _sync(capability, routes)
    started = monotonic()
    with ExitStack() as stack:
        sides = Sides(
            legacy=stack.enter_context(connect(routes, sync.source)),
            modern=stack.enter_context(connect(routes, sync.target)),
            pool=stack.enter_context(ThreadPoolExecutor(2)),
            stream=f"{capability}:{direction}",
            direction=direction,
        )
        mappings = load_mappings(sync, sides.legacy, sides.modern)
        for conn in (sides.legacy, sides.modern):
            _prepare(conn)
        tables = tuple(
            _verify_table(Comparison(mapping), sides, progress or _silent, (settle_seconds, deadline_seconds))
            for mapping in mappings
        )
        equal = all(table.differences == 0 and table.is_complete for table in tables)
        result = VerifyResult(direction, tables, monotonic() - started, equal)
        _store(sides.modern, capability, result)
    return result


@dataclass
class Sides:
    """Both connections, asked at the same time."""

    legacy: psycopg.Connection[Any]
    modern: psycopg.Connection[Any]
    pool: ThreadPoolExecutor
    stream: str
    direction: Direction

    def ask(self, side: Side, statement: str, parameters: dict[str, object]) -> list[tuple[Any, ...]]:
        """All rows of one statement on one side."""
        conn = self.legacy if side == "legacy" else self.modern
        return conn.execute(statement.encode(), parameters).fetchall()

    def both(self, make: Callable[[Side], tuple[str, dict[str, object]]]) -> tuple[list[Any], list[Any]]:
        """The rows of legacy and modern."""
        legacy = self.pool.submit(self.ask, "legacy", *make("legacy"))
        modern = self.pool.submit(self.ask, "modern", *make("modern"))
        return legacy.result(), modern.result()

    def catch_up(self, deadline: float) -> bool:
        """Wait until the stream has applied all that its source has now; true at once where there is no stream."""
        source, target = self._ends
        if target.execute("SELECT to_regclass('strangler.stream')").fetchone() == (None,):
            return True
        with suppress(psycopg.errors.ReadOnlySqlTransaction):  # a standby; its primary has heartbeats of its own
            emit_heartbeat(source, datetime.now(UTC))  # a place that the stream reaches even where nobody writes
        position = (source.execute("SELECT pg_current_wal_insert_lsn()").fetchone() or (None,))[0]
        query = "SELECT position >= %s FROM strangler.stream WHERE name = %s AND state = 'streaming'"
        while True:
            row = target.execute(query, (position, self.stream)).fetchone()
            if row is None or row[0]:
                return True
            if monotonic() >= deadline:
                return False
            sleep(LOOK_SECONDS)

    @cached_property
    def is_followed(self) -> bool:
        """Whether a process carries changes from one side to the other; false only if none does for a while."""
        return is_read(self._ends[0], name_of(*self.stream.rpartition(":")[::2])) is not False

    @property
    def _ends(self) -> tuple[psycopg.Connection[Any], psycopg.Connection[Any]]:
        return (self.legacy, self.modern) if self.direction == "forward" else (self.modern, self.legacy)


def _verify_table(
    comparison: Comparison, sides: Sides, progress: Progress, patience: tuple[float, float]
) -> TableResult:
    name = comparison.mapping.target_table
    rows, candidates, is_complete = 0, dict[Key, None](), True
    for part in key_ranges(comparison, "modern", ROWS_PER_RANGE, partial(sides.ask, "modern")):
        legacy, modern = sides.both(partial(comparison.sums, part=part))
        rows += max(legacy[0][0], modern[0][0])
        progress(name, rows)
        if legacy[0] != modern[0]:
            is_complete = _collect(comparison, sides, part, candidates) and is_complete
    look = _look(comparison, sides)
    if candidates and not sides.is_followed:
        patience = (patience[0], patience[0])  # nothing is on its way, so to wait for it would only cost time
    settled = settle(list(candidates), look, *patience)
    found = settled.differences
    return TableResult(
        target=name,
        rows=rows,
        differences=len(found),
        sample_keys=tuple(sorted(found, key=str)[:SAMPLE]),
        keys=tuple(sorted(found, key=str)),
        missing=sum(follower is None for _, follower in found.values()),
        extra=sum(truth is None for truth, _ in found.values()),
        changed=sum(None not in pair for pair in found.values()),
        unsettled=settled.unsettled,
        is_complete=is_complete,
        totals=_totals(comparison, sides),
    )


def _collect(comparison: Comparison, sides: Sides, part: Range, candidates: dict[Key, None]) -> bool:
    """Add the keys of a range that differ; false where there are more than can be looked at."""
    legacy, modern = sides.both(partial(comparison.buckets, part=part))
    ours = {row[0]: row[1:] for row in legacy}
    theirs = {row[0]: row[1:] for row in modern}
    differing = sorted(bucket for bucket in ours.keys() | theirs.keys() if ours.get(bucket) != theirs.get(bucket))
    for start in range(0, len(differing), BUCKETS_AT_ONCE):
        if len(candidates) > KEYS_MAX:
            return False
        some = differing[start : start + BUCKETS_AT_ONCE]
        left, right = sides.both(partial(comparison.keys, part=part, buckets=some))
        candidates |= dict.fromkeys(tuple(row[1:]) for row in set(left) ^ set(right))
    return True


def _look(comparison: Comparison, sides: Sides) -> Look:
    def on(side: Side) -> Callable[[Sequence[Key]], Hashes]:
        def hashes(keys: Sequence[Key]) -> Hashes:
            rows = sides.ask(side, *comparison.again(side, keys))
            return {tuple(row[1:]): row[0] for row in rows}

        return hashes

    legacy, modern = on("legacy"), on("modern")
    truth, follower = (legacy, modern) if sides.direction == "forward" else (modern, legacy)
    return Look(truth, follower, sides.catch_up)


def _totals(comparison: Comparison, sides: Sides) -> tuple[Total, ...]:
    columns, statement = comparison.totals("legacy")
    if statement is None:
        return ()
    legacy, modern = sides.both(lambda side: (str(comparison.totals(side)[1]), {}))
    ours, theirs = ({row[0]: row[1:] for row in rows} for rows in (legacy, modern))
    zero = (Decimal(0),) * len(columns)
    return tuple(
        Total(column, currency, ours.get(currency, zero)[n], theirs.get(currency, zero)[n])
        for currency in sorted(ours.keys() | theirs.keys(), key=str)
        for n, column in enumerate(columns)
    )


def connect(routes: Routes, name: str) -> psycopg.Connection[Any]:
    """A connection to a database of routes.yaml, in autocommit. Raises DatabaseDown."""
    database = routes.databases.get(name)
    if database is None:
        raise NotConfigured(f"databases.{name}", "verify")
    try:
        return psycopg.connect(
            database.url, autocommit=True, application_name="strangler-verify", options=SETTINGS, connect_timeout=10
        )
    except psycopg.OperationalError as error:
        raise DatabaseDown(name, str(error)) from error


def _sync(capability: str, routes: Routes) -> Sync:
    found = routes.capabilities.get(capability)
    if found is None or found.sync is None:
        raise NotConfigured(f"capabilities.{capability}.sync", "verify")
    return found.sync


_TABLE = """CREATE TABLE IF NOT EXISTS strangler.verify_result (
    capability text NOT NULL, direction text NOT NULL, at timestamptz NOT NULL DEFAULT now(), equal boolean NOT NULL,
    rows bigint NOT NULL, differences jsonb NOT NULL, seconds double precision)"""


def _prepare(conn: psycopg.Connection[Any]) -> None:
    if conn.execute("SELECT to_regprocedure('strangler.parse_number(text)')").fetchone() == (None,):
        with conn.transaction():
            install_functions(conn)


def _store(conn: psycopg.Connection[Any], capability: str, result: VerifyResult) -> None:
    told = {table.target: _told(table) for table in result.tables if table.differences or not table.is_complete}
    with conn.transaction():
        conn.execute(_TABLE)
        conn.execute(
            "INSERT INTO strangler.verify_result (capability, direction, equal, rows, differences, seconds) "
            "VALUES (%s, %s, %s, %s, %s::jsonb, %s)",
            (
                capability,
                result.direction,
                result.equal,
                sum(table.rows for table in result.tables),
                json.dumps(told, default=str),
                result.seconds,
            ),
        )


def _told(table: TableResult) -> dict[str, object]:
    told = asdict(table)
    del told["totals"], told["keys"]
    return told


def _silent(_: str, __: int) -> None:
    pass
