"""Pairs that agree byte for byte, summed up: what the comparer counts of them without seeing them.

A few of each sort travel whole in every tenth of a second, so that the shapes of answers go on being sampled; the
others are one entry of a batch: the distinct keys, and both sides' times. (A whole pair costs worker and comparer
together some 80 us, an entry about 5.)
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from shadow.observation import Agreed, Side

Subject = tuple[str, str, Side, int]  # route, capability, side of the control, status
WHOLE_PAIRS_MAX: Final = 4
PAIRS_MAX: Final = 2000
TRAVELS, NOTED, NOTED_ALL = range(3)


class Batch:
    """The agreeing pairs of one sort since the last batch was taken."""

    __slots__ = ("keyless", "keys", "seconds", "whole")

    def __init__(self) -> None:
        self.whole = self.keyless = 0
        self.keys: set[bytes] = set()
        self.seconds: list[float] = []


class Agreements:
    """The batches that wait to be taken; bounded, because `note` says when there is enough."""

    def __init__(self, token: Callable[[bytes], str]) -> None:
        """`token` makes of a key what may leave the process."""
        self._token = token
        self._batches: dict[Subject, Batch] = {}

    def note(self, subject: Subject, key: bytes | None, seconds: tuple[float, float]) -> int:
        """TRAVELS for one of the few pairs that go whole; else it is NOTED, and NOTED_ALL when there is enough."""
        batch = self._batches.get(subject)
        if batch is None:
            batch = self._batches[subject] = Batch()
        if batch.whole < WHOLE_PAIRS_MAX:
            batch.whole += 1
            return TRAVELS
        if key is None:
            batch.keyless += 1
        else:
            batch.keys.add(key)
        batch.seconds += seconds
        return NOTED if len(batch.seconds) < 2 * PAIRS_MAX else NOTED_ALL

    def take(self, at: float) -> list[Agreed]:
        """Everything that has been noted, as events of that time."""
        batches, self._batches = self._batches, {}
        return [self._event(subject, batch, at) for subject, batch in batches.items() if batch.seconds]

    def _event(self, subject: Subject, batch: Batch, at: float) -> Agreed:
        route, capability, side, status = subject
        keys = tuple(map(self._token, batch.keys))
        return Agreed(route, capability, side, status, keys, batch.keyless, tuple(batch.seconds), at)
