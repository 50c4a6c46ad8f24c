from __future__ import annotations

import contextlib
import json
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as some

from services.ledger.problems import Refused
from services.ledger.transfers import AMOUNT_MAX, Transfer, _Account, _balances_after, parse, parse_amount

BODY: dict[str, Any] = {
    "reference": "r1",
    "debtor": "2000000001",
    "creditor": "2000000002",
    "amount": {"amount": "1.5"},
}
ALICE = _Account("2000000001", "GBP", Decimal("10.00"), "open")
BOB = _Account("2000000002", "GBP", Decimal("5.00"), "dormant")


def _transfer(amount: str, currency: str | None = None) -> Transfer:
    return Transfer("r1", ALICE.account_id, BOB.account_id, Decimal(amount), currency, None)


def test_a_body_is_a_transfer() -> None:
    found = parse(json.dumps(BODY | {"note": "rent", "amount": {"amount": "1.5", "currency": "GBP"}}).encode())
    assert found == Transfer("r1", "2000000001", "2000000002", Decimal("1.50"), "GBP", "rent")
    assert str(found.amount) == "1.50"


@pytest.mark.parametrize(
    "change",
    [
        {"reference": ""},
        {"reference": " "},
        {"reference": "r" * 37},
        {"reference": "a\x00"},
        {"reference": 7},
        {"debtor": "20000000011"},
        {"creditor": BODY["debtor"]},
        {"note": "n" * 41},
        {"amount": "1.50"},
        {"amount": {"amount": 1.5}},
        {"more": 1},
    ],
)
def test_a_body_that_is_none_is_refused(change: dict[str, Any]) -> None:
    with pytest.raises(Refused) as refused:
        parse(json.dumps(BODY | change).encode())
    assert refused.value.code == "format"


def test_what_is_no_json_is_refused() -> None:
    for body in (b"", b"\xff", b"[", b"null"):
        with pytest.raises(Refused):
            parse(body)


@given(some.decimals(min_value="0.01", max_value=AMOUNT_MAX, places=2))
def test_every_amount_of_the_range_is_read_exactly(amount: Decimal) -> None:
    assert parse_amount(f"{amount:.2f}") == amount
    assert parse_amount(f"{amount:f}".rstrip("0").rstrip(".") or "0") == amount


@given(some.text(alphabet="0123456789.-+eE_ ²٣NaInf", max_size=14))
def test_an_amount_is_plain_or_refused(text: str) -> None:
    with contextlib.suppress(Refused):
        amount = parse_amount(text)
        assert 0 < amount <= AMOUNT_MAX
        assert amount.as_tuple().exponent == -2
        assert set(text) <= set("0123456789.")


@pytest.mark.parametrize("text", ["0", "0.00", "-1", "1.", ".5", "1.234", "1e2", "10000000000", "1_0", " 1", "", "²"])
def test_other_amounts_are_refused(text: str) -> None:
    with pytest.raises(Refused):
        parse_amount(text)


def test_the_amount_moves_from_one_balance_to_the_other() -> None:
    assert _balances_after(ALICE, BOB, _transfer("10.00", "GBP")) == (Decimal("0.00"), Decimal("15.00"))


@pytest.mark.parametrize(
    ("debtor", "creditor", "transfer", "code"),
    [
        (BOB, ALICE, _transfer("1"), "account_not_usable"),
        (ALICE, _Account("3", "EUR", Decimal(0), "blocked"), _transfer("99"), "account_not_usable"),
        (ALICE, _Account("3", "EUR", Decimal(0), "open"), _transfer("99"), "currencies_differ"),
        (ALICE, BOB, _transfer("1", "EUR"), "currencies_differ"),
        (ALICE, _Account("3", "GBP", AMOUNT_MAX, "open"), _transfer("99"), "funds"),
        (ALICE, _Account("3", "GBP", AMOUNT_MAX, "open"), _transfer("1"), "range"),
    ],
)
def test_the_first_rule_that_does_not_hold_is_named(
    debtor: _Account, creditor: _Account, transfer: Transfer, code: str
) -> None:
    with pytest.raises(Refused) as refused:
        _balances_after(debtor, creditor, transfer)
    assert refused.value.code == code
