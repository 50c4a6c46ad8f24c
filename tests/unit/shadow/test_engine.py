"""The store in PostgreSQL does what the store in a file does; where either is, and what is said when it is down."""

from __future__ import annotations

import threading
from contextlib import closing
from pathlib import Path

import psycopg
import pytest

from config.model import Routes
from config.reader import parse_routes
from shadow.accounting import problems
from shadow.engine import SCHEMA, Place, SharedStoreNeedsKey, StoreDown, check_shared, place_of, shown
from shadow.observation import Agreed, Dropped, Errored, Skipped
from shadow.store import Store
from shadow.tally import Judged, Progress
from tests.support.answers import DIFFERENT, EQUAL, pair
from tests.unit.shadow.test_keeper import VAULT, store_with


def routes(folder: Path, url: str) -> Routes:
    text = f"version: 1\nupstreams: {{m: {{url: 'http://127.0.0.1:1'}}}}\ndatabases: {{shadow: {{url: '{url}'}}}}\n"
    return parse_routes(text.encode(), folder / "routes.yaml", {})


def events(at: float) -> list[Judged]:
    return [
        *((pair({"a": 1}, {"a": 2}, key=f"k{number}", at=at + number), DIFFERENT) for number in range(20)),
        *((pair({"a": 1}, {"a": 1}, key=f"k{number}", at=at + number), EQUAL) for number in range(10, 40)),
        (Agreed("GET /accounts/{no}", "accounts", "legacy", 200, ("x", "y"), 3, (0.1, 0.2) * 5, at), None),
        (Skipped("a", "accounts", "body_too_large", 2, at), None),
        (Dropped("a", "accounts", "queue_full", 3, at), None),
        (Errored("a", "accounts", "modern", 4, at), None),
    ]


def filled(place: Place) -> Store:
    store = store_with(place)
    store.reset("accounts", 1000.0)
    for at in (1000.0, 1300.0):
        store.record(events(at), {"worker": Progress(int(at), {("accounts", "GET /a"): 3})})
    return store


def test_both_databases_say_the_same(tmp_path: Path, modern_db: str) -> None:
    with closing(filled(tmp_path / "shadow.db")) as file, closing(filled(modern_db)) as database:
        # The samples are drawn at random; all else is the same.
        ours, theirs = file.summary("accounts"), database.summary("accounts")
        assert ours.accounting == theirs.accounting
        assert not problems(theirs.accounting, 2 * (50 + 5 + 9))
        assert (ours.keys, ours.timeline) == (theirs.keys, theirs.timeline)
        assert [(one.keys, one.shapes, one.rules) for one in ours.routes] == [
            (one.keys, one.shapes, one.rules) for one in theirs.routes
        ]
        assert [(one.path, one.count) for route in ours.routes for one in route.clusters] == [
            (one.path, one.count) for route in theirs.routes for one in route.clusters
        ]
        assert database.capabilities() == ("accounts",)
        assert database.stored_of("worker") == Progress(1300, {("accounts", "GET /a"): 3})
        kept = len(database.kept("accounts", VAULT)[0])
        assert database.erase("accounts", [f"k{number}" for number in range(40)]) == kept > 0
        database.reset("accounts", 1.0)
        assert database.summary("accounts").accounting.eligible == 0
        assert database.kept("accounts", VAULT) == ([], {})


def test_the_comparers_of_several_gateways_write_to_one_store(modern_db: str) -> None:
    stores = [Store(modern_db) for _ in range(3)]

    def write(store: Store) -> None:
        for turn in range(4):
            store.record(events(1000.0 + turn))

    threads = [threading.Thread(target=write, args=(store,)) for store in stores]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)
    summary = stores[0].summary("accounts")
    assert summary.accounting.eligible == 12 * (50 + 5 + 9)
    assert not problems(summary.accounting)
    assert (summary.keys.distinct, summary.keys.mismatched) == (43, 20)
    for store in stores:
        store.close()


def test_tables_of_another_version_are_made_anew(modern_db: str) -> None:
    filled(modern_db).close()
    with psycopg.connect(modern_db) as connection:
        connection.execute(f"COMMENT ON SCHEMA {SCHEMA} IS 'tables of version 0'")  # type: ignore[call-overload]
    with closing(Store(modern_db)) as store:
        assert store.capabilities() == ()


def test_what_is_down_is_named_without_its_password() -> None:
    with pytest.raises(StoreDown) as caught:
        Store("postgresql://bank:secret@127.0.0.1:1/none")
    assert "127.0.0.1:1/none" in str(caught.value)
    assert "databases.shadow" in str(caught.value)
    assert "secret" not in str(caught.value)


@pytest.mark.parametrize("url", ["mysql://u:secret@h/d", "no url: secret"])
def test_another_database_is_refused(url: str) -> None:
    with pytest.raises(StoreDown) as caught:
        Store(url)
    assert "secret" not in str(caught.value)


def test_a_server_that_goes_while_the_store_is_open_is_down(modern_db: str) -> None:
    store = Store(modern_db)
    with psycopg.connect(modern_db, autocommit=True) as connection:
        connection.execute(f"DROP SCHEMA {SCHEMA} CASCADE")  # type: ignore[call-overload]
    with pytest.raises(StoreDown):
        store.record(events(1.0))
    store.close()


def test_routes_yaml_says_where_it_is(tmp_path: Path) -> None:
    file = tmp_path / ".strangler" / "shadow.db"
    assert place_of(parse_routes(b"version: 1\n", tmp_path / "routes.yaml", {}), file) == file
    assert place_of(routes(tmp_path, "postgresql://h/d"), file) == "postgresql://h/d"
    assert place_of(routes(tmp_path, "sqlite:///kept/s.db"), file) == tmp_path / "kept" / "s.db"
    assert shown("postgresql://u:secret@h/d") == "postgresql://u:***@h/d"


def test_a_store_that_others_may_write_to_needs_that_secret(tmp_path: Path) -> None:
    check_shared(tmp_path / "shadow.db", {})
    check_shared("postgresql://h/d", {"STRANGLER_REDACTION_KEY": "one for all"})
    with pytest.raises(SharedStoreNeedsKey, match="STRANGLER_REDACTION_KEY"):
        check_shared("postgresql://h/d", {})
