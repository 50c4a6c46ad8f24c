"""Who takes part in the load: the clients' own accounts, the accounts they read and pay, the accounts that refuse."""

from __future__ import annotations

import random
from dataclasses import dataclass
from pathlib import Path

import msgspec
import psycopg

OWN_BALANCE_MIN = 1_000


@dataclass(frozen=True)
class Actor:
    """One client: a customer with an account that nobody else debits or credits."""

    customer: str
    account: str
    currency: str


@dataclass(frozen=True)
class Cast:
    """Everything that the clients need to know of the bank, read once from its database."""

    actors: tuple[Actor, ...]
    readable: tuple[tuple[str, str], ...]  # (customer, account) pairs
    payees: dict[str, tuple[str, ...]]  # by currency; never an actor's account
    blocked: dict[str, tuple[str, ...]]  # by currency: a transfer to one is refused

    def save(self, path: Path) -> None:
        """Write it for the process of the clients."""
        path.write_bytes(msgspec.json.encode(self))

    @staticmethod
    def load(path: Path) -> Cast:
        """Read what `save` wrote."""
        return msgspec.json.decode(path.read_bytes(), type=Cast)


def choose_cast(legacy_url: str, clients: int, seed: int) -> Cast:
    """Choose from the monolith's tables; the same seed chooses the same people."""
    chance = random.Random(seed)  # noqa: S311  a reproducible choice, not a secret
    with psycopg.connect(legacy_url) as connection:
        rows = connection.execute(
            "SELECT trim(cust_no), trim(acct_no), trim(ccy), acct_typ, acct_sts, bal_amt FROM acctmast "
            "WHERE acct_typ IN ('C', 'S') ORDER BY acct_no"
        ).fetchall()
    able = [row for row in rows if row[3] == "C" and row[4] == "00" and row[5] >= OWN_BALANCE_MIN]
    chosen = chance.sample(able, clients)
    own = {row[1] for row in chosen}
    payees: dict[str, list[str]] = {}
    blocked: dict[str, list[str]] = {}
    for _, account, currency, _, status, _ in rows:
        if account not in own and status == "00":
            payees.setdefault(currency, []).append(account)
        if status == "20":
            blocked.setdefault(currency, []).append(account)
    return Cast(
        actors=tuple(Actor(row[0], row[1], row[2]) for row in chosen),
        readable=tuple((row[0], row[1]) for row in rows if row[1] not in own),
        payees={currency: tuple(accounts) for currency, accounts in payees.items()},
        blocked={currency: tuple(accounts) for currency, accounts in blocked.items()},
    )
