"""Paired latencies in the store: sums of ln(modern / legacy) and a uniform sample of pairs, by who went first."""

from __future__ import annotations

import math
import random

from sqlalchemy import Connection, bindparam, select

from shadow import tables
from shadow.clusters import reservoir_slots
from shadow.tally import Times
from shadow.upserts import upsert

SAMPLE_MAX = 1024

_SEEN = select(tables.latency.c.pairs).where(
    tables.latency.c.scope_id == bindparam("scope_id"), tables.latency.c.modern_first == bindparam("modern_first")
)
_ADD = upsert(tables.latency, add=("pairs", "sum_log", "sum_log_squared"))
_PUT_SAMPLE = upsert(tables.latency_sample, put=("legacy_seconds", "modern_seconds"))


def add_times(connection: Connection, scope_id: int, times: list[Times], chance: random.Random) -> None:
    """Add a batch of paired latencies to a scope."""
    for modern_first in (False, True):
        group = [pair for pair in times if pair.modern_first is modern_first]
        if group:
            _add_group(connection, (scope_id, modern_first), group, chance)


def _add_group(connection: Connection, place: tuple[int, bool], group: list[Times], chance: random.Random) -> None:
    here = {"scope_id": place[0], "modern_first": place[1]}
    seen = connection.execute(_SEEN, here).scalar() or 0
    logs = [math.log(pair.modern_seconds / pair.legacy_seconds) for pair in group]
    squares = math.fsum(log * log for log in logs)
    connection.execute(_ADD, {**here, "pairs": len(logs), "sum_log": math.fsum(logs), "sum_log_squared": squares})
    chosen = reservoir_slots(seen, len(group), SAMPLE_MAX, chance)
    rows = [
        {
            **here,
            "slot": slot,
            "legacy_seconds": group[item].legacy_seconds,
            "modern_seconds": group[item].modern_seconds,
        }
        for slot, item in chosen.items()
    ]
    if rows:
        connection.execute(_PUT_SAMPLE, rows)
