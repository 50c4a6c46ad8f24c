from collections import Counter
from dataclasses import replace
from decimal import Decimal

from hypothesis import given
from hypothesis import strategies as st

from runbook.demo.operation import Operation
from runbook.demo.proof import (
    Books,
    Check,
    check_money,
    check_own_writes,
    check_pause,
    check_requests,
    check_transfers,
    measure_pause,
)


def operation(**facts: object) -> Operation:
    known = {"kind": "transfer", "client": 1, "account": "1", "began": 10.0, "seconds": 0.05, "outcome": "ok"}
    return Operation(**{**known, **facts})


TRANSFER = operation(reference="r1", payee="2", amount="5.00")
LEGS = Counter({("1", "D", Decimal("5.00")): 1, ("2", "C", Decimal("5.00")): 1})
BOOKS = Books("modern", {"r1": LEGS}, {"GBP": Decimal("100.00")}, (), ())


def named(checks: tuple[Check, ...], name: str) -> Check:
    return next(check for check in checks if check.name.startswith(name))


def test_books_that_hold_every_transfer_once_pass() -> None:
    assert all(check.ok for check in check_transfers([TRANSFER], BOOKS))


def test_a_transfer_that_is_missing_is_named() -> None:
    check = named(check_transfers([TRANSFER], replace(BOOKS, legs={})), "nothing lost")
    assert not check.ok
    assert "r1 of account 1" in check.detail


def test_a_leg_that_is_missing_is_a_lost_transfer() -> None:
    half = replace(BOOKS, legs={"r1": Counter({("1", "D", Decimal("5.00")): 1})})
    assert not named(check_transfers([TRANSFER], half), "nothing lost").ok


def test_a_transfer_that_is_there_twice_is_named() -> None:
    check = named(check_transfers([TRANSFER], replace(BOOKS, legs={"r1": LEGS + LEGS})), "nothing doubled")
    assert not check.ok
    assert "r1 of account 1" in check.detail


def test_a_transfer_with_another_amount_is_both_lost_and_doubled() -> None:
    wrong = Counter({("1", "D", Decimal("5.01")): 1, ("2", "C", Decimal("5.01")): 1})
    checks = check_transfers([TRANSFER], replace(BOOKS, legs={"r1": wrong}))
    assert [check.ok for check in checks] == [False, False, True]


def test_a_refused_transfer_that_was_posted_is_named() -> None:
    refused = operation(kind="refused transfer", outcome="refused", reference="r1")
    assert not named(check_transfers([refused], BOOKS), "nothing refused").ok


@given(st.decimals(min_value="0.01", max_value=1000, places=2))
def test_every_cent_that_moved_is_seen(cents: Decimal) -> None:
    moved = replace(BOOKS, money={"GBP": Decimal("100.00") + cents})
    check = named(check_money(moved, BOOKS.money), "money conserved")
    assert not check.ok
    assert f"GBP: +{cents}" in check.detail


def test_books_out_of_balance_and_balances_that_drifted_are_named() -> None:
    wrong = replace(BOOKS, unbalanced=("r9",), drifted=("77",))
    assert "r9" in named(check_money(wrong, BOOKS.money), "debits").detail
    assert "account 77" in named(check_money(wrong, BOOKS.money), "balances").detail


def test_a_failed_or_unknown_request_is_named() -> None:
    assert check_requests([TRANSFER]).ok
    for outcome in ("failed", "unknown"):
        check = check_requests([TRANSFER, operation(reference="r2", outcome=outcome, detail="status 503")])
        assert not check.ok
        assert "r2 (transfer: status 503)" in check.detail


def test_a_stale_read_is_named() -> None:
    read = operation(kind="read own writes", reference="r1")
    assert check_own_writes([read]).ok
    assert not check_own_writes([read, operation(kind="read own writes", reference="r2", detail="stale: x")]).ok


def test_a_pause_is_each_clients_longest_write_that_was_under_way() -> None:
    history = [
        operation(client=1, began=9.0, seconds=2.0),  # began before, was under way
        operation(client=1, began=10.5, seconds=0.1),
        operation(client=2, began=10.5, seconds=0.3),
        operation(client=3, began=12.5, seconds=9.0),  # afterwards
        operation(client=4, began=10.5, seconds=9.0, kind="read"),  # reads are never held
    ]
    pause = measure_pause("cutover", history, 10.0, 12.0)
    assert sorted(pause.longest_ms) == [300.0, 2000.0]
    assert pause.p99_ms == 2000.0
    assert not check_pause(pause, 1000).ok
