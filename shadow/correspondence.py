"""Which ids of legacy and modern belong together where each side assigns its own: learned from pairs that agree.

The first pair of answers in which two ids meet teaches that they belong together; from then on each of them with any
other partner is a difference, and nothing is learned over. Only pairs that agree in everything else teach. What is
known is bounded, the oldest is forgotten first, and after the retention of the capability all of it is.

    pair 1   legacy 4711, modern t-9     unknown: equivalent, and learned
    pair 2   legacy 4711, modern t-9     equivalent
    pair 3   legacy 4711, modern t-8     different, and 4711 still belongs to t-9
    pair 4   legacy 4712, modern t-9     different
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator
from typing import Any, NamedTuple

import msgspec

from shadow.observation import Side

IDS_MAX = 50_000
"""For each capability; a pair of ids takes some 500 bytes in the comparer and in each worker."""
ID_CHARACTERS_MAX = 200
INTEGER_MAX = 1 << 63
TOLD_MAX = 500

Id = str | int


class Met(NamedTuple):
    """Two ids that a pair has shown to belong together: what they are ids of, and both."""

    name: str
    legacy: Id
    modern: Id


class Belonging(msgspec.Struct, frozen=True, gc=False, array_like=True):
    """Two ids that belong together, since that time."""

    name: str
    legacy: Id
    modern: Id
    at: float


class Told(msgspec.Struct, frozen=True):
    """What the comparer tells a worker of a capability's ids. `is_anew`: what the worker knew before is void."""

    capability: str
    seconds: float
    ids: tuple[Belonging, ...]
    is_anew: bool = False


def is_id(value: Any) -> bool:
    """Whether a value can be an id; what is too long for one, or cannot be written, is compared like any value."""
    if type(value) is int:
        return abs(value) < INTEGER_MAX
    return type(value) is str and 0 < len(value) <= ID_CHARACTERS_MAX and value.isprintable()


class Correspondence:
    """The ids of one capability. An id is found by how it is spelt, so the number 7 of an answer is 7 in a path."""

    def __init__(self, seconds: float = math.inf, ids_max: int = IDS_MAX) -> None:
        self.seconds = seconds
        self._ids_max = ids_max
        self._by_legacy: dict[tuple[str, str], Belonging] = {}  # the oldest first
        self._by_modern: dict[tuple[str, str], Belonging] = {}

    def __len__(self) -> int:
        return len(self._by_legacy)

    def __iter__(self) -> Iterator[Belonging]:
        return iter(self._by_legacy.values())

    def partner(self, side: Side, name: str, spelt: str) -> Id | None:
        """The other side's id for an id of that side."""
        found = (self._by_legacy if side == "legacy" else self._by_modern).get((name, spelt))
        if found is None:
            return None
        return found.modern if side == "legacy" else found.legacy

    def put(self, ids: Iterable[Belonging]) -> None:
        """Add what is new; an id that has a partner keeps it."""
        for one in ids:
            ours, theirs = (one.name, str(one.legacy)), (one.name, str(one.modern))
            if ours in self._by_legacy or theirs in self._by_modern:
                continue
            self._by_legacy[ours] = self._by_modern[theirs] = one
            if len(self._by_legacy) > self._ids_max:
                self._forget_oldest()

    def expire(self, now: float) -> None:
        """Forget what was learned too long ago."""
        while self._by_legacy and next(iter(self._by_legacy.values())).at < now - self.seconds:
            self._forget_oldest()

    def _forget_oldest(self) -> None:
        ours = next(iter(self._by_legacy))
        gone = self._by_legacy.pop(ours)
        del self._by_modern[gone.name, str(gone.modern)]

    def meeting(self) -> Meeting:
        """What the ids of one pair of answers are held against."""
        return Meeting(self)


class Meeting:
    """The ids of one pair of answers; `learned` are those that met for the first time."""

    __slots__ = ("_fresh", "_known", "learned")

    def __init__(self, known: Correspondence) -> None:
        self._known = known
        self._fresh: dict[tuple[Side, str, str], str] = {}
        self.learned: list[Met] = []

    def belong(self, name: str, legacy: Id, modern: Id) -> bool:
        """Whether two ids belong together: neither has another partner."""
        ours, theirs = str(legacy), str(modern)
        partners = self._partner("legacy", name, ours), self._partner("modern", name, theirs)
        if partners == (None, None):
            self._fresh["legacy", name, ours] = theirs
            self._fresh["modern", name, theirs] = ours
            self.learned.append(Met(name, legacy, modern))
            return True
        return partners == (theirs, ours)

    def _partner(self, side: Side, name: str, spelt: str) -> str | None:
        known = self._known.partner(side, name, spelt)
        return self._fresh.get((side, name, spelt)) if known is None else str(known)


def told(capability: str, ids: Correspondence, chosen: Iterable[Belonging] | None = None) -> Iterator[Told]:
    """Everything that is known of a capability, or what was chosen of it, in pieces of bounded size."""
    left = list(ids if chosen is None else chosen)
    for start in range(0, max(len(left), 1), TOLD_MAX):
        yield Told(capability, ids.seconds, tuple(left[start : start + TOLD_MAX]), chosen is None and start == 0)
