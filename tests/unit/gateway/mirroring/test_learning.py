from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import msgspec
import pytest

from gateway.mirroring.learning import Learning
from shadow.correspondence import Correspondence, Met, Told
from shadow.redact import KEY_VARIABLE
from shadow.store import Store
from tests.unit.shadow.test_id_keeper import taught


@pytest.fixture
def store(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Store]:
    monkeypatch.setenv(KEY_VARIABLE, "a key for tests only")
    with closing(Store(tmp_path / "shadow.db")) as one:
        yield one


def said(pieces: Iterator[bytes]) -> list[tuple[list[object], bool]]:
    found = [msgspec.msgpack.decode(piece, type=Told) for piece in pieces]
    return [([one.modern for one in piece.ids], piece.is_anew) for piece in found]


def test_a_worker_that_comes_is_told_everything_and_all_are_told_what_is_new(store: Store) -> None:
    learning = Learning(store)
    ids = Correspondence()
    learning.cover({"accounts": ids}, [])
    assert said(learning.everything()) == [([], True)]
    batch = [taught(Met("transfer", 1, "a"))]
    store.record(batch)
    assert said(learning.news(batch)) == [(["a"], False)]


def test_a_new_table_knows_what_is_stored_and_what_is_not_yet(store: Store) -> None:
    learning = Learning(store)
    learning.cover({"accounts": Correspondence()}, [])
    store.record([taught(Met("transfer", 1, "a"))])
    anew = Correspondence()
    learning.cover({"accounts": anew}, [taught(Met("transfer", 2, "b"), Met("transfer", 1, "never"))])
    assert [one.modern for one in anew] == ["a", "b"]
    assert said(learning.everything()) == [(["a", "b"], True)]


def test_where_no_rule_asks_for_ids_nothing_is_said(store: Store) -> None:
    learning = Learning(store)
    learning.cover({}, [taught(Met("transfer", 1, "a"))])
    assert said(learning.everything()) == said(learning.news([taught(Met("transfer", 1, "a"))])) == []
    assert store.id_keeper is None
