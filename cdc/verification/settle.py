"""Differences that writes in flight make, told from those that stay.

A key that differed is looked at again, at a later state of both sides, until one of these holds:
- both sides agree, or the follower has a value that the truth had before: it is on its way, no difference;
- neither side changed between two looks, and the stream had applied all that the truth had at the first: it stays;
- the deadline is over: a follower that never moved counts as a difference, one that moves is unsettled.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from time import monotonic, sleep

from cdc.verification.verify_sql import Key

Hashes = Mapping[Key, object]
FIRST_LOOK_SECONDS, LONGEST_LOOK_SECONDS = 0.05, 1.0
BURST_KEYS_MAX, BURST_LOOKS = 100, 20


@dataclass
class Seen:
    """What was seen of one key so far: all values of the truth, and both values at the last look."""

    truths: set[object] = field(default_factory=set)
    followers: set[object] = field(default_factory=set)
    last: tuple[object, object] | None = None

    def agrees(self, truth: object, follower: object) -> bool:
        """Note what both sides have; true if the follower has what the truth has, or had before."""
        self.truths.add(truth)
        self.followers.add(follower)
        return follower in self.truths


@dataclass(frozen=True)
class Settled:
    """The keys whose difference stayed, with both hashes (None is no row), and how many still moved at the end."""

    differences: Mapping[Key, tuple[object, object]]
    unsettled: int


@dataclass(frozen=True)
class Look:
    """How to see both sides: `truth` and `follower` give the hashes of some keys; `catch_up` waits until the follower
    has applied all that the truth has now and says whether it did, at the latest at a point of monotonic time.
    """

    truth: Callable[[Sequence[Key]], Hashes]
    follower: Callable[[Sequence[Key]], Hashes]
    catch_up: Callable[[float], bool]


def settle(keys: Sequence[Key], look: Look, settle_seconds: float, deadline_seconds: float) -> Settled:
    """Look again and again at the keys that differed. Blocks for `settle_seconds` at least where any key differs."""
    deadline = monotonic() + deadline_seconds
    waiting = {key: Seen() for key in keys}
    stayed: dict[Key, tuple[object, object]] = {}
    pause = FIRST_LOOK_SECONDS
    quiet_since: dict[Key, float] = {}
    while waiting and monotonic() < deadline:
        truth = look.truth(list(waiting))
        caught_up = look.catch_up(min(deadline, monotonic() + LONGEST_LOOK_SECONDS))
        follower = look.follower(list(waiting))
        now = monotonic()
        for key in list(waiting):
            seen, pair = waiting[key], (truth.get(key), follower.get(key))
            if seen.agrees(*pair):
                del waiting[key]
            elif pair != seen.last or not caught_up:
                seen.last = pair
                quiet_since[key] = now
            elif now - quiet_since[key] >= settle_seconds:
                stayed[key] = pair
                del waiting[key]
        _follow(waiting, look)
        if waiting:
            sleep(min(pause, max(deadline - monotonic(), 0)))
            pause = min(pause * 2, LONGEST_LOOK_SECONDS)
    for key, seen in list(waiting.items()):
        if len(seen.followers) <= 1 and seen.last is not None:
            stayed[key] = seen.last
            del waiting[key]
    return Settled(stayed, len(waiting))


def _follow(waiting: dict[Key, Seen], look: Look) -> None:
    """Watch keys that move: of one that is written all the time, a look a second misses nearly every value."""
    moving = {key: seen for key, seen in waiting.items() if len(seen.followers) > 1}
    for _ in range(BURST_LOOKS if len(moving) <= BURST_KEYS_MAX else 0):
        truth, follower = look.truth(list(moving)), look.follower(list(moving))
        for key, seen in list(moving.items()):
            if seen.agrees(truth.get(key), follower.get(key)):
                del moving[key], waiting[key]
        if not moving:
            return
