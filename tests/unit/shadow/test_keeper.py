from pathlib import Path

from shadow.keeper import Keeper, Keeping
from shadow.observation import Asked
from shadow.rules import NO_RULES
from shadow.snapshot import Reading
from shadow.store import Store
from shadow.vault import Vault
from tests.support.answers import DIFFERENT, EQUAL, REDACTOR, pair

VAULT = Vault({"a": b"a" * 32})


def store_with(path: Path | str, keep: int = 3, seconds: float = 100.0, vault: Vault = VAULT) -> Store:
    keeping = Keeping(keep, seconds, Reading(NO_RULES))
    return Store(path, keeper=Keeper(vault, lambda route: keeping if route != "other" else None, REDACTOR, seed=1))


def test_a_bounded_sample_of_each_verdict_is_kept_and_what_it_stands_for_is_known(tmp_path: Path) -> None:
    store = store_with(tmp_path / "shadow.db")
    for _ in range(5):
        store.record([(pair({"a": 1}, {"a": 2}), DIFFERENT), *[(pair({"a": 1}, {"a": 1}), EQUAL)] * 4])
    kept, seen = store.kept("accounts", VAULT)
    assert sorted(one.verdict for one in kept if one) == ["different"] * 3 + ["equal"] * 3
    assert seen == {("GET /accounts/{no}", "different"): 5, ("GET /accounts/{no}", "equal"): 20}
    store.close()


def test_pairs_expire_by_the_clock_of_the_traffic(tmp_path: Path) -> None:
    store = store_with(tmp_path / "shadow.db", keep=100)
    for at in (1000.0, 1050.0, 1120.0):
        store.record([(pair({"a": 1}, {"a": 2}, at=at), DIFFERENT)])
    kept, _ = store.kept("accounts", VAULT)
    assert [one.snapshot.at for one in kept if one] == [1050.0, 1120.0]
    store.close()


def test_what_is_stored_of_a_subject_can_be_erased(tmp_path: Path) -> None:
    store = store_with(tmp_path / "shadow.db")
    store.record([(pair({"a": 1}, {"a": 2}, key=key), DIFFERENT) for key in ("k1", "k2", "k1")])
    assert store.erase("accounts", ["k1"]) == 2
    assert len(store.kept("accounts", VAULT)[0]) == 1
    assert store.erase("accounts", ["k1"]) == 0
    store.close()


def test_without_its_key_a_pair_is_there_and_cannot_be_read(tmp_path: Path) -> None:
    store = store_with(tmp_path / "shadow.db")
    store.record([(pair({"a": 1}, {"a": 2}), DIFFERENT)])
    assert store.kept("accounts", Vault({"b": b"b" * 32}))[0] == [None]
    store.reset("accounts", 1.0)
    assert store.kept("accounts", VAULT) == ([], {})
    store.close()


def test_routes_that_keep_nothing_and_pairs_that_cannot_be_redacted_are_left_out(tmp_path: Path) -> None:
    store = store_with(tmp_path / "shadow.db")
    deep = pair(b"[" * 500 + b"]" * 500, b"[]")
    store.record([(pair({"a": 1}, {"a": 2}, route="other"), DIFFERENT), (deep, DIFFERENT)])
    kept, _ = store.kept("accounts", VAULT)
    assert {one.route for one in kept if one} <= {"GET /accounts/{no}"}
    store.close()


def test_reads_are_kept_beside_the_pairs_and_are_none_of_them(tmp_path: Path) -> None:
    keeping = Keeping(1, 100.0, Reading(NO_RULES), captures_max=2)
    store = Store(tmp_path / "shadow.db", keeper=Keeper(VAULT, lambda _: keeping, REDACTOR, seed=1))
    for number in range(5):
        asked = Asked(f"/accounts/{number}?card=4111111111111111", (("Accept", "*/*"),))
        store.record([(pair({}, {}, asked=asked, key=f"k{number}", at=1000.0 + number), EQUAL)])
    found = store.captures("accounts", VAULT)
    assert len(found) == 2
    assert all(one and (one.method, one.headers, one.body) == ("GET", (("Accept", "*/*"),), b"") for one in found)
    assert store.captures("accounts", Vault({"b": b"b" * 32})) == [None, None]
    kept, seen = store.kept("accounts", VAULT)
    assert ([one.verdict for one in kept if one], seen) == (["equal"], {("GET /accounts/{no}", "equal"): 5})
    assert not any(b"card=" in file.read_bytes() for file in tmp_path.iterdir())
    store.erase("accounts", [f"k{number}" for number in range(5)])
    assert store.captures("accounts", VAULT) == []
    store.close()
