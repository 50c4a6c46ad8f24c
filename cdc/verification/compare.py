"""The rows of one table on both sides: which keys differ at one place of the log, and which must be looked at again.

Sums of hashes per half-open range of the key on both sides at once; where they differ, sums per bucket; where those
differ, keys. What is in flight between both snapshots is taken out of the sums, by its keys, and is looked at again,
whether it differs or not. Without snapshots whatever differs is only doubtful.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from functools import partial

from cdc.verification.aligned import View, Views
from cdc.verification.key_ranges import key_ranges
from cdc.verification.verify_sides import Sides
from cdc.verification.verify_since import Asking, Mark, touched_keys, without
from cdc.verification.verify_sql import Comparison, Key, Range

ROWS_PER_RANGE = 1_000_000
KEYS_MAX = 10_000  # differing keys of one table that are looked at; more are not told one by one
BUCKETS_AT_ONCE = 16
AGAIN_MAX = 20
Pair = tuple[object, object]  # hashes of the side that is right and of the one that follows; None is no row
Sums = tuple[int, object]


@dataclass
class Found:
    """What a look at a table has found; `is_complete` if these are all keys that differ.

    `position` is the place of the log at which the last of it was compared; None where both sides were looked at as
    they were.
    """

    rows: int = 0
    differing: dict[Key, Pair] = field(default_factory=dict)
    doubtful: dict[Key, None] = field(default_factory=dict)
    is_complete: bool = True
    position: str | None = None

    def __len__(self) -> int:
        return len(self.differing) + len(self.doubtful)


def compare_all(comparison: Comparison, live: Sides, views: Views, progress: Callable[[int], None]) -> Found:
    """Compare every row; `progress` is told how many rows have been compared."""
    found, look = Found(), _Look(comparison, views.now())
    for part in key_ranges(comparison, "modern", ROWS_PER_RANGE, partial(live.ask, "modern")):
        view = views.now()
        if view is not look.view:
            look = _Look(comparison, view)
        found.doubtful |= dict.fromkeys(look.in_flight or ())
        rows, legacy, modern = look.sums(part)
        found.rows += rows
        progress(found.rows)
        if legacy != modern:
            found.is_complete = look.collect(part, found) and found.is_complete
    found.position = look.position
    return found


def compare_since(comparison: Comparison, views: Views, mark: Mark) -> Found | None:
    """Compare what either side has written since; None where the whole table must be compared.

    That is so where rows are looked up in another table: one that changed there has touched none here.
    """
    if comparison.mapping.lookups:
        return None
    look = _Look(comparison, views.now())
    catch_up = look.sides.catch_up if look.in_flight is None and look.sides.is_followed else None
    asking = Asking(look.sides.both, catch_up, look.in_flight)
    keys = touched_keys(comparison, mark, asking, KEYS_MAX)
    if keys is None:
        return None
    found = Found(len(keys), doubtful=dict.fromkeys(look.in_flight or ()), position=look.position)
    if keys:
        left, right = look.sides.both(lambda side: comparison.again(side, list(keys)))
        look.note(left, right, found)
    return found


def compare_keys(comparison: Comparison, views: Views, keys: Sequence[Key]) -> Found:
    """Compare some rows only; keys may be given as texts."""
    look = _Look(comparison, views.now())
    found = Found(len(keys), position=look.position)
    if keys:
        left, right = look.sides.both(partial(comparison.again, keys=keys))
        own = {row[1:] for row in (*left, *right)}
        found.doubtful = dict.fromkeys(own & look.in_flight if look.in_flight is not None else ())
        look.note(left, right, found)
    return found


def compare_again(comparison: Comparison, views: Views, found: Found) -> None:
    """Look at what was in flight at other places of the log, until it is known whether it differs, or often enough."""
    for _ in range(AGAIN_MAX):
        if not found.doubtful or found.position is None:
            return
        look = _Look(comparison, views.renewed())
        if look.in_flight is None:
            return
        keys = list(found.doubtful)
        found.doubtful = {key: None for key in keys if key in look.in_flight}
        left, right = look.sides.both(partial(comparison.again, keys=keys))
        look.note(left, right, found)
        found.position = look.position


class _Look:
    """One table seen by one view."""

    def __init__(self, comparison: Comparison, view: View) -> None:
        self.view, self._comparison = view, comparison
        self.in_flight = view.in_flight(comparison)
        self.position = None if self.in_flight is None else view.position
        self.sides = view.sides

    def sums(self, part: Range) -> tuple[int, Sums, Sums]:
        """Rows in a range; their number and the sum of their hashes in legacy and modern, without what is in flight."""
        legacy, modern = (rows[0] for rows in self.sides.both(partial(self._comparison.sums, part=part)))
        rows = max(legacy[0], modern[0])
        if self.in_flight and legacy != modern:
            less = self.sides.both(partial(self._comparison.sums_of, part=part, keys=list(self.in_flight)))
            return rows, without(legacy, less[0][0]), without(modern, less[1][0])
        return rows, legacy, modern

    def collect(self, part: Range, found: Found) -> bool:
        """Add the keys of a range that differ; false where there are more than can be looked at."""
        legacy, modern = self.sides.both(partial(self._comparison.buckets, part=part))
        ours = {row[0]: row[1:] for row in legacy}
        theirs = {row[0]: row[1:] for row in modern}
        differing = sorted(bucket for bucket in ours.keys() | theirs.keys() if ours.get(bucket) != theirs.get(bucket))
        for start in range(0, len(differing), BUCKETS_AT_ONCE):
            if len(found) > KEYS_MAX:
                return False
            some = differing[start : start + BUCKETS_AT_ONCE]
            left, right = self.sides.both(partial(self._comparison.keys, part=part, buckets=some))
            self.note(left, right, found)
        return True

    def note(self, legacy: Iterable[tuple[object, ...]], modern: Iterable[tuple[object, ...]], found: Found) -> None:
        """Rows of hash and key: those that differ are differences, or doubtful."""
        ours, theirs = ({row[1:]: row[0] for row in rows} for rows in (legacy, modern))
        is_forward = self.sides.direction == "forward"
        for key in ours.keys() | theirs.keys():
            pair = (ours.get(key), theirs.get(key))
            if pair[0] == pair[1] or key in found.doubtful:
                continue
            if self.in_flight is None:
                found.doubtful[key] = None
            else:
                found.differing[key] = pair if is_forward else pair[::-1]
