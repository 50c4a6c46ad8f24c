"""Both databases at one place of the log, while writes and the stream go on: snapshots, and what was written between.

    source  CREATE_REPLICATION_SLOT (temporary)   its snapshot S has exactly what commits before its position L
    target  a snapshot T, once the stream is at L the stream's row in it says exactly where it is: P, a little past L
    source  the slot is peeked from L to P        the keys that were written between, so that S and T may differ there

Every other row must be the same in S and T. The stream neither waits nor knows; the slot goes before anything is
compared. Snapshots hold back what VACUUM may remove, so they are taken anew after a while. Where there is nothing to
align by (no stream that applies, no privilege, no slot, old transactions) the reason is told, and both databases are
looked at as they are.
"""

from __future__ import annotations

import secrets
import threading
from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field, replace
from time import monotonic, sleep
from typing import Any

import psycopg
import structlog
from psycopg import sql

from cdc.connections import connect_for_replication
from cdc.mapping import Mapping
from cdc.state import read_state
from cdc.streaming.slots import create_slot, is_read, name_of
from cdc.streaming.stream import TEXT_SETTINGS
from cdc.verification.touched import Touched, touched
from cdc.verification.verify_sides import Direction, Sides, connect_url
from cdc.verification.verify_sql import Comparison, Key, Side

ATTEMPTS = 3
AGE_SECONDS_MAX = 300.0  # of a pair of snapshots
SLOT_SECONDS_MAX = 10.0  # how long a slot may wait for the transactions that were open when it was made
CATCH_UP_SECONDS_MAX, LOOK_SECONDS = 10.0, 0.005
TOUCHED_MAX = 20_000  # messages of the log between both snapshots
_APPLICATION = "strangler-verify"
_SNAPSHOT = "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY"
_PEEK = sql.SQL(
    "SELECT data FROM pg_logical_slot_peek_binary_changes({}, {}, NULL, 'proto_version', '1', 'publication_names', {}) "
    "LIMIT {}"
)

_log = structlog.get_logger()


class NotAligned(Exception):
    """Why both databases cannot be seen at one place of the log; a reason, not a failure."""


class TooMuchBetween(NotAligned):
    """So much was written between both snapshots that another pair is better."""


@dataclass(frozen=True)
class Carrier:
    """One of a capability's two streams: the sides that it leads from and to."""

    direction: Direction
    source: Side
    target: Side

    def stream(self, other: str) -> str:
        """Its name, from that of either stream."""
        return f"{other.rpartition(':')[0]}:{self.direction}"

    def slot(self, other: str) -> str:
        """Its slot and publication."""
        return name_of(other.rpartition(":")[0], self.direction)

    def touched(self, messages: Sequence[bytes], mappings: Sequence[Mapping]) -> dict[str, Touched]:
        """What some of its log touched, by the tables of legacy."""
        if self.source == "legacy":
            return touched(messages, {one.source_table: one.source_key for one in mappings})
        found = touched(messages, {one.target_table: one.key for one in mappings})
        return {one.source_table: found[one.target_table] for one in mappings if one.target_table in found}


_CARRIERS = (Carrier("forward", "legacy", "modern"), Carrier("reverse", "modern", "legacy"))


@dataclass(frozen=True)
class View:
    """How both databases are seen: at `position` of the log of `source`, or as they are where there is none."""

    sides: Sides
    position: str | None = None
    source: Side = "legacy"
    touched: dict[str, Touched] = field(default_factory=dict)
    taken_at: float = 0.0

    def in_flight(self, comparison: Comparison) -> set[Key] | None:
        """The keys that one side may have newer than the other; None where that may be any."""
        if self.position is None:
            return None
        table, *looked_up = comparison.mapping.tables_read
        found = self.touched.get(table, Touched())
        if found.is_all or (found.keys and not comparison.has_own_key) or not self.touched.keys().isdisjoint(looked_up):
            return None
        if not found.keys:
            return set()
        return {tuple(row) for row in self.sides.ask(self.source, *comparison.keyed(self.source, sorted(found.keys)))}


class Views:
    """The views of one verification; a pair of snapshots serves for a while. `urls` are those of legacy and modern."""

    def __init__(self, live: Sides, urls: dict[Side, str], mappings: Sequence[Mapping]) -> None:
        self._live, self._urls, self._mappings = live, urls, mappings
        self._stack = ExitStack()
        self._view: View | None = None
        self.why_not = ""  # why both databases are looked at as they are

    def live(self) -> View:
        """Both databases as they are at every statement."""
        return View(self._live)

    def now(self) -> View:
        """Both databases at one place of the log, if that can be had."""
        view = self._view
        if view is None or (view.position and monotonic() - view.taken_at > AGE_SECONDS_MAX):
            return self.renewed()
        return view

    def renewed(self) -> View:
        """The same at a later place."""
        self.close()
        self._view = self._take()
        return self._view

    def close(self) -> None:
        """Let the snapshots go."""
        self._stack.close()

    def _take(self) -> View:
        for _ in range(ATTEMPTS):
            try:
                return self._aligned()
            except TooMuchBetween as reason:
                self._give_up(str(reason))
            except NotAligned as reason:
                self._give_up(str(reason))
                break
            except psycopg.Error as error:  # no privilege, no slot left, a transaction that was open for too long, ...
                self._give_up(error.diag.message_primary or type(error).__name__)
                break
        return self.live()

    def _give_up(self, reason: str) -> None:
        self._stack.close()
        self.why_not = reason
        _log.info("verify.not_aligned", stream=self._live.stream, reason=reason)

    def _carrier(self) -> Carrier:
        """The stream that carries changes now: the one of the direction that is asked for, if both do."""
        for one in sorted(_CARRIERS, key=lambda one: one.direction != self._live.direction):
            stream = one.stream(self._live.stream)
            state = read_state(self._live.on(one.target), stream)
            applies = state is not None and (state.state, state.mode) == ("streaming", "apply")
            if applies and self._is_read(one):
                return one
        raise NotAligned("no stream applies changes from one to the other")

    def _is_read(self, one: Carrier) -> bool:
        if one.direction == self._live.direction:
            return self._live.is_followed
        return is_read(self._live.on(one.source), one.slot(self._live.stream)) is True

    def _aligned(self) -> View:
        carrier = self._carrier()
        slot = f"strangler_verify_{secrets.token_hex(6)}"
        with connect_for_replication(self._urls[carrier.source], _APPLICATION) as replication:
            replication.execute(TEXT_SETTINGS)
            replication.execute(_SNAPSHOT)
            begins = _created(replication, slot)
            seen: dict[Side, psycopg.Connection[Any]] = {side: self._open(side) for side in self._urls}
            self._look_at_the_same(replication, seen[carrier.source])
            replication.execute("COMMIT")
            self._live.beat(carrier.source)
            stream = carrier.stream(self._live.stream)
            position = self._snapshot_behind(seen[carrier.target], stream, begins)
            messages = self._peek(replication, slot, position, carrier.slot(self._live.stream))
        sides = replace(self._live, legacy=seen["legacy"], modern=seen["modern"])
        return View(sides, position, carrier.source, carrier.touched(messages, self._mappings), monotonic())

    def _open(self, side: Side) -> psycopg.Connection[Any]:
        return self._stack.enter_context(connect_url(self._urls[side], side))

    def _look_at_the_same(self, replication: psycopg.Connection[Any], conn: psycopg.Connection[Any]) -> None:
        row = replication.execute("SELECT pg_export_snapshot()").fetchone()
        conn.execute(_SNAPSHOT)
        conn.execute(sql.SQL("SET TRANSACTION SNAPSHOT {}").format(sql.Literal(row[0] if row else "")))

    def _snapshot_behind(self, conn: psycopg.Connection[Any], stream: str, begins: str) -> str:
        """Take a snapshot in which the stream is past a position, and say where it is in it."""
        query = "SELECT position::text, position >= %s::text::pg_lsn FROM strangler.stream WHERE name = %s"
        deadline = monotonic() + CATCH_UP_SECONDS_MAX
        while monotonic() < deadline:
            conn.execute(_SNAPSHOT)
            row = conn.execute(query, (begins, stream)).fetchone()
            if row is not None and row[1]:
                return str(row[0])
            conn.execute("ROLLBACK")
            sleep(LOOK_SECONDS)
        raise NotAligned(f"{stream} did not come to the snapshot's place within {CATCH_UP_SECONDS_MAX:g} s")

    def _peek(self, replication: psycopg.Connection[Any], slot: str, position: str, publication: str) -> list[bytes]:
        """What was committed from the slot's beginning to a position."""
        query = _PEEK.format(*map(sql.Literal, (slot, position, publication, TOUCHED_MAX + 1)))
        rows = replication.execute(query).fetchall()
        if len(rows) > TOUCHED_MAX:
            raise TooMuchBetween(f"more than {TOUCHED_MAX:,} changes came between both snapshots")
        return [bytes(row[0]) for row in rows]


def _created(replication: psycopg.Connection[Any], slot: str) -> str:
    """Make the slot and return where it begins. No setting of the server bounds how long that takes."""
    timer = threading.Timer(SLOT_SECONDS_MAX, replication.cancel_safe, kwargs={"timeout": SLOT_SECONDS_MAX})
    timer.start()
    try:
        return create_slot(replication, slot, with_snapshot=True, is_temporary=True)
    except psycopg.errors.QueryCanceled as error:
        raise NotAligned(f"transactions have been open on the source for longer than {SLOT_SECONDS_MAX:g} s") from error
    finally:
        timer.cancel()
        timer.join()
