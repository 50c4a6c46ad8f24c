"""What clients may read: accounts, their postings, a customer's accounts, a transfer by its reference."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

from psycopg import AsyncConnection
from psycopg.rows import dict_row

from services.ledger.problems import Refused

TRANSACTIONS_MAX, ACCOUNTS_MAX = 200, 200

ACCOUNT = "SELECT account_id, customer_id, product, currency, balance, status, opened_on, branch FROM account"
BY_ID = f"{ACCOUNT} WHERE account_id = %s"
BY_CUSTOMER = f"{ACCOUNT} WHERE customer_id = %s ORDER BY account_id LIMIT %s"
CUSTOMER = "SELECT customer_id FROM customer WHERE customer_id = %s"
CURRENCY = "SELECT currency FROM account WHERE account_id = %s"
POSTINGS = """
SELECT booked_on, sequence, reference, kind, direction, amount, balance_after, counterparty, posted_at, note
FROM posting WHERE account_id = %s ORDER BY booked_on DESC, sequence DESC LIMIT %s
"""
LEGS = """
SELECT posting.account_id, posting.direction, posting.amount, account.currency
FROM posting JOIN account USING (account_id) WHERE posting.reference = %s
ORDER BY posting.account_id, posting.direction, posting.amount
"""

Row = dict[str, Any]


def money(amount: Decimal, currency: str) -> dict[str, str]:
    """Money as clients get it: exact, with both decimals."""
    return {"currency": currency, "amount": f"{amount:.2f}"}


async def account(connection: AsyncConnection, account_id: str) -> Row:
    """One account. Raises Refused with code account_unknown."""
    rows = await _rows(connection, BY_ID, (account_id,))
    if not rows:
        raise Refused("account_unknown")
    return _account(rows[0])


async def customer_accounts(connection: AsyncConnection, customer_id: str, limit: int) -> Row:
    """The accounts of a customer, by account_id. Raises Refused with code customer_unknown."""
    rows = await _rows(connection, BY_CUSTOMER, (customer_id, limit))
    if not rows and not await _rows(connection, CUSTOMER, (customer_id,)):
        raise Refused("customer_unknown")
    return {"customerId": customer_id, "accounts": [_account(row) for row in rows]}


async def transactions(connection: AsyncConnection, account_id: str, limit: int) -> Row:
    """The newest postings of an account, newest first. Raises Refused with code account_unknown."""
    found = await _rows(connection, CURRENCY, (account_id,))
    if not found:
        raise Refused("account_unknown")
    currency = found[0]["currency"]
    rows = await _rows(connection, POSTINGS, (account_id, limit))
    return {"accountId": account_id, "transactions": [_posting(row, currency) for row in rows]}


async def transfer(connection: AsyncConnection, reference: str) -> Row:
    """The legs booked under a reference, by account and direction. Raises Refused with code transfer_unknown."""
    rows = await _rows(connection, LEGS, (reference,))
    if not rows:
        raise Refused("transfer_unknown")
    legs = [
        {
            "accountId": row["account_id"],
            "direction": row["direction"],
            "amount": money(row["amount"], row["currency"]),
        }
        for row in rows
    ]
    return {"reference": reference, "legs": legs}


def _account(row: Row) -> Row:
    return {
        "accountId": row["account_id"],
        "customerId": row["customer_id"],
        "product": row["product"],
        "status": row["status"],
        "balance": money(row["balance"], row["currency"]),
        "openedOn": row["opened_on"],
        "branch": row["branch"],
    }


def _posting(row: Row, currency: str) -> Row:
    return {
        "bookedOn": row["booked_on"],
        "sequence": row["sequence"],
        "reference": row["reference"],
        "kind": row["kind"],
        "direction": row["direction"],
        "amount": money(row["amount"], currency),
        "balanceAfter": money(row["balance_after"], currency),
        "counterparty": row["counterparty"],
        "postedAt": row["posted_at"],
        "note": row["note"],
    }


async def _rows(connection: AsyncConnection, query: str, values: tuple[object, ...]) -> list[Row]:
    async with connection.cursor(row_factory=dict_row) as cursor:
        await cursor.execute(query, values)
        return await cursor.fetchall()
