from __future__ import annotations

import pytest

from gateway.mirroring.agreements import NOTED, NOTED_ALL, PAIRS_MAX, TRAVELS, WHOLE_PAIRS_MAX, Agreements, Subject
from shadow.observation import decode, encode

READS: Subject = ("GET /a", "accounts", "legacy", 200)
MISSES: Subject = ("GET /a", "accounts", "legacy", 404)


def agreements() -> Agreements:
    return Agreements(lambda key: key.hex())


def note(one: Agreements, subject: Subject, key: bytes | None) -> None:
    one.note(subject, key, (0.001, 0.002))


def test_first_pairs_of_each_sort_travel_whole_and_the_others_are_counted() -> None:
    one = agreements()
    for subject in (READS, MISSES):
        noted = [one.note(subject, b"k", (1.0, 1.0)) for _ in range(WHOLE_PAIRS_MAX + 2)]
        assert noted == [TRAVELS] * WHOLE_PAIRS_MAX + [NOTED] * 2
    assert [event.count for event in one.take(1.0)] == [2, 2]
    assert one.note(READS, b"k", (1.0, 1.0)) == TRAVELS


def test_every_pair_that_does_not_travel_is_in_one_batch_with_its_key_and_its_times() -> None:
    one = agreements()
    for number in range(WHOLE_PAIRS_MAX + 100):
        note(one, READS, None if number % 10 == 0 else b"%d" % (number % 7))
    (event,) = one.take(5.0)
    assert decode(encode(event)) == event
    assert (event.route, event.capability, event.side, event.status, event.at) == (
        "GET /a",
        "accounts",
        "legacy",
        200,
        5.0,
    )
    assert event.count == 100
    assert event.keyless == 10
    assert sorted(event.keys) == [(b"%d" % number).hex() for number in range(7)]
    assert event.seconds == (0.001, 0.002) * 100
    assert one.take(6.0) == []


def test_batch_that_is_full_says_so() -> None:
    one = agreements()
    for _ in range(WHOLE_PAIRS_MAX):
        note(one, READS, b"k")
    noted = [one.note(READS, b"k", (1.0, 1.0)) for _ in range(PAIRS_MAX)]
    assert noted == [NOTED] * (PAIRS_MAX - 1) + [NOTED_ALL]


def test_key_that_leaves_is_the_token() -> None:
    one = Agreements(lambda _: "token")
    for _ in range(WHOLE_PAIRS_MAX + 1):
        note(one, READS, b"customer 77")
    (event,) = one.take(1.0)
    assert event.keys == ("token",)
    assert b"customer" not in encode(event)


@pytest.mark.parametrize("status", [199, 404, 503])
def test_each_status_has_a_batch_of_its_own(status: int) -> None:
    one = agreements()
    for subject in (READS, (*READS[:3], status)):
        for _ in range(WHOLE_PAIRS_MAX + 3):
            note(one, subject, b"k")
    assert sorted((event.status, event.count) for event in one.take(1.0)) == sorted([(200, 3), (status, 3)])
