"""Paired latencies in the store: sums of ln(modern / legacy) and a uniform sample of pairs, by who went first."""

from __future__ import annotations

import random
from collections.abc import Mapping

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


def add_times(connection: Connection, scope_id: int, times: Mapping[bool, Times], chance: random.Random) -> None:
    """Add a batch of paired latencies, by whether modern was asked first, to a scope."""
    for is_modern_first, group in times.items():
        _add_group(connection, {"scope_id": scope_id, "modern_first": is_modern_first}, group, chance)


def _add_group(connection: Connection, here: dict[str, object], group: Times, chance: random.Random) -> None:
    seen = connection.execute(_SEEN, here).scalar() or 0
    count = len(group.legacy)
    sums = {"pairs": count, "sum_log": group.sum_log, "sum_log_squared": group.sum_log_squared}
    connection.execute(_ADD, here | sums)
    chosen = reservoir_slots(seen, count, SAMPLE_MAX, chance)
    rows = [
        {**here, "slot": slot, "legacy_seconds": group.legacy[item], "modern_seconds": group.modern[item]}
        for slot, item in chosen.items()
    ]
    if rows:
        connection.execute(_PUT_SAMPLE, rows)
