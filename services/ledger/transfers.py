"""Posts a transfer: two legs of one reference and two balances in one transaction, at most once per reference.

The checks run in the monolith's order with the monolith's codes: format (30), unknown account (14), status or
currency (20), funds (51). Accounts are locked in account_id order, and sequence numbers are drawn while they are
locked, so that the postings of an account are numbered in the order in which its balance changed.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date
from decimal import Decimal

import msgspec
from psycopg import AsyncConnection
from psycopg.rows import class_row

from services.ledger.problems import Refused

AMOUNT_MAX = BALANCE_MAX = Decimal("9999999999.99")  # TRNHIST and ACCTMAST have NUMBER(12,2)
REFERENCE_MAX, NOTE_MAX, ACCOUNT_MAX = 36, 40, 10
CENT = Decimal("0.01")

PAYS = frozenset({"open"})
IS_PAID = frozenset({"open", "dormant"})

LOCK_REFERENCE = "SELECT pg_advisory_xact_lock(hashtextextended('transfer ' || %s, 0))"
STORED = """
SELECT debit.amount, debit.balance_after AS debtor_balance, debit.booked_on,
       debit.account_id = %(debtor)s AND credit.account_id = %(creditor)s AND debit.amount = %(amount)s AS is_same,
       account.currency
FROM posting debit
JOIN posting credit ON credit.reference = debit.reference AND credit.direction = 'C' AND credit.kind = debit.kind
                   AND credit.account_id = debit.counterparty AND credit.amount = debit.amount
JOIN account ON account.account_id = debit.account_id
WHERE debit.reference = %(reference)s AND debit.direction = 'D' AND debit.kind = 'transfer'
ORDER BY is_same DESC, debit.booked_on, debit.sequence LIMIT 1
"""
LOCK_ACCOUNTS = """
SELECT account_id, currency, balance, status FROM account
WHERE account_id IN (%s, %s) ORDER BY account_id FOR NO KEY UPDATE
"""
BOOK = """
WITH day AS MATERIALIZED (
    SELECT coalesce(%(booked_on)s::date, (SELECT value::date FROM setting WHERE name = 'business_date'), current_date)
        AS booked_on
)
INSERT INTO posting (booked_on, sequence, account_id, reference, kind, direction, amount, balance_after,
                     counterparty, posted_at, note)
SELECT day.booked_on, {sequence}, leg.account_id, %(reference)s, 'transfer', leg.direction, %(amount)s,
       leg.balance_after, leg.counterparty, (clock_timestamp() AT TIME ZONE 'UTC')::timestamp(6), %(note)s
FROM day, (VALUES (1, %(debtor)s, 'D', %(debtor_balance)s::numeric, %(creditor)s),
                  (2, %(creditor)s, 'C', %(creditor_balance)s::numeric, %(debtor)s))
          AS leg (number, account_id, direction, balance_after, counterparty)
ORDER BY leg.number
RETURNING booked_on
"""
# A dry run must not draw from the sequence, nor use a number that a stream may bring while it runs.
DRAWN, IMAGINED = "nextval('posting_sequence')", "(1::bigint << 62) + 2 * txid_current() + leg.number"
BOOK_REAL, BOOK_DRY = BOOK.format(sequence=DRAWN), BOOK.format(sequence=IMAGINED)
SET_BALANCES = """
UPDATE account SET balance = CASE account_id WHEN %(debtor)s THEN %(debtor_balance)s::numeric
                                             ELSE %(creditor_balance)s::numeric END
WHERE account_id IN (%(debtor)s, %(creditor)s)
"""


class Money(msgspec.Struct, frozen=True):
    """An amount as clients send it; without a currency it is in that of the accounts."""

    amount: str
    currency: str | None = None


class Request(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The body of POST /v1/transfers."""

    reference: str
    debtor: str
    creditor: str
    amount: Money
    note: str | None = None


@dataclass(frozen=True)
class Transfer:
    """A transfer that somebody wants, its form checked."""

    reference: str
    debtor: str
    creditor: str
    amount: Decimal
    currency: str | None
    note: str | None


@dataclass(frozen=True)
class Outcome:
    """What was booked. `is_stored`: it had been booked before, and this is what was answered then."""

    currency: str
    debtor_balance: Decimal
    booked_on: date
    is_stored: bool = False


@dataclass(frozen=True)
class _Account:
    account_id: str
    currency: str
    balance: Decimal
    status: str


@dataclass(frozen=True)
class _Stored:
    amount: Decimal
    debtor_balance: Decimal
    booked_on: date
    is_same: bool
    currency: str


def parse(body: bytes) -> Transfer:
    """The transfer in a request's body. Raises Refused with code format."""
    try:
        request = msgspec.json.decode(body, type=Request)
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise Refused("format", "The body is not a transfer: reference, debtor, creditor, amount, note.") from error
    _check_text("reference", request.reference, REFERENCE_MAX)
    _check_text("debtor", request.debtor, ACCOUNT_MAX)
    _check_text("creditor", request.creditor, ACCOUNT_MAX)
    if request.debtor == request.creditor:
        raise Refused("format", "Debtor and creditor are the same account.")
    if request.note is not None and len(request.note) > NOTE_MAX:
        raise Refused("format", f"The note has more than {NOTE_MAX} characters.")
    amount = parse_amount(request.amount.amount)
    return Transfer(request.reference, request.debtor, request.creditor, amount, request.amount.currency, request.note)


def parse_amount(text: str) -> Decimal:
    """An amount above zero with at most two decimals, written plainly. Raises Refused with code format."""
    whole, _, decimals = text.partition(".")
    if not (text.isascii() and whole.isdigit() and len(decimals) <= 2 and (decimals.isdigit() or "." not in text)):
        raise Refused("format", "The amount is not digits with at most two decimals.")
    amount = Decimal(text).quantize(CENT)
    if not 0 < amount <= AMOUNT_MAX:
        raise Refused("format", f"The amount is not above zero and at most {AMOUNT_MAX}.")
    return amount


def _check_text(field: str, value: str, length_max: int) -> None:
    if not value.strip() or len(value) > length_max or "\x00" in value:
        raise Refused("format", f"The {field} is empty or has more than {length_max} characters.")


async def post(connection: AsyncConnection, transfer: Transfer, *, business_date: date | None, is_dry: bool) -> Outcome:
    """Book the transfer in the transaction that is open, or return what was booked under its reference before.

    `business_date` overrides the books' own setting. Raises Refused.
    """
    await connection.execute(LOCK_REFERENCE, (transfer.reference,))
    stored = await _stored(connection, transfer)
    if stored is not None:
        return stored
    debtor, creditor = await _lock_accounts(connection, transfer)
    debtor_balance, creditor_balance = _balances_after(debtor, creditor, transfer)
    values = {
        "reference": transfer.reference,
        "debtor": debtor.account_id,
        "creditor": creditor.account_id,
        "amount": transfer.amount,
        "note": transfer.note,
        "booked_on": business_date,
        "debtor_balance": debtor_balance,
        "creditor_balance": creditor_balance,
    }
    cursor = await connection.execute(BOOK_DRY if is_dry else BOOK_REAL, values)
    row = await cursor.fetchone()
    await connection.execute(SET_BALANCES, values)
    return Outcome(debtor.currency, debtor_balance, row[0] if row else date.min)


async def _stored(connection: AsyncConnection, transfer: Transfer) -> Outcome | None:
    """What this reference did before; the monolith's own transfers come here through the stream."""
    async with connection.cursor(row_factory=class_row(_Stored)) as cursor:
        await cursor.execute(
            STORED,
            {
                "reference": transfer.reference,
                "debtor": transfer.debtor,
                "creditor": transfer.creditor,
                "amount": transfer.amount,
            },
        )
        found = await cursor.fetchone()
    if found is None:
        return None
    if not found.is_same or transfer.currency not in (None, found.currency):
        raise Refused("reference_reused", "Debtor, creditor or amount differ from those booked under it.")
    return Outcome(found.currency, found.debtor_balance, found.booked_on, is_stored=True)


async def _lock_accounts(connection: AsyncConnection, transfer: Transfer) -> tuple[_Account, _Account]:
    async with connection.cursor(row_factory=class_row(_Account)) as cursor:
        await cursor.execute(LOCK_ACCOUNTS, (transfer.debtor, transfer.creditor))
        found = {account.account_id: account for account in await cursor.fetchall()}
    debtor, creditor = found.get(transfer.debtor), found.get(transfer.creditor)
    if debtor is None or creditor is None:
        raise Refused("account_unknown", "The debtor's or the creditor's account does not exist.")
    return debtor, creditor


def _balances_after(debtor: _Account, creditor: _Account, transfer: Transfer) -> tuple[Decimal, Decimal]:
    """Both balances once the amount has moved. Raises Refused where the rules do not allow it."""
    if debtor.status not in PAYS or creditor.status not in IS_PAID:
        raise Refused("account_not_usable")
    if debtor.currency != creditor.currency or transfer.currency not in (None, debtor.currency):
        raise Refused("currencies_differ")
    if debtor.balance < transfer.amount:
        raise Refused("funds")
    if creditor.balance + transfer.amount > BALANCE_MAX:
        raise Refused("range")
    return debtor.balance - transfer.amount, creditor.balance + transfer.amount
