from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from config.errors import DatabaseDown
from gateway.idempotency.store import LEASE_SECONDS, Operation, Store

KEEP = 100.0
T = 1_000_000.0


@pytest.fixture
def url(tmp_path: Path) -> str:
    return f"sqlite:///{tmp_path}/control.db"


@pytest.fixture
def store(url: str) -> Iterator[Store]:
    one = Store(url, "worker-1", KEEP)
    yield one
    one.close()


def claim(name: str, key: str = "k") -> Operation:
    return Operation("claim", key, name)


def test_a_key_belongs_to_the_first_who_claims_it_and_says_what_became_of_it(store: Store, url: str) -> None:
    other = Store(url, "worker-2", KEEP)
    assert store.apply([claim("a"), claim("b")], T)[0] is None
    (record,) = other.apply([claim("c")], T)
    assert record is not None
    assert (record.state, record.is_alive) == ("begun", True)
    store.apply([Operation("finish", "k", "a", "answered", b"sealed")], T)
    (record,) = other.apply([claim("c")], T)
    assert record is not None
    assert (record.state, record.sealed) == ("answered", b"sealed")
    other.close()


def test_a_claim_whose_commit_was_not_heard_of_is_still_its_own(store: Store) -> None:
    assert store.apply([claim("a")], T) == [None]
    assert store.apply([claim("a")], T) == [None]


def test_a_lease_ends_with_its_worker_and_is_renewed_by_it(store: Store) -> None:
    store.apply([claim("a")], T)
    store.renew(T + LEASE_SECONDS - 1)
    (record,) = store.apply([claim("b")], T + LEASE_SECONDS + 1)
    assert record is not None
    assert record.is_alive
    (record,) = store.apply([claim("b")], T + 3 * LEASE_SECONDS)
    assert record is not None
    assert (record.state, record.is_alive) == ("begun", False)


def test_only_the_claim_that_made_a_row_changes_it(store: Store) -> None:
    store.apply([claim("a")], T)
    store.apply([Operation("finish", "k", "b", "answered", b"x"), Operation("release", "k", "b")], T)
    (record,) = store.apply([claim("c")], T)
    assert record is not None
    assert record.state == "begun"
    store.apply([Operation("release", "k", "a")], T)
    assert store.apply([claim("c")], T) == [None], "what was given back is free"


def test_an_answer_is_not_given_back(store: Store) -> None:
    store.apply([claim("a"), Operation("finish", "k", "a", "answered", b"x"), Operation("release", "k", "a")], T)
    assert store.apply([claim("b")], T) != [None]


def test_a_key_expires_and_its_row_goes(store: Store) -> None:
    store.apply([claim("a"), claim("b", "other")], T)
    assert store.purge(T + KEEP - 1) == 0
    assert store.apply([claim("c")], T + KEEP + 1) == [None]
    assert store.purge(T + KEEP + 1) == 1


def test_a_database_that_is_not_there_is_said_without_its_address() -> None:
    store = Store("postgresql://bank:secret@127.0.0.1:1/none", "worker-1", KEEP)
    with pytest.raises(DatabaseDown) as raised:
        store.apply([claim("a")], T)
    assert "secret" not in str(raised.value)
    store.close()


def test_postgresql_keeps_the_same_rules(modern_db: str) -> None:
    one, other = Store(modern_db, "worker-1", KEEP), Store(modern_db, "worker-2", KEEP)
    assert one.apply([claim("a", "x"), claim("a2", "y")], T) == [None, None]
    assert other.apply([claim("b", "z"), claim("b2", "x")], T)[0] is None
    one.apply([Operation("finish", "x", "a", "answered", b"sealed")], T)
    (record,) = other.apply([claim("c", "x")], T)
    assert record is not None
    assert (record.state, record.sealed) == ("answered", b"sealed")
    assert other.purge(T + KEEP + 1) == 3
    one.close()
    other.close()
