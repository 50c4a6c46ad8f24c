"""INTCALC, the batch job: interest to savings accounts, straight in the database, past every proxy."""

from decimal import ROUND_DOWN, Decimal

import psycopg

from legacy_adapter.monolith.postings import Leg, business_date, commit, lock, move, write

APPLICATION_NAME = "corebank-batch"
ACCOUNTS_MAX = 200
_RATE, _CENT = Decimal("0.00005"), Decimal("0.01")
_CONNECT_SECONDS = 5

_SAVINGS = """
SELECT acct_no, ccy FROM acctmast WHERE acct_typ = 'S' AND acct_sts = '00' ORDER BY acct_no LIMIT %s
"""
_INTERNAL = "SELECT ccy, min(acct_no) FROM acctmast WHERE acct_typ = 'G' GROUP BY ccy"


async def run_interest(conninfo: str, accounts_max: int = ACCOUNTS_MAX) -> int:
    """Credit each of the first `accounts_max` open savings accounts with its interest; the number of postings.

    All of it is one transaction, with every account locked in the order of the numbers. Raises psycopg.Error when
    nothing was written, OutcomeUnknown when the server was lost at the end.
    """
    conn = await psycopg.AsyncConnection.connect(
        conninfo, application_name=APPLICATION_NAME, connect_timeout=_CONNECT_SECONDS
    )
    async with conn:
        savings = [row[0] for row in await (await conn.execute(_SAVINGS, (accounts_max,))).fetchall()]
        internal: dict[str, str] = dict(await (await conn.execute(_INTERNAL)).fetchall())
        held = await lock(conn, [*internal.values(), *savings])
        date, legs = await business_date(conn), list[Leg]()
        for number in savings:
            account = held[number]
            amount = interest(account.balance)
            reference = f"INT{date}{await _next_number(conn):012}"
            legs.extend(move(held[internal[account.currency]], account, amount, reference, "INTEREST"))
        await write(conn, "INTR", date, list(held.values()), legs)
        await commit(conn)
    return len(savings)


def interest(balance: Decimal) -> Decimal:
    """A day's interest, cut to the cent, and never less than one."""
    return max(_CENT, (balance * _RATE).quantize(_CENT, ROUND_DOWN))


async def _next_number(conn: psycopg.AsyncConnection) -> int:
    row = await (await conn.execute("SELECT nextval('trnhist_seq')")).fetchone()
    assert row is not None  # noqa: S101 - nextval gives one row
    return int(row[0])
