"""Looks at both databases while a run goes on: what a reader sees in one snapshot, and who takes writes between commands."""

from __future__ import annotations

import threading

import psycopg

from tests.kill import books
from tests.kill.checker import Seen, Stop
from tests.kill.world import World

LOOKS = {
    "legacy": ("SELECT trim(ccy), sum(bal_amt) FROM acctmast WHERE acct_typ <> 'X' GROUP BY 1",
               "SELECT trn_ref FROM trnhist WHERE trn_ref ~ '^[0-9a-f]{8}-' GROUP BY 1 HAVING count(*) <> 2"),
    "modern": ("SELECT trim(currency), sum(balance) FROM account GROUP BY 1",
               "SELECT reference FROM posting WHERE reference ~ '^[0-9a-f]{8}-' GROUP BY 1 HAVING count(*) <> 2"),
}  # fmt: skip
MONEY = LOOKS["legacy"][0]


class Reader(threading.Thread):
    """Looks again and again, each time in one snapshot."""

    def __init__(self, world: World) -> None:
        super().__init__(name="reader", daemon=True)
        self._world, self._end = world, threading.Event()
        self.looks: list[Seen] = []

    def run(self) -> None:
        """Look at one side and the other until told to end."""
        while not self._end.is_set():
            for side, url in (("legacy", self._world.legacy_url), ("modern", self._world.modern_url)):
                try:
                    with psycopg.connect(url, connect_timeout=2, application_name="reader") as connection:
                        connection.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ")
                        money, torn = (connection.execute(query.encode()).fetchall() for query in LOOKS[side])
                        self.looks.append(Seen(side, dict(money), tuple(row[0] for row in torn)))
                except psycopg.Error:
                    continue
            self._end.wait(0.25)

    def end(self) -> list[Seen]:
        """Stop looking."""
        self._end.set()
        self.join(15)
        return self.looks


def who_takes_writes(world: World) -> Stop | None:
    """The stage and which side takes writes now; None where a side cannot be asked or is too busy to say."""
    account = world.cast.actors[0].account
    try:
        legacy = books.accepts("legacy", world.legacy_url, account)
        modern = books.accepts("modern", world.modern_url, account)
    except psycopg.Error:
        return None
    return Stop(world.stage, legacy, modern)
