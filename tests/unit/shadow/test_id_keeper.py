from __future__ import annotations

import os
from contextlib import closing
from pathlib import Path

import msgspec
import pytest

from shadow.compare import EQUAL
from shadow.correspondence import Met
from shadow.id_keeper import IdKeeper, learned_of
from shadow.redact import KEY_VARIABLE
from shadow.store import Store
from shadow.tally import Judged
from shadow.vault import KEYS_VARIABLE
from tests.support.answers import pair

INSTALLATION = {KEY_VARIABLE: "a key for tests only"}
SAMPLES = {**INSTALLATION, KEYS_VARIABLE: "a:" + "YWFhYWFhYWFhYWFhYWFhYWFhYWFhYWFhYWFhYWFhYWE="}


def taught(*met: Met, at: float = 1000.0, key: str | None = "k1") -> Judged:
    return pair({}, {}, at=at, key=key), msgspec.structs.replace(EQUAL, learned=met)


def store_with(path: Path | str, environ: dict[str, str], seconds: float = 100.0) -> Store:
    store = Store(path)
    store.id_keeper = IdKeeper(environ, {"accounts": seconds}.get)
    return store


@pytest.mark.parametrize("environ", [INSTALLATION, SAMPLES])
def test_ids_survive_the_process_and_no_file_shows_them(tmp_path: Path, environ: dict[str, str]) -> None:
    path = tmp_path / "shadow.db"
    with closing(store_with(path, environ)) as store:
        store.record([taught(Met("transfer", "legacy-one", "modern-one")), taught(Met("transfer", 2, "modern-two"))])
        assert not any(
            b"legacy-one" in file.read_bytes() or b"modern-" in file.read_bytes() for file in tmp_path.iterdir()
        )
    with closing(store_with(path, environ)) as store:
        assert [(one.legacy, one.modern) for one in store.ids_of("accounts", 0.0)] == [
            ("legacy-one", "modern-one"),
            (2, "modern-two"),
        ]
    with closing(store_with(path, {KEY_VARIABLE: "another installation"})) as store:
        assert store.ids_of("accounts", 0.0) == []


def test_the_first_partner_stays_and_old_ones_go_with_the_retention(tmp_path: Path) -> None:
    with closing(store_with(tmp_path / "shadow.db", INSTALLATION)) as store:
        store.record([taught(Met("transfer", 1, "a"))])
        store.record([taught(Met("transfer", 1, "b"))])
        assert [one.modern for one in store.ids_of("accounts", 0.0)] == ["a"]
        store.record([taught(Met("transfer", 2, "c"), at=1101.0)])
        assert [one.modern for one in store.ids_of("accounts", 0.0)] == ["c"]
        assert store.ids_of("accounts", 1102.0) == []


def test_what_a_subject_taught_can_be_erased_and_a_new_run_begins_with_nothing(tmp_path: Path) -> None:
    with closing(store_with(tmp_path / "shadow.db", INSTALLATION)) as store:
        store.record([taught(Met("transfer", 1, "a")), taught(Met("transfer", 2, "b"), key="k2")])
        store.erase("accounts", ["k1"])
        assert [one.modern for one in store.ids_of("accounts", 0.0)] == ["b"]
        store.reset("accounts", 1.0)
        assert store.ids_of("accounts", 0.0) == []


def test_only_pairs_that_were_judged_teach() -> None:
    assert list(learned_of([(pair({}, {}), None), taught()])) == []


def test_without_a_keeper_there_are_no_ids(tmp_path: Path) -> None:
    with closing(Store(tmp_path / "shadow.db")) as store:
        store.record([taught(Met("transfer", 1, "a"))])
        assert store.ids_of("accounts", 0.0) == []
    assert KEYS_VARIABLE not in os.environ
