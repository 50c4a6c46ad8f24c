from __future__ import annotations

import tempfile
from collections.abc import Iterator
from pathlib import Path
from zlib import crc32

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gateway.freshness import SLOTS, Freshness, FreshnessUnusable

KEYS = st.binary(min_size=1, max_size=12)
TIMES = st.integers(min_value=2, max_value=(1 << 63) - 1)


@pytest.fixture
def shared(tmp_path: Path) -> Iterator[Freshness]:
    freshness = Freshness(tmp_path / "freshness", ("accounts", "cards"), create=True)
    yield freshness
    freshness.close()


def test_nothing_is_fresh_before_the_first_round(shared: Freshness) -> None:
    assert not shared.is_fresh(0, b"anybody")
    assert shared.has_unseen_writes(0)


def test_a_write_is_fresh_once_a_round_that_began_after_it_is_done(shared: Freshness) -> None:
    shared.wrote(0, b"ada", 100)
    shared.advance(0, 99)
    assert not shared.is_fresh(0, b"ada")
    assert shared.is_fresh(0, b"bob")
    assert shared.has_unseen_writes(0)
    shared.advance(0, 100)
    assert shared.is_fresh(0, b"ada")
    assert not shared.has_unseen_writes(0)


def test_capabilities_do_not_share_their_writes(shared: Freshness) -> None:
    shared.advance(0, 50)
    shared.advance(1, 50)
    shared.wrote(1, b"ada", 100)
    assert shared.is_fresh(0, b"ada")
    assert not shared.is_fresh(1, b"ada")


def test_without_a_stream_everything_is_fresh(shared: Freshness) -> None:
    shared.trust(0)
    shared.wrote(0, b"ada", 1 << 62)
    assert shared.is_fresh(0, b"ada")


def test_doubt_outlasts_a_round_that_began_before_it(shared: Freshness) -> None:
    shared.advance(0, 100)
    shared.doubt(0, 200)
    shared.advance(0, 150)
    assert not shared.is_fresh(0, b"ada")
    shared.advance(0, 201)
    assert shared.is_fresh(0, b"ada")


def test_a_worker_that_opens_the_file_sees_what_others_wrote(tmp_path: Path) -> None:
    path = tmp_path / "freshness"
    supervisor = Freshness(path, ("accounts",), create=True, writers=3)
    workers = [Freshness(path, ("accounts",), writer=index) for index in range(3)]
    supervisor.advance(0, 50)
    for number, worker in enumerate(workers):
        key = b"key %d" % number
        worker.wrote(0, key, 100)
        assert not any(other.is_fresh(0, key) for other in workers)
    assert supervisor.has_unseen_writes(0)


def test_an_earlier_time_of_one_worker_does_not_hide_a_later_one_of_another(tmp_path: Path) -> None:
    path = tmp_path / "freshness"
    first = Freshness(path, ("accounts",), create=True, writers=2)
    second = Freshness(path, ("accounts",), writer=1)
    first.wrote(0, b"ada", 200)
    second.wrote(0, b"ada", 100)
    first.advance(0, 150)
    assert not first.is_fresh(0, b"ada")
    assert not second.is_fresh(0, b"ada")
    assert second.has_unseen_writes(0)


def test_names_find_their_block_whatever_their_order(tmp_path: Path) -> None:
    path = tmp_path / "freshness"
    before = Freshness(path, ("accounts", "cards"), create=True)
    before.advance(0, 50)
    before.wrote(1, b"ada", 100)
    after = Freshness(path, ("payments", "cards", "accounts"))
    assert after.is_fresh(2, b"ada")
    assert not after.is_fresh(1, b"ada")
    assert not after.is_fresh(0, b"ada"), "a capability that is new is not fresh"
    before.cover(("payments",))
    before.advance(0, 10)
    assert after.is_fresh(0, b"ada")


def test_a_gateway_that_starts_again_keeps_the_writes_of_the_workers_it_left_behind(tmp_path: Path) -> None:
    path = tmp_path / "freshness"
    left_behind = Freshness(path, ("accounts",), create=True, writers=2)
    again = Freshness(path, ("accounts",), create=True, writers=2)
    left_behind.wrote(0, b"ada", 100)
    again.advance(0, 99)
    assert not again.is_fresh(0, b"ada")


def test_another_number_of_workers_gets_a_file_of_its_own(tmp_path: Path) -> None:
    path = tmp_path / "freshness"
    Freshness(path, ("accounts",), create=True, writers=1).trust(0)
    assert not Freshness(path, ("accounts",), create=True, writers=2).is_fresh(0, b"ada")


def test_a_foreign_file_is_refused(tmp_path: Path) -> None:
    (tmp_path / "freshness").write_bytes(b"something else")
    with pytest.raises(FreshnessUnusable, match="another kind"):
        Freshness(tmp_path / "freshness", ())


@settings(max_examples=60, deadline=None)
@given(writes=st.lists(st.tuples(st.integers(0, 2), KEYS, TIMES), max_size=30), until=TIMES)
def test_a_key_written_after_fresh_until_is_never_fresh(writes: list[tuple[int, bytes, int]], until: int) -> None:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "freshness"
        workers = [Freshness(path, ("accounts",), create=index == 0, writer=index, writers=3) for index in range(3)]
        for worker, key, now in writes:
            workers[worker].wrote(0, key, now)
        workers[0].advance(0, until)
        latest: dict[bytes, int] = {}
        latest_of_slot: dict[int, int] = {}
        for _, key, now in writes:
            latest[key] = max(latest.get(key, 0), now)
            slot = crc32(key) % SLOTS
            latest_of_slot[slot] = max(latest_of_slot.get(slot, 0), now)
        for key, now in latest.items():
            answers = {worker.is_fresh(0, key) for worker in workers}
            if now > until:
                assert answers == {False}
            elif latest_of_slot[crc32(key) % SLOTS] <= until:
                assert answers == {True}
        assert workers[0].has_unseen_writes(0) == any(now > until for now in latest.values())
        for worker in workers:
            worker.close()


def test_keys_that_share_a_slot_make_one_another_staler_and_never_fresher(shared: Freshness) -> None:
    first = b"0"
    twin = next(key for key in (b"%d" % n for n in range(1, 1 << 20)) if crc32(key) % SLOTS == crc32(first) % SLOTS)
    shared.advance(0, 150)
    shared.wrote(0, first, 200)
    shared.wrote(0, twin, 100)
    assert not shared.is_fresh(0, first)
    assert not shared.is_fresh(0, twin)
