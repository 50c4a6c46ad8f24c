"""Both databases by the same mapping: equal, or which keys differ, while writes go on.

For every mapping, parents first, both sides are compared at one place of the source's log (aligned.py, compare.py):
what differs there is a difference, except for the few keys that were written between both snapshots: those are compared
at other places. Where no snapshots can be had, what differs is looked at until it is settled (settle.py). Nothing is
paused. Values never leave the databases, except keys, control totals, and those that somebody asked to see.

The comparison is the same in both directions. The direction says which side is the truth, and so what the stream in
between still has to bring: a row is `missing` or `extra` on the side that follows.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable, Sequence
from collections.abc import Mapping as ReadOnly
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, closing
from dataclasses import asdict, dataclass
from datetime import datetime
from decimal import Decimal
from functools import partial
from time import monotonic
from typing import TYPE_CHECKING, Any

import psycopg

from cdc.translation.functions import install_functions
from cdc.translation.load import load_mappings
from cdc.verification.aligned import View, Views
from cdc.verification.compare import Found, compare_again, compare_all, compare_keys, compare_since
from cdc.verification.differences import read_differences
from cdc.verification.settle import Hashes, Look, Settled, settle
from cdc.verification.verify_details import Detail, details_of, kind_of
from cdc.verification.verify_sides import Direction, Sides, connect
from cdc.verification.verify_since import Mark, find_mark, keep_marks, mark_now
from cdc.verification.verify_sql import Comparison, Key, Side
from config.errors import NotConfigured

if TYPE_CHECKING:
    from config.model import Routes, Sync

Progress = Callable[[str, int], None]
Known = ReadOnly[str, Sequence[Key]]  # keys by table of modern

SAMPLE = 20
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
    """What is known of one table; `differences` counts `keys`, all of them only if `is_complete`.

    `position` is the place of the source's log at which both sides were compared; None where they were not at one.
    """

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
    position: str | None = None


@dataclass(frozen=True)
class VerifyResult:
    """The result of one verification of a capability; `not_aligned` says why it was not at one place of the log."""

    direction: Direction
    tables: tuple[TableResult, ...]
    seconds: float
    equal: bool
    not_aligned: str = ""


@dataclass(frozen=True)
class Wanted:
    """What is asked of a verification.

    `settle_seconds` is how long a difference must stay, `deadline_seconds` how long it is looked at. `since` compares
    only rows that were written since a time, or a position of legacy's log, `known` only those that the re-check has
    found to differ; such results are not stored, for they say nothing of the others. `with_values` puts values of
    differing rows into the result, but never into what is stored.
    """

    settle_seconds: float = SETTLE_SECONDS
    deadline_seconds: float = DEADLINE_SECONDS
    since: str | datetime | None = None
    known: bool = False
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
        urls = [routes.databases[name].url for name in (sync.source, sync.target)]
        views = stack.enter_context(closing(Views(sides, {"legacy": urls[0], "modern": urls[1]}, mappings)))
        known = _known(sides) if wanted.known else None
        tables = tuple(
            _Table(Comparison(mapping), sides, views, wanted).verify(progress or _silent, mark, known)
            for mapping in mappings
        )
        equal = all(table.differences == 0 and table.is_complete for table in tables)
        result = VerifyResult(direction, tables, monotonic() - started, equal, views.why_not)
        if mark is None and known is None:
            _store(sides.modern, capability, result, here)
    return result


@dataclass(frozen=True)
class _Table:
    """One table of a verification."""

    comparison: Comparison
    live: Sides
    views: Views
    wanted: Wanted

    def verify(self, progress: Progress, mark: Mark | None, known: Known | None) -> TableResult:
        """Compare it: whole, what was written since, or what is known to differ."""
        name = self.comparison.mapping.target_table
        seen = None
        if known is not None:
            seen = compare_keys(self.comparison, self.views, known.get(name, ()))
        elif mark is not None:
            seen = compare_since(self.comparison, self.views, mark)
        if seen is None:
            seen = compare_all(self.comparison, self.live, self.views, partial(progress, name))
        compare_again(self.comparison, self.views, seen)
        settled = self._settle(seen)
        found = {**seen.differing, **settled.differences}
        keys = tuple(sorted(found, key=str))
        kinds = Counter(kind_of(*pair) for pair in found.values())
        both = self.views.now().sides.both if seen.position else self.live.both
        return TableResult(
            target=name,
            rows=seen.rows,
            differences=len(found),
            sample_keys=keys[:SAMPLE],
            keys=keys,
            missing=kinds["missing"],
            extra=kinds["extra"],
            changed=kinds["changed"],
            unsettled=settled.unsettled,
            is_complete=seen.is_complete,
            totals=_totals(self.comparison, self.views.now()),
            details=details_of(self.comparison, keys[:SAMPLE], found, both, with_values=self.wanted.with_values),
            position=seen.position,
        )

    def _settle(self, seen: Found) -> Settled:
        # Where nothing is on its way, to wait for it would only cost time.
        has_news = seen.doubtful and self.live.is_followed
        seconds = self.wanted.deadline_seconds if has_news else self.wanted.settle_seconds
        return settle(list(seen.doubtful), _look(self.comparison, self.live), self.wanted.settle_seconds, seconds)


def _known(sides: Sides) -> Known:
    return read_differences(sides.modern if sides.direction == "forward" else sides.legacy, sides.stream)


def _look(comparison: Comparison, sides: Sides) -> Look:
    def on(side: Side) -> Callable[[Sequence[Key]], Hashes]:
        def hashes(keys: Sequence[Key]) -> Hashes:
            rows = sides.ask(side, *comparison.again(side, keys))
            return {tuple(row[1:]): row[0] for row in rows}

        return hashes

    legacy, modern = on("legacy"), on("modern")
    truth, follower = (legacy, modern) if sides.direction == "forward" else (modern, legacy)
    return Look(truth, follower, sides.catch_up)


def _totals(comparison: Comparison, view: View) -> tuple[Total, ...]:
    """Sums of money by currency, without the rows that are in flight between both snapshots."""
    columns = comparison.money
    if not columns:
        return ()
    keys = view.in_flight(comparison)
    legacy, modern = view.sides.both(partial(comparison.totals, without=sorted(keys or (), key=str)))
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
