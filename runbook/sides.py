"""The two databases of a capability, connected, with the tables that its mappings own on each side."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, LiteralString

import psycopg
from psycopg import sql

from cdc.mapping import Mapping
from cdc.translation.load import load_mappings
from config.errors import DatabaseDown, NotConfigured
from config.model import Routes, Sync
from runbook.stages import Home

APPLICATION_NAME = "strangler-runbook"
CONNECT_SECONDS = 5
SETTINGS = "-c TimeZone=UTC -c DateStyle=ISO -c extra_float_digits=3 -c jit=off"

Connection = psycopg.Connection[tuple[Any, ...]]


@dataclass(frozen=True)
class Side:
    """One of the two databases: `database` is its name in routes.yaml, `tables` those of the capability."""

    home: Home
    database: str
    conn: Connection
    tables: tuple[str, ...]

    def ask(
        self, query: sql.SQL | sql.Composed | LiteralString, params: Sequence[object] | None = None
    ) -> list[tuple[Any, ...]]:
        """Run one statement and return its rows. Raises DatabaseDown when the connection is gone."""
        with mapped(self.database):
            cursor = self.conn.execute(query, params)
            return cursor.fetchall() if cursor.description else []


@dataclass(frozen=True)
class Sides:
    """Both sides, and the mappings from legacy to modern in the order of modern's foreign keys."""

    capability: str
    legacy: Side
    modern: Side
    mappings: tuple[Mapping, ...]

    def at(self, home: Home) -> Side:
        """The side where writes are answered when that is the home."""
        return self.legacy if home == "legacy" else self.modern

    def other(self, home: Home) -> Side:
        """The side that the stream from that home feeds."""
        return self.modern if home == "legacy" else self.legacy

    def stream_from(self, home: Home) -> str:
        """The name of the stream whose source is that home."""
        return f"{self.capability}:{'forward' if home == 'legacy' else 'reverse'}"

    def close(self) -> None:
        """Close both connections."""
        self.legacy.conn.close()
        self.modern.conn.close()


def open_sides(routes: Routes, capability: str) -> Sides | None:
    """Connect to both databases and load the mappings; None for a capability without `sync`.

    Raises DatabaseDown, or what is wrong with a mapping.
    """
    sync = routes.capabilities[capability].sync
    if sync is None:
        return None
    legacy = connect(routes, sync.source)
    try:
        modern = connect(routes, sync.target)
    except BaseException:
        legacy.close()
        raise
    try:
        with mapped(f"{sync.source} or {sync.target}"):
            return _loaded(capability, sync, legacy, modern)
    except BaseException:
        legacy.close()
        modern.close()
        raise


def connect(routes: Routes, database: str) -> Connection:
    """Open a connection in autocommit to a database named in routes.yaml. Raises DatabaseDown, NotConfigured."""
    if database not in routes.databases:
        raise NotConfigured(f"databases.{database}", "this run")
    return connect_to(routes.databases[database].url, database)


def connect_to(url: str, database: str) -> Connection:
    """Open a connection in autocommit to that address; errors call it `database`. Raises DatabaseDown."""
    url = url.replace("postgresql+psycopg://", "postgresql://", 1)
    with mapped(database):
        return psycopg.connect(
            url,
            autocommit=True,
            options=SETTINGS,
            application_name=APPLICATION_NAME,
            connect_timeout=CONNECT_SECONDS,
            prepare_threshold=None,
        )


@contextmanager
def mapped(database: str) -> Iterator[None]:
    """Map the loss of a connection to DatabaseDown, with the database's name."""
    try:
        yield
    except psycopg.OperationalError as error:
        if error.sqlstate is not None and not error.sqlstate.startswith(("08", "57P")):
            raise
        raise DatabaseDown(database, str(error).partition("\n")[0]) from error


def table_name(name: str) -> sql.Identifier:
    """Quote `table` or `schema.table`."""
    return sql.Identifier(*name.split("."))


def _loaded(capability: str, sync: Sync, legacy: Connection, modern: Connection) -> Sides:
    mappings = load_mappings(sync, legacy, modern)
    return Sides(
        capability,
        Side("legacy", sync.source, legacy, tuple(dict.fromkeys(m.source_table for m in mappings))),
        Side("modern", sync.target, modern, tuple(dict.fromkeys(m.target_table for m in mappings))),
        mappings,
    )
