"""The truth of both databases in neutral words, read with statements of our own."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal
from typing import Any

import psycopg

Connection = psycopg.Connection[tuple[Any, ...]]

# Every column twice in the same words: what CORE/87 says in codes, the ledger says in words.
LEGACY = {
    "account": """SELECT trim(acct_no), trim(cust_no), acct_typ, trim(ccy), bal_amt::numeric(14,2)::text, acct_sts,
                  open_dt, trim(brch_cd) FROM acctmast WHERE acct_typ <> 'X' ORDER BY 1""",
    "customer": "SELECT trim(cust_no), cust_nm, dob, seg, cntry, cust_sts FROM custmast ORDER BY 1",
    "posting": """SELECT trn_dt, trn_seq::text, trim(acct_no), trn_ref, trim(trn_cd), drcr, amt::numeric(14,2)::text,
                  bal_aft::numeric(14,2)::text, trim(cpty_acct), trn_ts, trn_txt FROM trnhist ORDER BY trn_dt, trn_seq""",
}
MODERN = {
    "account": """SELECT trim(account_id), trim(customer_id),
                  CASE product WHEN 'current' THEN 'C' WHEN 'savings' THEN 'S' WHEN 'internal' THEN 'G' END,
                  trim(currency), balance::numeric(14,2)::text,
                  CASE status WHEN 'open' THEN '00' WHEN 'dormant' THEN '10' WHEN 'blocked' THEN '20'
                              WHEN 'closed' THEN '90' END,
                  to_char(opened_on, 'YYYYMMDD'), trim(branch) FROM account ORDER BY 1""",
    "customer": """SELECT trim(customer_id), name, to_char(born_on, 'DDMMYYYY'), segment, country,
                   CASE status WHEN 'active' THEN '00' WHEN 'dormant' THEN '10' WHEN 'closed' THEN '90' END
                   FROM customer ORDER BY 1""",
    "posting": """SELECT to_char(booked_on, 'YYYYMMDD'), sequence::text, trim(account_id), reference,
                  CASE kind WHEN 'transfer' THEN 'XFER' WHEN 'interest' THEN 'INTR' WHEN 'fee' THEN 'FEE'
                            WHEN 'opening' THEN 'OPEN' END,
                  direction, amount::numeric(14,2)::text, balance_after::numeric(14,2)::text, trim(counterparty),
                  to_char(posted_at, 'YYYY-MM-DD.HH24.MI.SS.US'), note FROM posting ORDER BY booked_on, sequence""",
}
# For each posting the key, when its transaction was committed, and whether a client or a stream wrote it here.
BORN = {
    "legacy": """SELECT trn_dt, trn_seq::text, o.timestamp, coalesce(o.roident, 0)::int FROM trnhist,
                 pg_xact_commit_timestamp_origin(xmin) AS o WHERE trn_ref ~ '^[0-9a-f]{8}-'""",
    "modern": """SELECT to_char(booked_on, 'YYYYMMDD'), sequence::text, o.timestamp, coalesce(o.roident, 0)::int
                 FROM posting, pg_xact_commit_timestamp_origin(xmin) AS o WHERE reference ~ '^[0-9a-f]{8}-'""",
}
LAST_NUMBER = {
    "legacy": "SELECT last_value FROM trnhist_seq",
    "modern": "SELECT last_value FROM posting_sequence",
}
# A write that changes nothing, seen by whatever refuses writes, and taken back.
TOUCH = {
    "legacy": ("UPDATE acctmast SET bal_amt = bal_amt WHERE acct_no = %s",
               "UPDATE trnhist SET amt = amt WHERE acct_no = %s"),
    "modern": ("UPDATE account SET balance = balance WHERE account_id = %s",
               "UPDATE customer SET name = name WHERE customer_id = (SELECT customer_id FROM account WHERE account_id = %s)"),
}  # fmt: skip
Row = tuple[str | None, ...]
Key = tuple[str, str]


@dataclass(frozen=True)
class Posting:
    """One leg."""

    day: str
    number: int
    account: str
    reference: str
    code: str
    drcr: str
    amount: Decimal
    after: Decimal
    payee: str | None
    at: str

    @property
    def key(self) -> Key:
        return self.day, str(self.number)


@dataclass(frozen=True)
class Born:
    """Where and when a posting was committed first: by a client (`is_local`) or by a stream."""

    at: datetime
    is_local: bool


@dataclass(frozen=True)
class Books:
    """One side at rest."""

    side: str
    tables: Mapping[str, list[Row]]
    born: Mapping[Key, Born]
    last_number: int
    accepts_writes: bool
    refusals: tuple[bool, ...] = field(default=())

    @property
    def postings(self) -> list[Posting]:
        found = []
        for day, number, account, reference, code, drcr, amount, after, payee, at, _ in self.tables["posting"]:
            assert day
            assert number
            assert account
            assert reference
            assert code
            assert drcr
            assert amount
            assert after
            assert at
            found.append(
                Posting(day, int(number), account, reference, code, drcr, Decimal(amount), Decimal(after), payee, at)
            )
        return found

    @property
    def balances(self) -> dict[str, tuple[str, Decimal]]:
        """Currency and balance by account."""
        return {str(row[0]): (str(row[3]), Decimal(str(row[4]))) for row in self.tables["account"]}


def read(side: str, url: str, account: str) -> Books:
    """Read one side in one snapshot, and try whether it accepts a write to that account."""
    statements = LEGACY if side == "legacy" else MODERN
    with psycopg.connect(url, application_name="checker", connect_timeout=5) as connection:
        connection.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ")
        connection.execute("SET LOCAL TimeZone = 'UTC'")
        tables = {name: connection.execute(statement).fetchall() for name, statement in statements.items()}
        born = {(day, number): Born(at, origin == 0) for day, number, at, origin in connection.execute(BORN[side])}
        row = connection.execute(LAST_NUMBER[side]).fetchone()
        assert row
        connection.rollback()
        accepted = tuple(_accepts(connection, statement, account) for statement in TOUCH[side])
    return Books(side, tables, born, int(row[0]), all(accepted), accepted)


def fingerprint(url: str, side: str) -> tuple[str, ...]:
    """Something that is equal on both sides when every row is, made by the database."""
    statements = LEGACY if side == "legacy" else MODERN
    with psycopg.connect(url, application_name="checker", connect_timeout=5) as connection:
        connection.execute("SET LOCAL TimeZone = 'UTC'")
        found = []
        for statement in statements.values():
            query = f"SELECT count(*) || ' ' || coalesce(md5(string_agg(t::text, chr(10))), '') FROM ({statement}) AS t"
            row = connection.execute(query.encode()).fetchone()
            assert row
            found.append(str(row[0]))
    return tuple(found)


def accepts(side: str, url: str, account: str) -> tuple[bool, ...]:
    """For each of the tables that are tried, whether it takes a write; nothing is changed."""
    with psycopg.connect(url, application_name="checker", connect_timeout=5) as connection:
        return tuple(_accepts(connection, statement, account) for statement in TOUCH[side])


def _accepts(connection: Connection, statement: str, account: str) -> bool:
    try:
        connection.execute("SELECT set_config('lock_timeout', '5s', true)")
        connection.execute(statement.encode(), (account,))
        connection.execute("SET CONSTRAINTS ALL IMMEDIATE")
    except psycopg.errors.ReadOnlySqlTransaction:
        return False
    except psycopg.errors.IntegrityError:
        return True  # nothing kept the write out; that the row does not fit is for those to find who read the books
    finally:
        connection.rollback()
    return True
