"""Clusters of differences in the store: counts, and a uniform sample of bounded size for each.

The sample is a reservoir: whenever it is read, every occurrence so far had the same chance to
be in it, so it shows what is typical and not what came first.
"""

from __future__ import annotations

import math
import random

from sqlalchemy import Connection, bindparam, select

from shadow import tables
from shadow.tally import ClusterKey, Occurrence
from shadow.upserts import upsert

CLUSTERS_MAX = 200
SAMPLE_MAX = 8
OVERFLOW: ClusterKey = ("(more)", "value", "-")

_UNIQUE = ("scope_id", "path", "kind", "shape")
_KNOWN = select(
    tables.cluster.c.path,
    tables.cluster.c.kind,
    tables.cluster.c.shape,
    tables.cluster.c.occurrences + tables.cluster.c.races,
).where(tables.cluster.c.scope_id == bindparam("scope_id"))
_ADD = upsert(tables.cluster, add=("occurrences", "races"), put=("last_at",), by=_UNIQUE).returning(tables.cluster.c.id)
_PUT_SAMPLE = upsert(tables.sample, put=("at", "place", "control_shown", "candidate_shown"))


def add_clusters(
    connection: Connection, scope_id: int, found: dict[ClusterKey, list[Occurrence]], chance: random.Random
) -> None:
    """Add a batch's differences. Past CLUSTERS_MAX new sorts go into one cluster, so that they are still counted."""
    if not found:
        return
    known = _known(connection, scope_id)
    merged: dict[ClusterKey, list[Occurrence]] = {}
    for key, occurrences in found.items():
        fits = key in known or len(known.keys() | merged.keys()) < CLUSTERS_MAX
        merged.setdefault(key if fits else OVERFLOW, []).extend(occurrences)
    for key, occurrences in merged.items():
        _add(connection, (scope_id, *key), known.get(key, 0), occurrences, chance)


def _known(connection: Connection, scope_id: int) -> dict[ClusterKey, int]:
    rows = connection.execute(_KNOWN, {"scope_id": scope_id})
    return {(path, kind, shape): count for path, kind, shape, count in rows}


def _add(
    connection: Connection,
    place: tuple[int, str, str, str],
    seen: int,
    occurrences: list[Occurrence],
    chance: random.Random,
) -> None:
    races = sum(occurrence.race for occurrence in occurrences)
    times = [occurrence.at for occurrence in occurrences]
    row = dict(zip(_UNIQUE, place, strict=True)) | {"occurrences": len(occurrences) - races, "races": races}
    cluster_id = connection.execute(_ADD, row | {"first_at": min(times), "last_at": max(times)}).scalar_one()
    slots = reservoir_slots(seen, len(occurrences), SAMPLE_MAX, chance)
    _write_samples(connection, cluster_id, {slot: occurrences[index] for slot, index in slots.items()})


def reservoir_slots(seen: int, arriving: int, size: int, chance: random.Random) -> dict[int, int]:
    """Which of the arriving items go into which slot of a reservoir that has seen so many before: slot to item.

    Li's algorithm L, which leaps from one chosen item to the next: a batch costs what is chosen of it. The threshold is
    not remembered between batches but drawn anew from its distribution, which is right because in a uniform reservoir
    the choice of an item does not depend on what was chosen before.
    """
    filling = min(max(size - seen, 0), arriving)
    chosen = {seen + item: item for item in range(filling)}
    if filling == arriving:
        return chosen
    threshold = chance.betavariate(size, seen + filling - size + 1)
    item = filling + _leap(threshold, chance)
    while item < arriving:
        chosen[chance.randrange(size)] = item
        threshold *= (1.0 - chance.random()) ** (1.0 / size)
        item += 1 + _leap(threshold, chance)
    return chosen


def _leap(threshold: float, chance: random.Random) -> int:
    """How many items are passed over until one's number, uniform in 0 to 1, is below the threshold."""
    within = min(max(threshold, 1e-300), 1.0 - 1e-16)  # it may be rounded to 0 or to 1
    return int(math.log(1.0 - chance.random()) / math.log1p(-within))


def _write_samples(connection: Connection, cluster_id: int, chosen: dict[int, Occurrence]) -> None:
    rows = [
        {
            "cluster_id": cluster_id,
            "slot": slot,
            "at": occurrence.at,
            "place": occurrence.difference.place,
            "control_shown": occurrence.difference.control_shown,
            "candidate_shown": occurrence.difference.candidate_shown,
        }
        for slot, occurrence in chosen.items()
    ]
    if rows:
        connection.execute(_PUT_SAMPLE, rows)
