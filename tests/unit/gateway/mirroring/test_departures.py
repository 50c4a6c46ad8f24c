from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from gateway.mirroring.departures import LOST, Departures
from gateway.mirroring.eligible import Eligible, workers_in
from shadow.compare import EQUAL
from shadow.engine import StoreDown
from shadow.store import Store
from shadow.tally import Progress
from tests.support.answers import pair

PLACE = "accounts", "GET /accounts/{no}"


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    with closing(Store(tmp_path / "shadow.db")) as one:
        yield one


def left(folder: Path, count: int, worker: str = "w1") -> None:
    eligible = Eligible(folder, worker)
    for _ in range(count):
        eligible.count(*PLACE)
    eligible.close()


def test_what_was_not_told_is_dropped_once(tmp_path: Path, store: Store) -> None:
    left(tmp_path, 5)
    store.record([(pair({}, {}), EQUAL)] * 2, {"w1": Progress(2, {PLACE: 2})})
    departures = Departures(store, tmp_path)
    departures.settle(all_have_come=False)
    assert departures, "its events may still wait"
    departures.settle(all_have_come=True)
    accounting = store.summary("accounts").accounting
    assert (accounting.eligible, accounting.compared, accounting.dropped) == (5, 2, {LOST: 3})
    assert not departures
    left(tmp_path, 5)  # as if we had been killed before the file was taken away
    Departures(store, tmp_path).settle(all_have_come=True)
    assert store.summary("accounts").accounting == accounting


def test_a_worker_that_has_told_everything_leaves_nothing_behind(tmp_path: Path, store: Store) -> None:
    left(tmp_path, 2)
    store.record([(pair({}, {}), EQUAL)] * 2, {"w1": Progress(2, {PLACE: 2})})
    departures = Departures(store, tmp_path)
    departures.add("w1")
    departures.settle(all_have_come=False)
    assert store.summary("accounts").accounting.dropped == {}
    assert workers_in(tmp_path) == []


def test_a_worker_that_lives_is_settled_when_it_is_gone(tmp_path: Path, store: Store) -> None:
    eligible = Eligible(tmp_path, "w1")
    eligible.count(*PLACE)
    departures = Departures(store, tmp_path)
    departures.add("w1")
    departures.settle(all_have_come=True)
    assert departures
    eligible.close()
    departures.settle(all_have_come=False)
    assert store.summary("accounts").accounting.dropped == {LOST: 1}
    departures.add("w2")
    departures.discard("w2")
    assert not departures


def test_while_the_store_is_down_it_is_put_off(tmp_path: Path, store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    left(tmp_path, 1)
    departures = Departures(store, tmp_path)

    def down(*_: Any) -> None:
        raise StoreDown(store.place, "disk full")

    with monkeypatch.context() as broken:
        broken.setattr(store, "record", down)
        with pytest.raises(StoreDown):
            departures.settle(all_have_come=True)
    departures.settle(all_have_come=True)
    assert store.summary("accounts").accounting.dropped == {LOST: 1}
