"""The re-check: rows that a stream wrote are compared again when they have settled, for as long as it runs.

    note      the applier notes the keys of a part before it applies it (noted.py), at most so many
    look      once a second, some keys of each table that nobody wrote for a while: the truth's rows, then the place in
              its log, then, when the stream is past that place, the follower's rows
    decide    a key that was written meanwhile waits for another turn; of the others, one that differs is suspected, one
              that differs at a second place is kept as a difference, until it agrees (differences.py)

A key that differs at one place only may be a row whose transaction is in the log and not visible yet; two places make
that as good as impossible. Nobody waits for a re-check, and what it cannot do is counted: keys of large batches and of
full queues are left out. A row that never rests is for `sync verify`.
"""

from __future__ import annotations

import threading
from collections.abc import Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from dataclasses import dataclass, field
from time import monotonic
from typing import Any

import psycopg
import structlog

from cdc.mapping import Mapping
from cdc.plan import StreamPlan
from cdc.streaming.batch import Part
from cdc.verification.differences import KEPT_MAX, Difference, Ident, count, forget, keep, read_differences
from cdc.verification.noted import Noted, Taken
from cdc.verification.touched import SourceKey
from cdc.verification.verify_details import details_of
from cdc.verification.verify_sides import Sides, connect_url
from cdc.verification.verify_sql import Comparison, Side
from config.errors import DatabaseDown

LOOK_SECONDS = 1.0
KEYS_A_LOOK = 100  # of one table, where nothing else is asked for
APPLIED_SECONDS_MAX, WAIT_SECONDS = 5.0, 0.02
AGAIN_SECONDS_MIN, AGAIN_SECONDS_MAX = 1.0, 60.0

_log = structlog.get_logger()
Hashes = dict[Ident, object]


@dataclass
class _Table:
    """One table; `forward` is its mapping from legacy, whatever the direction of the stream is."""

    comparison: Comparison
    source_table: str
    suspected: set[Ident] = field(default_factory=set)
    known: dict[Ident, None] = field(default_factory=dict)  # those that were looked at last are at the end

    @property
    def name(self) -> str:
        """Its name in modern, as a verification tells it."""
        return self.comparison.mapping.target_table


@dataclass
class _Turn:
    """What is looked at of one table now; a key that was not taken but known has no source key."""

    table: _Table
    taken: Taken
    keys: dict[Ident, SourceKey | None]
    truth: Hashes = field(default_factory=dict)


class Recheck:
    """The re-check of one stream; `forward` are the capability's mappings from legacy.

    Of every table up to `keys_a_look` keys are looked at a second, and as many that were found to differ.
    """

    def __init__(
        self, plan: StreamPlan, forward: Sequence[Mapping], ending: threading.Event, keys_a_look: int = KEYS_A_LOOK
    ) -> None:
        self._plan, self._ending, self._keys_a_look = plan, ending, keys_a_look
        self._source: Side = "legacy" if plan.direction == "forward" else "modern"
        self._target: Side = "modern" if plan.direction == "forward" else "legacy"
        tables = [one.source_table if plan.direction == "forward" else one.target_table for one in forward]
        self._tables = [_Table(Comparison(one), name) for one, name in zip(forward, tables, strict=True)]
        self._noted = Noted(tables)

    def note(self, part: Part) -> None:
        """A part is about to be applied."""
        self._noted.note(part, monotonic())

    def run(self) -> None:
        """Look again and again until the stream ends; whatever keeps it from looking is logged and tried again."""
        pause = AGAIN_SECONDS_MIN
        while not self._ending.is_set():
            try:
                with ExitStack() as stack:
                    sides = self._connect(stack)
                    self._remember(sides)
                    while not self._ending.wait(LOOK_SECONDS):
                        self._look(sides)
                        pause = AGAIN_SECONDS_MIN
            except (psycopg.Error, DatabaseDown) as error:
                _log.warning("recheck.interrupted", stream=self._plan.name, reason=type(error).__name__, again_in=pause)
                self._ending.wait(pause)
                pause = min(2 * pause, AGAIN_SECONDS_MAX)

    def _connect(self, stack: ExitStack) -> Sides:
        urls = {self._source: self._plan.source_url, self._target: self._plan.target_url}
        legacy, modern = (stack.enter_context(connect_url(urls[side], side)) for side in ("legacy", "modern"))
        pool = stack.enter_context(ThreadPoolExecutor(2))
        return Sides(legacy, modern, pool, self._plan.name, self._plan.direction)

    def _remember(self, sides: Sides) -> None:
        known = read_differences(sides.on(self._target), self._plan.name)
        for table in self._tables:
            table.known = dict.fromkeys(known.get(table.name, ()))

    def _look(self, sides: Sides) -> None:
        turns = [turn for turn in (self._turn(sides, table) for table in self._tables) if turn.keys]
        checked, left_out = sum(len(turn.taken.keys) for turn in turns), self._noted.take_left_out()
        for turn in turns:
            turn.truth = self._hashes(sides, self._source, turn)
        position = self._applied(sides) if turns else None
        if position is not None:
            for turn in turns:
                self._decide(sides, turn, position)
        else:  # the stream is far behind, or does not apply any more
            checked, left_out = 0, left_out + checked
        if checked or left_out:
            count(sides.on(self._target), self._plan.name, checked, left_out)

    def _turn(self, sides: Sides, table: _Table) -> _Turn:
        taken = self._noted.take(table.source_table, self._keys_a_look, monotonic())
        keys: dict[Ident, SourceKey | None] = dict.fromkeys([*table.suspected, *table.known][: self._keys_a_look])
        for key in table.known.keys() & keys.keys():
            del table.known[key]
            table.known[key] = None
        if taken.keys:
            rows = sides.ask(self._source, *table.comparison.keyed(self._source, taken.keys))
            keys |= zip(map(_ident, rows), taken.keys, strict=True)
        return _Turn(table, taken, keys)

    def _hashes(self, sides: Sides, side: Side, turn: _Turn) -> Hashes:
        rows = sides.ask(side, *turn.table.comparison.again(side, list(turn.keys)))
        return {_ident(row[1:]): row[0] for row in rows}

    def _applied(self, sides: Sides) -> str | None:
        """The source's place now, when the stream is past it; None if that takes too long."""
        row = sides.on(self._source).execute("SELECT pg_current_wal_insert_lsn()::text").fetchone()
        position = str(row[0]) if row else "0/0"
        sides.beat(self._source)
        query = "SELECT FROM strangler.stream WHERE name = %s AND mode = 'apply' AND position >= %s::text::pg_lsn"
        deadline = monotonic() + APPLIED_SECONDS_MAX
        while monotonic() < deadline and not self._ending.wait(WAIT_SECONDS):
            if sides.on(self._target).execute(query, (self._plan.name, position)).fetchone() is not None:
                return position
        return None

    def _decide(self, sides: Sides, turn: _Turn, position: str) -> None:
        table, follower = turn.table, self._hashes(sides, self._target, turn)
        pairs = {key: (turn.truth.get(key), follower.get(key)) for key in turn.keys}
        stayed = {key for key, own in turn.keys.items() if own is None or self._noted.has_stayed(turn.taken, own)}
        differing = {key for key, (truth, other) in pairs.items() if truth != other and key in stayed}
        agreeing = {key for key, (truth, other) in pairs.items() if truth == other}
        found = differing & table.suspected
        table.suspected = (table.suspected | differing) - agreeing - found - table.known.keys()
        self._forget(sides, table, agreeing & table.known.keys())
        self._keep(sides, table, {key: pairs[key] for key in list(found)[: KEPT_MAX - len(table.known)]}, position)

    def _keep(self, sides: Sides, table: _Table, found: dict[Ident, tuple[object, object]], position: str) -> None:
        if not found:
            return
        # Keys as the databases give them, for the columns are found by these.
        keys = {key: _ident(key) for key in self._as_they_are(sides, table, found)}
        by_key = {key: found[ident] for key, ident in keys.items()}
        details = details_of(table.comparison, list(by_key), by_key, sides.both, with_values=False)
        rows = [Difference(table.name, keys[one.key], one.kind, one.columns, position) for one in details]
        keep(sides.on(self._target), self._plan.name, table.comparison.mapping.key, rows)
        table.known |= dict.fromkeys(found)
        columns = sorted({column for one in details for column in one.columns})
        _log.warning("recheck.differs", stream=self._plan.name, table=table.name, rows=len(rows), columns=columns)

    def _as_they_are(self, sides: Sides, table: _Table, found: Iterable[Ident]) -> Iterable[tuple[Any, ...]]:
        return [tuple(row) for row in sides.ask("modern", *table.comparison.keyed("modern", list(found)))]

    def _forget(self, sides: Sides, table: _Table, agreeing: set[Ident]) -> None:
        if agreeing:
            forget(sides.on(self._target), self._plan.name, table.name, table.comparison.mapping.key, agreeing)
            for key in agreeing:
                del table.known[key]
            _log.info("recheck.agrees", stream=self._plan.name, table=table.name, rows=len(agreeing))


def _ident(row: Sequence[object]) -> Ident:
    return tuple(map(str, row))
