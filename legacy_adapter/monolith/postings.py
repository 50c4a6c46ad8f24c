"""Where money moves: accounts locked in the order of their numbers, checks in order, both legs in one transaction."""

from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal

import psycopg

from legacy_adapter import wire
from legacy_adapter.connections import Connections
from legacy_adapter.monolith.answers import OutcomeUnknown

_OPEN, _PAYEE_REFUSED = "00", ("20", "90")

# NO KEY UPDATE holds off every other posting, and lets the foreign key of TRNHIST look.
_LOCK = """
SELECT acct_no, ccy, bal_amt, acct_sts FROM acctmast
WHERE acct_no = ANY(%s::bpchar[]) ORDER BY acct_no FOR NO KEY UPDATE
"""
_BALANCE = "UPDATE acctmast SET bal_amt = %s, lst_trn_dt = %s WHERE acct_no = %s"
_HISTORY = """
INSERT INTO trnhist (trn_dt, trn_seq, acct_no, trn_ref, trn_cd, drcr, amt, bal_aft, cpty_acct, trn_ts, trn_txt)
VALUES (%s, nextval('trnhist_seq'), %s, %s, %s, %s, %s, %s, %s,
        to_char(clock_timestamp() AT TIME ZONE 'UTC', 'YYYY-MM-DD.HH24.MI.SS.US'), %s)
"""


@dataclass
class Holding:
    """An account whose row this transaction has locked."""

    number: str
    currency: str
    balance: Decimal
    status: str


@dataclass(frozen=True)
class Posted:
    """A transfer that is in the books, with the payer's balance after it."""

    reference: str
    balance: Decimal


@dataclass(frozen=True)
class Leg:
    """One row of history, with the balance that it leaves."""

    account: str
    counterparty: str
    flag: str
    amount: Decimal
    after: Decimal
    reference: str
    text: str | None = None


async def post_transfer(connections: Connections, order: wire.TransferOrder) -> Posted | wire.Refused:
    """Post the transfer or say why not; nothing is written when it is refused.

    Raises psycopg.Error, DatabaseDown or AllConnectionsBusy when nothing was written, else OutcomeUnknown.
    """
    async with connections.take() as conn:
        held = await lock(conn, (order.payer, order.payee))
        payer, payee = held.get(order.payer), held.get(order.payee)
        if payer is None or payee is None:
            return wire.Refused(wire.NOT_FOUND, order.reference)
        code = refusal_of(payer, payee, order.amount)
        if code is not None:
            return wire.Refused(code, order.reference)
        legs = move(payer, payee, order.amount, order.reference, order.text)
        await write(conn, "XFER", await business_date(conn), (payer, payee), legs)
        await commit(conn)
        return Posted(order.reference, payer.balance)


async def lock(conn: psycopg.AsyncConnection, numbers: Sequence[str]) -> dict[str, Holding]:
    """The accounts of these numbers that exist, locked until the transaction ends, without any deadlock."""
    rows = await (await conn.execute(_LOCK, (list(numbers),))).fetchall()
    return {number: Holding(number, currency, balance, status) for number, currency, balance, status in rows}


def refusal_of(payer: Holding, payee: Holding, amount: Decimal) -> str | None:
    """The return code of the first check that fails; status and currency come before funds."""
    is_allowed = payer.status == _OPEN and payee.status not in _PAYEE_REFUSED and payer.currency == payee.currency
    if not is_allowed:
        return wire.NOT_ALLOWED
    return wire.NO_FUNDS if payer.balance < amount else None


def move(payer: Holding, payee: Holding, amount: Decimal, reference: str, text: str | None) -> tuple[Leg, Leg]:
    """Change both balances and give the two legs of it, the payer's first."""
    payer.balance -= amount
    payee.balance += amount
    return (
        Leg(payer.number, payee.number, "D", amount, payer.balance, reference, text),
        Leg(payee.number, payer.number, "C", amount, payee.balance, reference, text),
    )


async def write(
    conn: psycopg.AsyncConnection, code: str, date: str, accounts: Sequence[Holding], legs: Sequence[Leg]
) -> None:
    """Write balances, then history.

    ACCTMAST comes before TRNHIST always, as in their foreign key: whoever locks both tables in that order waits for
    us and never the other way round as well.
    """
    rows = [
        (date, leg.account, leg.reference, code, leg.flag, leg.amount, leg.after, leg.counterparty, leg.text)
        for leg in legs
    ]
    async with conn.cursor() as cursor:
        await cursor.executemany(_BALANCE, [(account.balance, date, account.number) for account in accounts])
        await cursor.executemany(_HISTORY, rows)


async def commit(conn: psycopg.AsyncConnection) -> None:
    """Commit; OutcomeUnknown if the server was lost meanwhile, psycopg.Error if it refused."""
    try:
        await conn.commit()
    except psycopg.OperationalError as problem:
        if problem.sqlstate is None or conn.closed:
            raise OutcomeUnknown from problem
        raise


async def business_date(conn: psycopg.AsyncConnection) -> str:
    """YYYYMMDD, as CTLPARM has it."""
    row = await (await conn.execute("SELECT parm_val FROM ctlparm WHERE parm_cd = 'BUSDATE'")).fetchone()
    if row is None:
        raise psycopg.DataError("CTLPARM has no BUSDATE")
    return str(row[0])
