"""Verification names exactly the keys that differ, and none that a write in flight makes differ for a moment."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, date, datetime
from decimal import Decimal
from pathlib import Path

import psycopg
import pytest

from cdc.verification import compare as comparing
from cdc.verification.verify import TableResult, VerifyResult, Wanted, verify
from config.errors import NothingVerified
from tests.support.mapped_pair import Pair, mapped_pair

QUICK = Wanted(settle_seconds=0.1, deadline_seconds=5.0)


@pytest.fixture
def pair(tmp_path: Path, legacy_db: str, modern_db: str) -> Iterator[Pair]:
    with mapped_pair(tmp_path, legacy_db, modern_db) as found:
        found.copy()
        yield found


@pytest.fixture(scope="module")
def kept(tmp_path_factory: pytest.TempPathFactory, databases_of_the_module: tuple[str, str]) -> Iterator[Pair]:
    """Databases that are damaged and mended again and again."""
    with mapped_pair(tmp_path_factory.mktemp("kept"), *databases_of_the_module) as found:
        yield found


@pytest.fixture
def mended(kept: Pair) -> Pair:
    kept.modern.execute("TRUNCATE customer, account, posting; DROP TABLE IF EXISTS strangler.verify_result")
    kept.copy()
    return kept


def run(pair: Pair, direction: str = "forward") -> VerifyResult:
    return verify("accounts", pair.routes, direction, wanted=QUICK)


def table(result: VerifyResult, name: str) -> TableResult:
    return next(found for found in result.tables if found.target == name)


def test_equal_data_has_no_difference_in_either_direction(pair: Pair) -> None:
    seen: list[tuple[str, int]] = []
    forward = verify("accounts", pair.routes, "forward", lambda name, rows: seen.append((name, rows)), QUICK)
    assert forward.equal
    assert run(pair, "reverse").equal
    assert [(found.target, found.rows, found.differences) for found in forward.tables] == [
        ("customer", 2, 0),
        ("account", 200, 0),
        ("posting", 200, 0),
    ]
    assert seen == [("customer", 2), ("account", 200), ("posting", 200)]
    stored = pair.modern.execute("SELECT direction, equal, rows, differences FROM strangler.verify_result ORDER BY at")
    assert stored.fetchall() == [("forward", True, 402, {}), ("reverse", True, 402, {})]


def test_control_totals_are_exact_and_by_currency(pair: Pair) -> None:
    totals = {(t.column, t.currency): (t.legacy, t.modern) for t in table(run(pair), "account").totals}
    assert totals == {
        ("balance", "EUR"): (Decimal("12500.00"), Decimal("12500.00")),
        ("balance", "GBP"): (Decimal("12625.00"), Decimal("12625.00")),
    }
    assert {total.currency for total in table(run(pair), "posting").totals} == {None}


PLANTED = [
    (
        "a changed cent",
        "UPDATE account SET balance = balance + 0.01 WHERE account_id = '2000000007'",
        "account",
        {("2000000007",)},
        (0, 0, 1),
    ),
    ("a missing row", "DELETE FROM posting WHERE sequence = 9", "posting", {(date(2026, 1, 31), 9)}, (1, 0, 0)),
    (
        "an extra row",
        "INSERT INTO customer VALUES ('19999999', 'NOBODY', '2000-01-01', NULL, NULL, 'active')",
        "customer",
        {("19999999",)},
        (0, 1, 0),
    ),
    (
        "NULL for an empty text",
        "UPDATE posting SET note = NULL WHERE note = '' AND sequence = 1",
        "posting",
        {(date(2026, 1, 31), 1)},
        (0, 0, 1),
    ),
    (
        "an empty text for NULL",
        "UPDATE posting SET note = '' WHERE sequence = 3",
        "posting",
        {(date(2026, 1, 31), 3)},
        (0, 0, 1),
    ),
    (
        "a trailing blank",
        "UPDATE customer SET name = name || ' ' WHERE customer_id = '10000001'",
        "customer",
        {("10000001",)},
        (0, 0, 1),
    ),
    (
        "a microsecond",
        "UPDATE posting SET posted_at = posted_at + interval '1 microsecond' WHERE sequence = 5",
        "posting",
        {(date(2026, 1, 31), 5)},
        (0, 0, 1),
    ),
    (
        "a swapped pair",
        "UPDATE account a SET balance = b.balance FROM account b WHERE (a.account_id, b.account_id) IN "
        "(('2000000004', '2000000006'), ('2000000006', '2000000004'))",
        "account",
        {("2000000004",), ("2000000006",)},
        (0, 0, 2),
    ),
    (
        "amounts moved between columns",
        "UPDATE posting SET amount = balance_after, balance_after = amount WHERE sequence = 8",
        "posting",
        {(date(2026, 1, 31), 8)},
        (0, 0, 1),
    ),
]


@pytest.mark.parametrize(
    ("statement", "name", "keys", "counts"), [case[1:] for case in PLANTED], ids=[case[0] for case in PLANTED]
)
def test_a_planted_difference_is_found_by_its_key(
    mended: Pair, statement: str, name: str, keys: set[tuple[object, ...]], counts: tuple[int, int, int]
) -> None:
    mended.modern.execute(statement)
    result = run(mended)
    found = table(result, name)
    assert not result.equal
    assert set(found.sample_keys) == keys
    assert (found.missing, found.extra, found.changed) == counts
    assert found.differences == len(keys)
    assert all(other.differences == 0 for other in result.tables if other is not found)
    (told,) = mended.modern.execute("SELECT differences FROM strangler.verify_result").fetchone() or ({},)
    assert told[name]["differences"] == len(keys)


def test_in_reverse_a_row_that_only_modern_has_is_missing_in_legacy(pair: Pair) -> None:
    pair.legacy.execute("DELETE FROM trnhist WHERE trn_seq = 4")
    found = table(run(pair, "reverse"), "posting")
    assert (found.missing, found.extra) == (1, 0)
    assert (table(run(pair), "posting").missing, table(run(pair), "posting").extra) == (0, 1)


def test_blanks_of_char_and_zeros_of_numeric_are_no_difference(pair: Pair) -> None:
    pair.modern.execute("ALTER TABLE account ALTER balance TYPE numeric(20,6)")
    pair.modern.execute("ALTER TABLE account ALTER branch TYPE char(9)")
    assert run(pair).equal


def test_a_row_that_is_being_written_is_not_reported_but_one_that_stays_wrong_is(pair: Pair) -> None:
    pair.modern.execute("UPDATE account SET status = 'closed' WHERE account_id = '2000000009'")
    stop = threading.Event()

    def write() -> None:
        with (
            psycopg.connect(pair.routes.databases["legacy"].url, autocommit=True) as legacy,
            psycopg.connect(pair.routes.databases["ledger"].url, autocommit=True) as modern,
        ):
            n = 0
            while not stop.is_set():
                n += 1
                legacy.execute("UPDATE acctmast SET bal_amt = %s WHERE acct_no = '2000000001'", (n,))
                stop.wait(0.02)
                modern.execute("UPDATE account SET balance = %s WHERE account_id = '2000000001'", (n,))

    writer = threading.Thread(target=write)
    writer.start()
    try:
        results = [run(pair) for _ in range(3)]
    finally:
        stop.set()
        writer.join()
    assert [table(result, "account").sample_keys for result in results] == [(("2000000009",),)] * 3


def test_ranges_cover_every_row_once(pair: Pair, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(comparing, "ROWS_PER_RANGE", 7)
    assert run(pair).equal
    pair.modern.execute("DELETE FROM posting")
    pair.modern.execute("DELETE FROM account WHERE account_id IN ('2000000001', '2000000008', '2000000200')")
    pair.modern.execute("UPDATE account SET balance = 0 WHERE account_id = '2000000015'")
    found = table(run(pair), "account")
    assert (found.rows, found.missing, found.changed) == (200, 3, 1)


def test_more_differences_than_can_be_named_are_not_called_equal(pair: Pair, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(comparing, "KEYS_MAX", 20)
    monkeypatch.setattr(comparing, "BUCKETS_AT_ONCE", 8)
    pair.modern.execute("UPDATE posting SET note = 'x'")
    found = table(run(pair), "posting")
    assert not found.is_complete
    assert 20 < found.differences < 200


def test_a_row_that_differs_is_told_by_key_and_column_and_its_values_only_to_who_asks(pair: Pair) -> None:
    pair.modern.execute("UPDATE account SET balance = balance + 0.01, branch = 'x' WHERE account_id = '2000000007'")
    pair.modern.execute("DELETE FROM posting WHERE sequence = 9")
    result = run(pair)
    (detail,) = table(result, "account").details
    assert (detail.kind, detail.columns, detail.legacy, detail.modern) == ("changed", ("balance", "branch"), None, None)
    assert [detail.kind for detail in table(result, "posting").details] == ["missing"]
    told = verify("accounts", pair.routes, "forward", wanted=replace(QUICK, with_values=True))
    (detail,) = table(told, "account").details
    assert detail.legacy == {"balance": "8.75", "branch": "0001"}
    assert detail.modern == {"balance": "8.76", "branch": "x"}
    stored = pair.modern.execute("SELECT string_agg(differences::text, ' ') FROM strangler.verify_result").fetchone()
    assert stored is not None
    assert "8.76" not in stored[0]


def since(pair: Pair) -> VerifyResult:
    return verify("accounts", pair.routes, "forward", wanted=replace(QUICK, since=datetime.now(UTC)))


def test_since_an_earlier_one_only_what_was_written_is_compared(pair: Pair) -> None:
    assert run(pair).equal
    assert [found.rows for found in since(pair).tables] == [0, 0, 0]
    pair.legacy.execute("UPDATE acctmast SET bal_amt = 7 WHERE acct_no IN ('2000000003', '2000000004')")
    pair.modern.execute("UPDATE account SET balance = 7 WHERE account_id = '2000000003'")
    pair.modern.execute("UPDATE account SET balance = 8 WHERE account_id = '2000000005'")
    found = table(since(pair), "account")
    assert found.keys == (("2000000004",), ("2000000005",))
    assert found.rows == 3


def test_since_an_earlier_one_a_row_that_was_removed_on_one_side_is_found(pair: Pair) -> None:
    assert run(pair).equal
    pair.legacy.execute("DELETE FROM trnhist WHERE trn_seq = 4")
    found = table(since(pair), "posting")
    assert (found.extra, found.keys) == (1, ((date(2026, 1, 31), 4),))


def test_since_a_row_that_left_the_mapping_is_found(pair: Pair) -> None:
    assert run(pair).equal
    pair.legacy.execute("DELETE FROM trnhist WHERE acct_no = '2000000008'")
    pair.modern.execute("DELETE FROM posting WHERE account_id = '2000000008'")
    pair.legacy.execute("UPDATE acctmast SET acct_typ = 'X' WHERE acct_no = '2000000008'")
    assert table(since(pair), "account").keys == (("2000000008",),)


def test_since_a_time_before_any_verification_is_refused(pair: Pair) -> None:
    with pytest.raises(NothingVerified):
        since(pair)
    pair.modern.execute("UPDATE account SET balance = 7")
    assert not run(pair).equal
    with pytest.raises(NothingVerified):
        since(pair)


def test_since_a_position_is_since_the_verification_that_began_before_it(pair: Pair) -> None:
    assert run(pair).equal
    position = pair.legacy.execute("SELECT pg_current_wal_insert_lsn()::text").fetchone()
    assert position is not None
    assert verify("accounts", pair.routes, "forward", wanted=replace(QUICK, since=position[0])).equal
    with pytest.raises(NothingVerified):
        verify("accounts", pair.routes, "forward", wanted=replace(QUICK, since="0/1"))
