from __future__ import annotations

from decimal import Decimal
from typing import Any

from legacy_adapter import wire
from legacy_adapter.facade_translate import (
    KINDS,
    STATUSES,
    TYPES,
    account_answer,
    account_record,
    customer_answer,
    posted_answer,
    refused_answer,
    statement_answer,
    transfer_answer,
    transfer_request,
)

ACCOUNT: dict[str, Any] = {
    "accountId": "2000000001",
    "customerId": "10000001",
    "product": "savings",
    "status": "dormant",
    "balance": {"currency": "GBP", "amount": "1234.50"},
    "openedOn": "2020-01-01",
    "branch": "0001",
}


def test_an_account_in_the_monoliths_words_and_order() -> None:
    assert wire.to_json(account_answer(ACCOUNT)) == (
        b'{"acctNo":"2000000001","custNo":"10000001","typ":"S","ccy":"GBP","bal":1234.5,"sts":"10","rc":"00"}'
    )
    assert account_record(ACCOUNT).balance == Decimal("1234.50")
    assert wire.to_json(customer_answer({"customerId": "10000001", "accounts": [ACCOUNT]})) == (
        b'{"custNo":"10000001","rc":"00","items":'
        b'[{"acctNo":"2000000001","typ":"S","ccy":"GBP","bal":1234.5,"sts":"10"}]}'
    )


def test_a_statement_in_the_monoliths_words_and_order() -> None:
    posting = {
        "bookedOn": "2026-11-02",
        "sequence": 123,
        "reference": "r1",
        "kind": "transfer",
        "direction": "D",
        "amount": {"currency": "GBP", "amount": "10.00"},
        "balanceAfter": {"currency": "GBP", "amount": "-0.50"},
        "counterparty": None,
        "postedAt": "2026-11-02T10:00:00",
        "note": "rent",
    }
    assert wire.to_json(statement_answer({"accountId": "2000000001", "transactions": [posting]})) == (
        b'{"acctNo":"2000000001","rc":"00","items":[{"dt":"20261102","seq":123,"ref":"r1","cd":"XFER","drcr":"D",'
        b'"amt":10,"balAft":-0.5,"cpty":null}]}'
    )


def test_transfers_in_the_monoliths_words_and_order() -> None:
    leg = {"accountId": "2000000001", "direction": "D", "amount": {"currency": "GBP", "amount": "100.00"}}
    assert wire.to_json(transfer_answer({"reference": "r1", "legs": [leg]})) == (
        b'{"rc":"00","ref":"r1","legs":[{"acctNo":"2000000001","drcr":"D","amt":100}]}'
    )
    assert wire.to_json(posted_answer("r1", Decimal("0.10"))) == b'{"rc":"00","ref":"r1","bal":0.1}'
    order = wire.TransferOrder("r1", "2000000001", "2000000002", Decimal(5), None)
    assert transfer_request(order) == {
        "reference": "r1",
        "debtor": "2000000001",
        "creditor": "2000000002",
        "amount": {"amount": "5.00"},
        "note": None,
    }


def test_refusals_with_and_without_reference() -> None:
    assert refused_answer("51", "r1") == {"rc": "51", "ref": "r1", "msg": "INSUFFICIENT FUNDS"}
    assert refused_answer("94", "r1") == {"rc": "94", "ref": "r1", "msg": "DUPLICATE REFERENCE"}
    assert refused_answer("96", "r1") == {"rc": "96", "msg": "SYSTEM UNAVAILABLE"}


def test_codes_have_the_widths_of_the_monoliths_columns() -> None:
    assert {len(code) for code in TYPES.values()} == {1}
    assert {len(code) for code in STATUSES.values()} == {2}
    assert max(len(code) for code in KINDS.values()) == 4
