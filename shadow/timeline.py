"""Agreement and latency over time in the store: at most MOMENTS_MAX intervals, however long the run.

Intervals begin at one second. When a run outgrows them, each two neighbours become one of double length.
"""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass

from sqlalchemy import Connection, bindparam, delete, insert, select, update

from shadow import tables
from shadow.tally import Instant
from shadow.upserts import upsert

MOMENTS_MAX = 240
NUMBERS = ("compared", "disagreeing", "new_keys", "timed", "legacy_seconds", "modern_seconds")

_RUN = select(tables.run.c.started_at, tables.run.c.moment_seconds).where(
    tables.run.c.capability == bindparam("capability")
)
_ADD = upsert(tables.moment, add=NUMBERS)


@dataclass(slots=True)
class Sums:
    """One interval's sums."""

    compared: int = 0
    disagreeing: int = 0
    new_keys: int = 0
    timed: int = 0
    legacy_seconds: float = 0.0
    modern_seconds: float = 0.0

    def add(self, instant: Instant) -> None:
        """Add the pairs of one time."""
        self.compared += instant.compared
        self.disagreeing += instant.disagreeing
        self.timed += instant.timed
        self.legacy_seconds += instant.legacy_seconds
        self.modern_seconds += instant.modern_seconds


def add_instants(connection: Connection, capability: str, instants: list[Instant], new_keys: int) -> None:
    """Add a batch; its new keys are put at its last pair. The capability's run must be there."""
    if not instants:
        return
    started_at, seconds = connection.execute(_RUN, {"capability": capability}).one()
    last = max(instant.at for instant in instants)
    if last - started_at >= seconds * MOMENTS_MAX:
        seconds = _widen(connection, capability, last - started_at, seconds)
    sums: dict[int, Sums] = defaultdict(Sums)
    for instant in instants:
        sums[max(0, int((instant.at - started_at) / seconds))].add(instant)
    sums[max(0, int((last - started_at) / seconds))].new_keys += new_keys
    connection.execute(_ADD, [_row(capability, number, one) for number, one in sums.items()])


def _row(capability: str, number: int, sums: Sums) -> dict[str, object]:
    return {"capability": capability, "number": number, **{name: getattr(sums, name) for name in NUMBERS}}


def _widen(connection: Connection, capability: str, needed_seconds: float, seconds: float) -> float:
    factor = 1
    while needed_seconds >= seconds * factor * MOMENTS_MAX:
        factor *= 2
    here = tables.moment.c.capability == capability
    merged: dict[int, Sums] = defaultdict(Sums)
    for row in connection.execute(select(tables.moment).where(here)).mappings():
        sums = merged[row["number"] // factor]
        for name in NUMBERS:
            setattr(sums, name, getattr(sums, name) + row[name])
    connection.execute(delete(tables.moment).where(here))
    if merged:
        connection.execute(insert(tables.moment), [_row(capability, number, sums) for number, sums in merged.items()])
    wider = update(tables.run).where(tables.run.c.capability == capability).values(moment_seconds=seconds * factor)
    connection.execute(wider)
    return seconds * factor
