"""CORE/87's data, made up from a number: the same number and sizes give the same rows.

Money is neither made nor lost: every posting has two legs under one reference, an account opens with a posting against
the bank's internal account of its currency, and a balance is the sum of its legs. Numbers: customers from 10000001,
accounts from 2000000001, the bank itself 00000001 with the internal accounts in INTERNAL_ACCOUNTS. The last customers
are closed and own the few accounts of type X, which have no history.
"""

import random
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import date, datetime, time, timedelta
from decimal import Decimal
from typing import Literal
from uuid import UUID

import psycopg
from psycopg import sql

from legacy_adapter.monolith.schema import create_schema

BUSINESS_DATE = date(2026, 11, 2)
BANK = "00000001"
INTERNAL_ACCOUNTS = {"GBP": "1000000001", "EUR": "1000000002"}

Progress = Callable[[int, int], None]
Kind = Literal["XFER", "INTR", "FEE ", "OPEN"]
Row = tuple[object, ...]

_FOUNDED = date(1987, 1, 5)
_FIRST_OPENING, _LAST_OPENING = date(2012, 1, 2), date(2024, 12, 31)
_FIRST_NAMES = "ADA BRIAN CLARA DAVID EMILY FRANK GRACE HENRY IRIS JAMES KAREN LEWIS MARIE NIGEL OLIVIA PETER ROSE"
_LAST_NAMES = "ADAMS BAKER CLARKE DAVIES EVANS FISCHER GRANT HUGHES IRVING JONES KELLY LEWIS MÜLLER NOLAN OWEN PATEL"
_OPENING_TIME, _FEE, _INTEREST, _EXAMPLES = time(9, 30), Decimal("2.50"), Decimal("1.37"), 20
_PROGRESS_EVERY = 5000
_TEXTS = ("RENT", "INVOICE", "GIFT", "CAR", "SCHOOL FEES", None, None)


@dataclass(frozen=True)
class Size:
    """How much to make up (history in rows, at least two an account), and the number that it is made from."""

    customers: int = 2000
    accounts: int = 5000
    history: int = 50_000
    seed: int = 87

    def __post_init__(self) -> None:
        if self.customers < 3 or self.accounts < self.customers:
            raise ValueError("the demo bank needs three customers, and an account for each customer")

    @property
    def closed_customers(self) -> int:
        """How many of the customers are closed."""
        return max(1, self.customers // 1000)

    @property
    def closed_out_accounts(self) -> int:
        """How many of the accounts are of type X."""
        return max(1, self.accounts // 1000)


@dataclass
class _Account:
    number: str
    customer: str
    kind: str
    currency: str
    opened: date
    branch: str
    status: str = "00"
    balance: Decimal = Decimal("0.00")
    last: date | None = None

    def row(self) -> Row:
        last = self.last and f"{self.last:%Y%m%d}"
        opened = f"{self.opened:%Y%m%d}"
        return (
            self.number, self.customer, self.kind, self.currency, self.balance, self.status, opened, last, self.branch,
        )  # fmt: skip


@dataclass
class _Books:
    """The accounts while history is made up, and the rows of history."""

    rows: list[Row] = field(default_factory=list)

    def post(self, at: datetime, kind: Kind, reference: str, legs: tuple[_Account, _Account], amount: Decimal) -> None:
        """Two rows of history: the first account pays, the second is paid."""
        payer, payee = legs
        for account, other, flag in ((payer, payee, "D"), (payee, payer, "C")):
            account.balance += amount if flag == "C" else -amount
            account.last = at.date()
            text = _TEXTS[len(self.rows) // 2 % len(_TEXTS)] if kind == "XFER" else None
            self.rows.append((
                f"{at:%Y%m%d}", len(self.rows) + 1, account.number, reference, kind, flag, amount, account.balance,
                other.number, f"{at:%Y-%m-%d.%H.%M.%S.%f}", text,
            ))  # fmt: skip


def prepare(conn: psycopg.Connection, size: Size, progress: Progress | None = None) -> bool:
    """Create and fill CORE/87's tables unless they exist; whether it did."""
    with conn.transaction():
        found = conn.execute("SELECT to_regclass('custmast')").fetchone()
        if found and found[0] is not None:
            return False
        create_schema(conn)
        _fill(conn, size, progress or _unseen)
    return True


def seed(
    conn: psycopg.Connection,
    customers: int = 2000,
    accounts: int = 5000,
    history: int = 50_000,
    seed: int = 87,
    progress: Progress | None = None,
) -> None:
    """Fill the empty tables in one transaction; `progress` hears rows written and rows in all."""
    with conn.transaction():
        _fill(conn, Size(customers, accounts, history, seed), progress or _unseen)


def _fill(conn: psycopg.Connection, size: Size, progress: Progress) -> None:
    chance = random.Random(size.seed)  # noqa: S311 - made-up data, not a secret
    customers = list(_customers(size, chance))
    accounts = list(_accounts(size, chance))
    history = _history(size, chance, accounts)
    tables: dict[str, list[Row]] = {
        "custmast": customers,
        "acctmast": [account.row() for account in accounts],
        "trnhist": history,
        "ctlparm": [("BUSDATE", f"{BUSINESS_DATE:%Y%m%d}")],
    }
    total = sum(map(len, tables.values()))
    done = 0
    for table, rows in tables.items():
        with conn.cursor().copy(sql.SQL("COPY {} FROM STDIN").format(sql.Identifier(table))) as copy:
            for row in rows:
                copy.write_row(row)
                done += 1
                if done % _PROGRESS_EVERY == 0 or done == total:
                    progress(done, total)
    conn.execute("SELECT setval('trnhist_seq', %s)", (len(history),))
    conn.execute("ANALYZE custmast, acctmast, trnhist, ctlparm")


def _customers(size: Size, chance: random.Random) -> Iterator[Row]:
    yield (BANK, "BANK ITSELF", f"{_FOUNDED:%d%m%Y}", None, "GB", "00", None)
    first, last = _FIRST_NAMES.split(), _LAST_NAMES.split()
    for index in range(size.customers):
        born = date(1930, 1, 1) + timedelta(days=chance.randrange(75 * 365))
        is_closed = index >= size.customers - size.closed_customers
        status = "90" if is_closed else chance.choices(("00", "10"), (99, 1))[0]
        updated = f"{_LAST_OPENING:%Y-%m-%d}.23.59.59.{index % 1_000_000:06}" if index % 3 else None
        name = f"{chance.choice(first)} {chance.choice(last)}"
        segment, country = chance.choice("RPB"), chance.choice(("GB", "GB", "DE", "FR", None))
        yield (_customer(index), name, f"{born:%d%m%Y}", segment, country, status, updated)


def _accounts(size: Size, chance: random.Random) -> Iterator[_Account]:
    for currency, number in INTERNAL_ACCOUNTS.items():
        yield _Account(number, BANK, "G", currency, _FOUNDED, "0001")
    open_customers = size.customers - size.closed_customers
    ordinary = size.accounts - size.closed_out_accounts
    days = (_LAST_OPENING - _FIRST_OPENING).days
    for index in range(size.accounts):
        # The first accounts serve as examples in documents and demos: open current accounts in GBP.
        is_example = index < _EXAMPLES
        owner = index if index < open_customers else chance.randrange(open_customers)
        kind = "C" if is_example else chance.choices("CS", (7, 3))[0]
        currency = "GBP" if is_example else chance.choices(("GBP", "EUR"), (7, 3))[0]
        status = "00" if is_example else chance.choices(("00", "20", "10"), (97, 2, 1))[0]
        opened = _FIRST_OPENING + timedelta(days=chance.randrange(days))
        if index >= ordinary:
            owner, kind, status = open_customers + index % size.closed_customers, "X", "90"
        branch = f"{chance.randrange(1, 60):04}"
        yield _Account(str(2_000_000_001 + index), _customer(owner), kind, currency, opened, branch, status)


def _history(size: Size, chance: random.Random, accounts: list[_Account]) -> list[Row]:
    """Openings by their date, then transfers, interest and fees in the order of their time."""
    books = _Books()
    internal = {account.currency: account for account in accounts if account.kind == "G"}
    ordinary = sorted((a for a in accounts if a.kind in "CS"), key=lambda a: (a.opened, a.number))
    for account in ordinary:
        amount = Decimal(chance.randrange(10_000, 2_000_000)).scaleb(-2)
        at = datetime.combine(account.opened, _OPENING_TIME)
        books.post(at, "OPEN", f"OPEN{account.number}", (internal[account.currency], account), amount)
    days = (BUSINESS_DATE - _LAST_OPENING).days - 1
    events = max(0, size.history - len(books.rows)) // 2
    seconds = sorted(chance.randrange(days * 86_400) for _ in range(events))
    by_currency = {currency: [a for a in ordinary if a.currency == currency] for currency in internal}
    for second in seconds:
        at = datetime.combine(_LAST_OPENING + timedelta(days=1), datetime.min.time())
        at += timedelta(seconds=second, microseconds=chance.randrange(1_000_000))
        _event(books, at, chance, by_currency, internal)
    return books.rows


def _event(
    books: _Books,
    at: datetime,
    chance: random.Random,
    by_currency: dict[str, list[_Account]],
    internal: dict[str, _Account],
) -> None:
    account = chance.choice(by_currency[chance.choices(("GBP", "EUR"), (7, 3))[0]] or by_currency["GBP"])
    bank = internal[account.currency]
    reference = str(UUID(int=chance.getrandbits(128), version=4))
    kind = chance.choices(("XFER", "INTR", "FEE "), (8, 1, 1))[0]
    amount = Decimal(chance.randrange(100, 50_000)).scaleb(-2)
    other = chance.choice(by_currency[account.currency])
    if kind == "FEE " and account.balance >= _FEE:
        books.post(at, "FEE ", reference, (account, bank), _FEE)
    elif kind == "XFER" and other is not account and account.balance >= amount:
        books.post(at, "XFER", reference, (account, other), amount)
    else:  # an account that cannot pay is paid interest, so that the number of rows stays what was asked for
        books.post(at, "INTR", reference, (bank, account), _INTEREST)


def _customer(index: int) -> str:
    return str(10_000_001 + index)


def _unseen(_done: int, _total: int) -> None:
    """Nobody watches."""
