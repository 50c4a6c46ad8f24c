"""A ledger to try things on: its schema, accounts with balanced openings, and a client of the application."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterable
from contextlib import asynccontextmanager
from datetime import date
from decimal import Decimal

import httpx
import psycopg

from migrations.upgrade import upgrade
from services.ledger.app import application

CUSTOMER, TREASURY = "10000001", {"GBP": "1000000001", "EUR": "1000000002"}
DAY = date(2026, 11, 2)
PAY_IN = """
WITH moved AS (UPDATE account SET balance = balance + %(signed)s WHERE account_id = %(id)s RETURNING balance)
INSERT INTO posting
SELECT '2026-10-01', nextval('posting_sequence'), %(id)s, 'OPEN' || %(account)s, 'opening', %(direction)s, %(amount)s,
       balance, %(other)s, '2026-10-01 09:00:00.123456', NULL
FROM moved
"""


def open_books(
    url: str,
    accounts: Iterable[tuple[str, str, str]],
    *,
    business_date: date | None = DAY,
    statuses: dict[str, str] | None = None,
) -> None:
    """Make the schema and these accounts (account_id, currency, balance), paid in by an internal account each."""
    upgrade(url)
    with psycopg.connect(url) as connection:
        connection.execute("UPDATE setting SET value = %s WHERE name = 'business_date'", (business_date,))
        connection.execute(
            "INSERT INTO customer VALUES (%s, 'A N OTHER', '1970-01-02', 'R', 'GB', 'active')", (CUSTOMER,)
        )
        for currency, treasury in TREASURY.items():
            _open(connection, treasury, "internal", currency, "open")
        for account_id, currency, balance in accounts:
            _open(connection, account_id, "current", currency, (statuses or {}).get(account_id, "open"))
            _pay_in(connection, account_id, TREASURY[currency], Decimal(balance))


def _open(connection: psycopg.Connection, account_id: str, product: str, currency: str, status: str) -> None:
    connection.execute(
        "INSERT INTO account VALUES (%s, %s, %s, %s, 0, %s, '2020-01-01', '0001')",
        (account_id, CUSTOMER, product, currency, status),
    )


def _pay_in(connection: psycopg.Connection, account_id: str, treasury: str, amount: Decimal) -> None:
    if not amount:
        return
    for payee, other, direction, signed in ((treasury, account_id, "D", -amount), (account_id, treasury, "C", amount)):
        connection.execute(
            PAY_IN,
            {
                "signed": signed,
                "id": payee,
                "account": account_id,
                "direction": direction,
                "amount": amount,
                "other": other,
            },
        )


@asynccontextmanager
async def ledger_client(url: str) -> AsyncIterator[httpx.AsyncClient]:
    """A client that calls the application in this process."""
    app = application(url)
    transport = httpx.ASGITransport(app=app)
    async with (
        app.router.lifespan_context(app),
        httpx.AsyncClient(transport=transport, base_url="http://ledger") as client,
    ):
        yield client


def transfer_body(reference: str, debtor: str, creditor: str, amount: str, **more: object) -> dict[str, object]:
    """The body of POST /v1/transfers."""
    return {"reference": reference, "debtor": debtor, "creditor": creditor, "amount": {"amount": amount}, **more}
