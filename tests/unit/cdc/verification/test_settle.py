"""What a write in flight makes differ is no difference, what stays is one, and a key that is written all the time ends."""

from __future__ import annotations

from itertools import count
from time import monotonic

from cdc.verification.settle import Look, settle

KEY = (1,)


def test_a_key_that_is_written_all_the_time_is_no_difference_and_soon_known_to_be_none() -> None:
    writes = count()
    values: list[int] = []

    def truth(_: object) -> dict[tuple[object, ...], object]:
        values.append(next(writes))
        return {KEY: values[-1]}

    def follower(_: object) -> dict[tuple[object, ...], object]:
        return {KEY: next(writes) - 9}  # behind by some writes, most of which nobody saw

    started = monotonic()
    found = settle([KEY], Look(truth, follower, lambda _: True), settle_seconds=5, deadline_seconds=30)
    assert (found.differences, found.unsettled) == ({}, 0)
    assert monotonic() - started < 5


def test_a_difference_that_stays_is_one() -> None:
    look = Look(lambda _: {KEY: 1}, lambda _: {KEY: 2}, lambda _: True)
    assert settle([KEY], look, settle_seconds=0.01, deadline_seconds=5).differences == {KEY: (1, 2)}


def test_a_follower_that_never_moved_counts_where_nothing_is_applied_any_more() -> None:
    look = Look(lambda _: {KEY: 1}, lambda _: {}, lambda _: False)
    found = settle([KEY], look, settle_seconds=0.01, deadline_seconds=0.02)
    assert found.differences == {KEY: (1, None)}
