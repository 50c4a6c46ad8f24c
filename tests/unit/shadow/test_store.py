import sqlite3
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from shadow import engine, tables
from shadow import store as module
from shadow.accounting import problems
from shadow.compare import Verdict
from shadow.observation import Agreed, Dropped, Errored, Pair, Skipped
from shadow.store import Store, StoreDown
from shadow.summary import Summary
from shadow.tally import Judged
from tests.support.answers import DIFFERENT, EQUAL, answer, pair, verdict_on

VERDICTS = [
    EQUAL,
    DIFFERENT,
    Verdict("equivalent", "key_order"),
    Verdict("different", race=True),
    Verdict("incomparable", "too_deep"),
]
EVENTS: st.SearchStrategy[Judged] = st.one_of(
    st.tuples(
        st.builds(
            lambda route, key, at: pair({}, {}, route=route, key=key, at=at),
            st.sampled_from("ab"),
            st.sampled_from([None, "x", "y"]),
            st.floats(1, 1e6),
        ),
        st.sampled_from(VERDICTS),
    ),
    st.tuples(
        st.builds(
            lambda route, keys, pairs: Agreed(
                route, "accounts", "legacy", 200, tuple(keys), pairs - len(keys), (0.1, 0.2) * pairs, 5.0
            ),
            st.sampled_from("ab"),
            st.lists(st.sampled_from("xyz"), unique=True),
            st.integers(3, 9),
        ),
        st.none(),
    ),
    st.tuples(
        st.builds(Skipped, st.sampled_from("ab"), st.just("accounts"), st.text(max_size=3), st.integers(1, 9)),
        st.none(),
    ),
    st.tuples(
        st.builds(Dropped, st.sampled_from("ab"), st.just("accounts"), st.just("queue_full"), st.integers(1, 9)),
        st.none(),
    ),
    st.tuples(
        st.builds(Errored, st.sampled_from("ab"), st.just("accounts"), st.sampled_from(["legacy", "modern"])), st.none()
    ),
)


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    opened = Store(tmp_path / "run" / "shadow.db", seed=1)
    yield opened
    opened.close()


@settings(max_examples=25, deadline=None)
@given(st.lists(st.lists(EVENTS, max_size=12), max_size=5))
def test_the_numbers_add_up_whatever_arrives(
    tmp_path_factory: pytest.TempPathFactory, batches: list[list[Judged]]
) -> None:
    store = Store(tmp_path_factory.mktemp("store") / "shadow.db")
    for batch in batches:
        store.record(batch)
    summary = store.summary("accounts")
    store.close()
    arrived = sum(getattr(event, "count", 1) for batch in batches for event, _ in batch)
    assert problems(summary.accounting, eligible_elsewhere=arrived) == ()
    assert all(problems(route.accounting) == () for route in summary.routes)
    pairs = [event for batch in batches for event, _ in batch if isinstance(event, Pair | Agreed)]
    compared = sum(getattr(event, "count", 1) for event in pairs)
    assert sum(moment.compared for moment in summary.timeline) == summary.accounting.compared == compared


def test_nothing_is_known_about_an_unknown_capability(store: Store) -> None:
    assert store.summary("nobody") == Summary("nobody")
    assert store.capabilities() == ()


def test_a_second_opener_finds_what_the_first_stored(store: Store) -> None:
    store.record([(pair({}, {}), EQUAL)])
    again = Store(store.place)
    assert again.summary("accounts").accounting.eligible == 1
    assert again.capabilities() == ("accounts",)
    again.close()


def test_a_key_counts_once_and_stays_a_mismatch(store: Store) -> None:
    store.record([(pair({}, {}, key="a"), EQUAL), (pair({}, {}, key="b"), EQUAL)])
    store.record([(pair({}, {}, key="a"), DIFFERENT)])
    store.record([(pair({}, {}, key="a"), EQUAL), (pair({}, {}, key="a"), DIFFERENT)])
    store.record([(pair({}, {}, key="a", route="other"), EQUAL)])
    summary = store.summary("accounts")
    assert (summary.keys.distinct, summary.keys.mismatched) == (2, 1)
    assert [(route.route, route.keys.distinct, route.keys.mismatched) for route in summary.routes] == [
        ("GET /accounts/{no}", 2, 1),
        ("other", 1, 0),
    ]


def test_at_the_maximum_of_keys_agreement_stands_still_and_mismatches_do_not(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tables, "KEYS_MAX", 10)
    monkeypatch.setattr(module, "MISMATCHING_KEYS_EXTRA_MAX", 2)
    store.record([(pair({}, {}, key=f"k{n}"), EQUAL) for n in range(15)])
    assert store.summary("accounts").keys.distinct == 10
    store.record([(pair({}, {}, key=f"bad{n}"), DIFFERENT) for n in range(5)] + [(pair({}, {}, key="k0"), DIFFERENT)])
    keys = store.summary("accounts").keys
    assert (keys.distinct, keys.is_full) == (12, True)
    assert keys.mismatched == 3


def test_names_beyond_the_bound_are_counted_as_other(store: Store) -> None:
    store.record([(Skipped("r", "accounts", f"reason {n}"), None) for n in range(200)])
    skipped = store.summary("accounts").routes[0].accounting.skipped
    assert sum(skipped.values()) == 200
    assert len(skipped) == module.DETAILS_MAX + 1
    assert skipped["other"] == 200 - module.DETAILS_MAX


def test_a_reset_forgets_one_capability_and_no_other(store: Store) -> None:
    differing = pair({"a": 1}, {"a": 2})
    for capability in ("accounts", "cards"):
        store.record([(pair({"a": 1}, {"a": 2}, capability=capability), verdict_on({"a": 1}, {"a": 2}))])
    store.reset("accounts", 5000.0)
    assert store.summary("accounts") == Summary("accounts", 5000.0, 5000.0)
    assert store.summary("cards").routes[0].clusters[0].count == 1
    store.record([(differing, EQUAL)])
    assert store.summary("accounts").keys.distinct == 1


def test_a_batch_is_there_as_a_whole_or_not_at_all(store: Store) -> None:
    store.record([(pair({}, {}), EQUAL)])
    with pytest.raises(TypeError):
        store.record([(pair({}, {}), EQUAL), (pair({}, {}), None)])
    assert store.summary("accounts").accounting.eligible == 1


def test_a_failure_in_the_middle_leaves_nothing_behind(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "add_instants", lambda *_: 1 / 0)
    with pytest.raises(ZeroDivisionError):
        store.record([(pair({}, {}), EQUAL)])
    assert store.summary("accounts") == Summary("accounts")


def test_a_file_that_cannot_be_used_is_named(tmp_path: Path) -> None:
    (tmp_path / "shadow.db").mkdir()
    with pytest.raises(StoreDown) as caught:
        Store(tmp_path / "shadow.db")
    assert "shadow.db" in str(caught.value)


def test_a_file_of_another_version_begins_anew(tmp_path: Path) -> None:
    path = tmp_path / "shadow.db"
    first = Store(path)
    first.record([(pair({}, {}), EQUAL)])
    first.close()
    with sqlite3.connect(path) as connection:
        connection.execute("PRAGMA user_version = 999")
    connection.close()
    again = Store(path)
    assert again.capabilities() == ()
    again.close()


def test_no_value_reaches_the_disk(store: Store) -> None:
    secret = "Mrs Elisabeth Example-Secret"
    ours, theirs = answer({"name": secret}), answer({"name": secret[::-1]}, side="modern")
    store.record([(pair(ours, theirs), verdict_on(ours, theirs))])
    store.close()
    written = b"".join(path.read_bytes() for path in store.place.parent.iterdir())
    assert b"$.name" in written
    assert secret.encode() not in written
    assert secret[::-1].encode() not in written


def test_a_locked_file_is_an_error_of_ours_and_the_batch_can_be_recorded_later(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(engine, "BUSY_SECONDS_MAX", 0.05)
    hasty = Store(store.place)
    other = sqlite3.connect(store.place, isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    for _ in range(20):
        with pytest.raises(StoreDown, match="locked"):
            hasty.record([(pair({}, {}), EQUAL)])
    other.execute("ROLLBACK")
    other.close()
    hasty.record([(pair({}, {}), EQUAL)])
    assert hasty.summary("accounts").accounting.eligible == 1
    hasty.close()


def test_others_may_go_first_before_each_statement(tmp_path: Path) -> None:
    turns: list[None] = []
    store = Store(tmp_path / "shadow.db", give_way=lambda: turns.append(None))
    store.record([(pair({}, {}), EQUAL)])
    store.close()
    assert len(turns) > 5
