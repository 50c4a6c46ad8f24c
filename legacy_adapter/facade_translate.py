"""The ledger's resources in the words of the monolith: codes, field names and order, numbers without trailing zeros."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

from legacy_adapter import blocks, wire

DUPLICATE = "94"  # the ledger refuses what the monolith would have posted twice (Q13)
DUPLICATE_MESSAGE = "DUPLICATE REFERENCE"

TYPES = {"current": "C", "savings": "S", "internal": "G"}
STATUSES = {"open": "00", "dormant": "10", "blocked": "20", "closed": "90"}
KINDS = {"transfer": "XFER", "interest": "INTR", "fee": "FEE", "opening": "OPEN"}

Resource = dict[str, Any]


def account_record(account: Resource) -> blocks.Account:
    """An account of the ledger as INQA replies it."""
    return blocks.Account(
        number=account["accountId"],
        customer=account["customerId"],
        kind=TYPES[account["product"]],
        currency=account["balance"]["currency"],
        balance=Decimal(account["balance"]["amount"]),
        status=STATUSES[account["status"]],
    )


def account_answer(account: Resource) -> Resource:
    """The answer of GET /accounts/{no}."""
    return {"acctNo": account["accountId"], "custNo": account["customerId"], **_holding(account), "rc": wire.OK}


def customer_answer(listed: Resource) -> Resource:
    """The answer of GET /customers/{no}/accounts."""
    items = [{"acctNo": account["accountId"], **_holding(account)} for account in listed["accounts"]]
    return {"custNo": listed["customerId"], "rc": wire.OK, "items": items}


def statement_answer(statement: Resource) -> Resource:
    """The answer of GET /accounts/{no}/statement."""
    items = [_item(posting) for posting in statement["transactions"]]
    return {"acctNo": statement["accountId"], "rc": wire.OK, "items": items}


def transfer_answer(transfer: Resource) -> Resource:
    """The answer of GET /transfers/{ref}."""
    legs = [
        {"acctNo": leg["accountId"], "drcr": leg["direction"], "amt": _number(leg["amount"])}
        for leg in transfer["legs"]
    ]
    return {"rc": wire.OK, "ref": transfer["reference"], "legs": legs}


def posted_answer(reference: str, balance: Decimal) -> Resource:
    """The answer of POST /accounts/{no}/transfers to what was posted."""
    return {"rc": wire.OK, "ref": reference, "bal": wire.number(balance)}


def refused_answer(rc: str, reference: str) -> Resource:
    """The answer of POST /accounts/{no}/transfers to what was not posted."""
    if rc == DUPLICATE:
        return {"rc": rc, "ref": reference, "msg": DUPLICATE_MESSAGE}
    if rc in (wire.UNAVAILABLE, wire.OUTCOME_UNKNOWN):
        return {"rc": rc, "msg": wire.MESSAGES[rc]}
    return wire.refusal(rc, reference)


def transfer_request(order: wire.TransferOrder) -> Resource:
    """The order as POST /v1/transfers takes it."""
    return {
        "reference": order.reference,
        "debtor": order.payer,
        "creditor": order.payee,
        "amount": {"amount": f"{order.amount:.2f}"},
        "note": order.text,
    }


def _holding(account: Resource) -> Resource:
    return {
        "typ": TYPES[account["product"]],
        "ccy": account["balance"]["currency"],
        "bal": _number(account["balance"]),
        "sts": STATUSES[account["status"]],
    }


def _item(posting: Resource) -> Resource:
    return {
        "dt": posting["bookedOn"].replace("-", ""),
        "seq": posting["sequence"],
        "ref": posting["reference"],
        "cd": KINDS[posting["kind"]],
        "drcr": posting["direction"],
        "amt": _number(posting["amount"]),
        "balAft": _number(posting["balanceAfter"]),
        "cpty": posting["counterparty"],
    }


def _number(money: dict[str, str]) -> Decimal | int:
    return wire.number(Decimal(money["amount"]))
