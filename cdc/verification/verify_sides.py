"""Both databases of a verification: connected, asked at the same time, and the wait for the stream between them."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass
from functools import cached_property
from time import monotonic, sleep
from typing import TYPE_CHECKING, Any, Literal

import psycopg

from cdc.connections import connect as connect_bounded
from cdc.state import emit_nudge
from cdc.streaming.slots import is_read, name_of
from cdc.verification.verify_sql import Side
from config.errors import DatabaseDown, NotConfigured

if TYPE_CHECKING:
    from config.model import Routes

Direction = Literal["forward", "reverse"]
LOOK_SECONDS = 0.02
SETTINGS = "-c TimeZone=UTC -c DateStyle=ISO -c extra_float_digits=3 -c jit=off"


@dataclass
class Sides:
    """Both connections, asked at the same time."""

    legacy: psycopg.Connection[Any]
    modern: psycopg.Connection[Any]
    pool: ThreadPoolExecutor
    stream: str
    direction: Direction

    def ask(self, side: Side, statement: str, parameters: dict[str, object]) -> list[tuple[Any, ...]]:
        """All rows of one statement on one side."""
        return self.on(side).execute(statement.encode(), parameters).fetchall()

    def both(self, make: Callable[[Side], tuple[str, dict[str, object]]]) -> tuple[list[Any], list[Any]]:
        """The rows of legacy and modern."""
        legacy = self.pool.submit(self.ask, "legacy", *make("legacy"))
        modern = self.pool.submit(self.ask, "modern", *make("modern"))
        return legacy.result(), modern.result()

    def catch_up(self, deadline: float) -> bool:
        """Wait until the stream has applied all that its source has now; true at once where there is no stream."""
        source, target = self._ends
        if target.execute("SELECT to_regclass('strangler.stream')").fetchone() == (None,):
            return True
        self.beat("legacy" if self.direction == "forward" else "modern")
        position = (source.execute("SELECT pg_current_wal_insert_lsn()").fetchone() or (None,))[0]
        query = "SELECT position >= %s FROM strangler.stream WHERE name = %s AND state = 'streaming'"
        while True:
            row = target.execute(query, (position, self.stream)).fetchone()
            if row is None or row[0]:
                return True
            if monotonic() >= deadline:
                return False
            sleep(LOOK_SECONDS)

    def beat(self, side: Side) -> None:
        """Put a place into that side's log that a stream reaches even where nobody writes."""
        with suppress(psycopg.errors.ReadOnlySqlTransaction):  # a standby; its primary has heartbeats of its own
            emit_nudge(self.on(side))

    def on(self, side: Side) -> psycopg.Connection[Any]:
        """The connection to a side."""
        return self.legacy if side == "legacy" else self.modern

    @cached_property
    def is_followed(self) -> bool:
        """Whether a process carries changes from one side to the other; false only if none does for a while."""
        return is_read(self._ends[0], name_of(*self.stream.rpartition(":")[::2])) is not False

    @property
    def _ends(self) -> tuple[psycopg.Connection[Any], psycopg.Connection[Any]]:
        return (self.legacy, self.modern) if self.direction == "forward" else (self.modern, self.legacy)


def connect(routes: Routes, name: str) -> psycopg.Connection[Any]:
    """A connection to a database of routes.yaml, in autocommit. Raises DatabaseDown."""
    database = routes.databases.get(name)
    if database is None:
        raise NotConfigured(f"databases.{name}", "verify")
    return connect_url(database.url, name)


def connect_url(url: str, name: str) -> psycopg.Connection[Any]:
    """The same by its URL."""
    try:
        return connect_bounded(url, "strangler-verify", options=SETTINGS)
    except psycopg.OperationalError as error:
        raise DatabaseDown(name, str(error)) from error
