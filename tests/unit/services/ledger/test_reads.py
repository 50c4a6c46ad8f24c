from __future__ import annotations

from datetime import date
from decimal import Decimal

from services.ledger.reads import _account, money


def test_money_keeps_both_decimals() -> None:
    assert money(Decimal(10), "GBP") == {"currency": "GBP", "amount": "10.00"}
    assert money(Decimal("-0.50"), "GBP")["amount"] == "-0.50"
    assert money(Decimal("999999999999.99"), "GBP")["amount"] == "999999999999.99"


def test_an_account_has_the_names_of_the_interface() -> None:
    row = {
        "account_id": "1",
        "customer_id": "2",
        "product": "current",
        "currency": "GBP",
        "balance": Decimal("1.5"),
        "status": "open",
        "opened_on": date(2020, 1, 2),
        "branch": "0001",
    }
    assert list(_account(row)) == ["accountId", "customerId", "product", "status", "balance", "openedOn", "branch"]
    assert _account(row)["balance"] == {"currency": "GBP", "amount": "1.50"}
