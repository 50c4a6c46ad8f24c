"""Both databases by the same mapping: equal, or which keys differ, while writes go on.

For every mapping, parents first: sums of hashes per half-open range of the key on both sides at once; where they
differ, sums per bucket; where those differ, keys; and these are looked at again until the difference is settled
(settle.py). Nothing is paused and no snapshot is held longer than one statement. Values never leave the databases,
except keys, control totals, and those that somebody asked to see.

The comparison is the same in both directions. The direction says which side is the truth, and so what the stream in
between still has to bring: a row is `missing` or `extra` on the side that follows.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from dataclasses import asdict, dataclass
from datetime import datetime
from decimal import Decimal
from functools import partial
from time import monotonic
from typing import TYPE_CHECKING, Any

import psycopg

from cdc.translation.functions import install_functions
from cdc.translation.load import load_mappings
from cdc.verification.key_ranges import key_ranges
from cdc.verification.settle import Hashes, Look, settle
from cdc.verification.verify_details import Detail, details_of, kind_of
from cdc.verification.verify_sides import Direction, Sides, connect
from cdc.verification.verify_since import Asking, Mark, find_mark, keep_marks, mark_now, touched_keys
from cdc.verification.verify_sql import Comparison, Key, Range, Side
from config.errors import NotConfigured

if TYPE_CHECKING:
    from config.model import Routes, Sync

Progress = Callable[[str, int], None]

ROWS_PER_RANGE = 1_000_000
KEYS_MAX = 10_000  # differing keys of one table that are looked at; more are not told one by one
SAMPLE = 20
BUCKETS_AT_ONCE = 16
SETTLE_SECONDS, DEADLINE_SECONDS = 0.5, 20.0


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
    details: tuple[Detail, ...] = ()  # of the sample


@dataclass(frozen=True)
class VerifyResult:
    """The result of one verification of a capability."""

    direction: Direction
    tables: tuple[TableResult, ...]
    seconds: float
    equal: bool


@dataclass(frozen=True)
class Wanted:
    """What is asked of a verification.

    `settle_seconds` is how long a difference must stay, `deadline_seconds` how long it is looked at. `since` compares
    only rows that were written since a time, or a position of legacy's log; such a result is not stored, for it says
    nothing of the others. `with_values` puts values of differing rows into the result, but never into what is stored.
    """

    settle_seconds: float = SETTLE_SECONDS
    deadline_seconds: float = DEADLINE_SECONDS
    since: str | datetime | None = None
    with_values: bool = False


def verify(
    capability: str,
    routes: Routes,
    direction: Direction,
    progress: Progress | None = None,
    wanted: Wanted | None = None,
) -> VerifyResult:
    """Compare all tables of a capability and store the result in `strangler.verify_result` of the modern database.

    `progress(table, rows)` is called after each range with the rows of the table compared so far. Raises DatabaseDown,
    MappingsRefused, NotConfigured, NothingVerified.
    """
    wanted = wanted or Wanted()
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
        here = mark_now(sides.legacy, sides.modern)
        mark = None if wanted.since is None else find_mark(sides.modern, capability, wanted.since, here)
        tables = tuple(
            _verify_table(Comparison(mapping), sides, progress or _silent, (wanted, mark)) for mapping in mappings
        )
        equal = all(table.differences == 0 and table.is_complete for table in tables)
        result = VerifyResult(direction, tables, monotonic() - started, equal)
        if mark is None:
            _store(sides.modern, capability, result, here)
    return result


def _verify_table(
    comparison: Comparison, sides: Sides, progress: Progress, asked: tuple[Wanted, Mark | None]
) -> TableResult:
    wanted, mark = asked
    name = comparison.mapping.target_table
    touched = None
    if mark is not None:
        touched = touched_keys(comparison, mark, Asking(sides.both, sides.catch_up), KEYS_MAX)
    if touched is None:
        rows, candidates, is_complete = _compare_ranges(comparison, sides, progress)
    else:
        rows, candidates, is_complete = len(touched), dict.fromkeys(touched), True
    look = _look(comparison, sides)
    # Where nothing is on its way, to wait for it would only cost time.
    deadline_seconds = wanted.deadline_seconds if candidates and sides.is_followed else wanted.settle_seconds
    settled = settle(list(candidates), look, wanted.settle_seconds, deadline_seconds)
    found = settled.differences
    keys = tuple(sorted(found, key=str))
    kinds = Counter(kind_of(*pair) for pair in found.values())
    return TableResult(
        target=name,
        rows=rows,
        differences=len(found),
        sample_keys=keys[:SAMPLE],
        keys=keys,
        missing=kinds["missing"],
        extra=kinds["extra"],
        changed=kinds["changed"],
        unsettled=settled.unsettled,
        is_complete=is_complete,
        totals=_totals(comparison, sides),
        details=details_of(comparison, keys[:SAMPLE], found, sides.both, with_values=wanted.with_values),
    )


def _compare_ranges(comparison: Comparison, sides: Sides, progress: Progress) -> tuple[int, dict[Key, None], bool]:
    """The rows of a table, the keys that differ at a first look, and whether these are all of them."""
    rows, candidates, is_complete = 0, dict[Key, None](), True
    for part in key_ranges(comparison, "modern", ROWS_PER_RANGE, partial(sides.ask, "modern")):
        legacy, modern = sides.both(partial(comparison.sums, part=part))
        rows += max(legacy[0][0], modern[0][0])
        progress(comparison.mapping.target_table, rows)
        if legacy[0] != modern[0]:
            is_complete = _collect(comparison, sides, part, candidates) and is_complete
    return rows, candidates, is_complete


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


def _store(conn: psycopg.Connection[Any], capability: str, result: VerifyResult, mark: Mark) -> None:
    told = {table.target: _told(table) for table in result.tables if table.differences or not table.is_complete}
    with conn.transaction():
        conn.execute(_TABLE)
        keep_marks(conn)
        conn.execute(
            "INSERT INTO strangler.verify_result (capability, direction, equal, rows, differences, seconds, "
            "legacy_position, legacy_xid, modern_xid) VALUES (%s, %s, %s, %s, %s::jsonb, %s, %s::text::pg_lsn, %s, %s)",
            (
                capability,
                result.direction,
                result.equal,
                sum(table.rows for table in result.tables),
                json.dumps(told, default=str),
                result.seconds,
                mark.legacy_position,
                mark.legacy_xid,
                mark.modern_xid,
            ),
        )


def _told(table: TableResult) -> dict[str, object]:
    told = asdict(table)
    del told["totals"], told["keys"], told["details"]
    return told


def _silent(_: str, __: int) -> None:
    pass
