"""The control database's address and engine: SQLite beside routes.yaml unless routes.yaml names another."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from config.model import Routes

if TYPE_CHECKING:
    from sqlalchemy.engine import Connection, Engine
    from sqlalchemy.engine.interfaces import DBAPIConnection


def control_url(routes: Routes, folder: Path) -> str:
    """What `databases.control` says, else `control.db` in that folder; a relative path is relative to routes.yaml."""
    from sqlalchemy.engine import make_url

    configured = routes.databases.get("control")
    text = configured.url if configured else f"sqlite:///{folder / 'control.db'}"
    url = make_url(text)
    if url.get_backend_name() != "sqlite" or not url.database or url.database == ":memory:":
        return text
    path = routes.path.resolve().parent / url.database
    path.parent.mkdir(parents=True, exist_ok=True)
    return str(url.set(database=str(path)))


def control_engine(url: str, busy_seconds: float, **connecting: Any) -> Engine:
    """An engine whose transactions are durable when they have ended; in SQLite there is one writer at a time.

    `busy_seconds` is how long a writer waits for another one in SQLite, `connecting` what psycopg is told.
    """
    import sqlalchemy as sa
    from sqlalchemy import event

    parsed = sa.make_url(url)
    if parsed.drivername == "postgresql":
        parsed = parsed.set(drivername="postgresql+psycopg")
    if parsed.get_backend_name() != "sqlite":
        return sa.create_engine(parsed, pool_pre_ping=True, connect_args=connecting)
    engine = sa.create_engine(parsed, connect_args={"timeout": busy_seconds, "isolation_level": None})

    @event.listens_for(engine, "connect")
    def _durable(connection: DBAPIConnection, _record: object) -> None:
        cursor = connection.cursor()
        cursor.execute("PRAGMA journal_mode = WAL")
        cursor.execute("PRAGMA synchronous = FULL")
        cursor.close()

    @event.listens_for(engine, "begin")
    def _one_writer(connection: Connection) -> None:
        if connection.get_execution_options().get("isolation_level") != "AUTOCOMMIT":
            connection.exec_driver_sql("BEGIN IMMEDIATE")

    return engine
