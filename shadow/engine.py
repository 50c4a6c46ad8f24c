"""The engine under the store: SQLite in WAL mode, or a schema of its own in PostgreSQL; transactions, and their errors.

In both there is one writer at a time, and a reader sees one moment whatever is written meanwhile. In PostgreSQL the
comparers of several gateways may write to one store, and a report is about all of them.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from sqlalchemy import Connection, Engine, create_engine, event, make_url, text
from sqlalchemy.exc import ArgumentError, DBAPIError, NoSuchModuleError

from config.errors import StranglerError
from shadow import tables
from shadow.redact import KEY_VARIABLE

if TYPE_CHECKING:
    from config.model import Routes

DATABASE, SCHEMA = "shadow", "strangler_shadow"
BUSY_SECONDS_MAX = 10
CONNECT_SECONDS_MAX = 5
LOCK_NUMBER = 0x5348_4144_4F57  # any number that nobody else takes

Place = Path | str
"""The path of a SQLite file, or the URL of a PostgreSQL database."""


@dataclass(eq=False)
class StoreDown(StranglerError):
    """The store can be neither read nor written."""

    place: Place
    reason: str

    @property
    def sentence(self) -> str:
        """The place without its password, and what the database said."""
        return f"The comparison's store {shown(self.place)} cannot be used: {self.reason}."

    @property
    def hint(self) -> str:
        """It is derived data."""
        if isinstance(self.place, Path):
            return "Check the disk and its permissions; the file may be deleted, and comparing then starts anew."
        return f"Check databases.{DATABASE} in routes.yaml, and that its role may create the schema {SCHEMA}."


@dataclass(eq=False)
class SharedStoreNeedsKey(StranglerError):
    """Several gateways may write to one store, and each would make other tokens of the same customer."""

    @property
    def sentence(self) -> str:
        """What is missing, and why it matters."""
        return (
            f"databases.{DATABASE} may be shared by several gateways, and without ${KEY_VARIABLE} each would count the "
            "same customer as another key."
        )

    @property
    def hint(self) -> str:
        """The same secret everywhere."""
        return f'Set the same {KEY_VARIABLE}="$(openssl rand -base64 32)" for every gateway and for this command.'


def check_shared(place: Place, environ: Mapping[str, str]) -> None:
    """Raises SharedStoreNeedsKey where a store that others may write to would get tokens of this gateway alone."""
    if not isinstance(place, Path) and not environ.get(KEY_VARIABLE):
        raise SharedStoreNeedsKey


def place_of(routes: Routes, file: Path) -> Place:
    """Where the store of that routes.yaml is: what `databases.shadow` says, else the file."""
    configured = routes.databases.get(DATABASE)
    if configured is None:
        return file
    _, is_sqlite, path = configured.url.partition("sqlite:///")
    return routes.path.resolve().parent / path if is_sqlite else configured.url


def shown(place: Place) -> str:
    """The place as it may be printed."""
    if isinstance(place, Path):
        return str(place)
    try:
        return make_url(place).render_as_string(hide_password=True)
    except ArgumentError:
        return f"of databases.{DATABASE}"


def engine_of(place: Place) -> Engine:
    """The engine, with the tables in place. Raises StoreDown."""
    try:
        engine = _sqlite(place) if isinstance(place, Path) else _postgresql(place)
        with engine.connect() as connection:
            (_prepare_sqlite if isinstance(place, Path) else _prepare_postgresql)(connection)
            connection.commit()
    except (DBAPIError, ArgumentError, NoSuchModuleError) as error:
        raise StoreDown(place, _reason(error)) from error
    return engine


def _sqlite(path: Path) -> Engine:
    path.parent.mkdir(parents=True, exist_ok=True)
    engine = create_engine(f"sqlite:///{path}", connect_args={"timeout": BUSY_SECONDS_MAX})

    @event.listens_for(engine, "connect")
    def _durable_enough(connection: Any, _record: object) -> None:
        connection.execute("PRAGMA journal_mode = WAL")
        connection.execute("PRAGMA synchronous = NORMAL")

    return engine


def _postgresql(url: str) -> Engine:
    parsed = make_url(url)
    if parsed.drivername in ("postgresql", "postgres"):
        parsed = parsed.set(drivername="postgresql+psycopg")
    if parsed.get_backend_name() != "postgresql":
        raise ArgumentError(f"{parsed.get_backend_name()} is neither sqlite nor postgresql")
    connecting = {"connect_timeout": CONNECT_SECONDS_MAX, "application_name": "strangler-shadow"}
    # psycopg tells how many rows of many were new; SQLAlchemy's own way of inserting many does not.
    engine = create_engine(parsed, pool_pre_ping=True, use_insertmanyvalues=False, connect_args=connecting)
    return engine.execution_options(schema_translate_map={None: SCHEMA}, preserve_rowcount=True)


def _prepare_sqlite(connection: Connection) -> None:
    connection.exec_driver_sql("BEGIN IMMEDIATE")
    version = connection.exec_driver_sql("PRAGMA user_version").scalar_one()
    if version != tables.SCHEMA_VERSION:
        tables.metadata.drop_all(connection)
        tables.metadata.create_all(connection)
        connection.exec_driver_sql(f"PRAGMA user_version = {tables.SCHEMA_VERSION}")


def _prepare_postgresql(connection: Connection) -> None:
    found = "SELECT obj_description(oid, 'pg_namespace') FROM pg_namespace WHERE nspname = :name"
    wanted = f"tables of version {tables.SCHEMA_VERSION}"
    if connection.execute(text(found), {"name": SCHEMA}).scalar() == wanted:
        return
    connection.execute(text("SELECT pg_advisory_xact_lock(:number)"), {"number": LOCK_NUMBER})
    if connection.execute(text(found), {"name": SCHEMA}).scalar() == wanted:
        return  # another one has been quicker
    connection.execute(text(f"DROP SCHEMA IF EXISTS {SCHEMA} CASCADE"))
    connection.execute(text(f"CREATE SCHEMA {SCHEMA}"))
    tables.metadata.create_all(connection)
    connection.execute(text(f"COMMENT ON SCHEMA {SCHEMA} IS '{wanted}'"))


_BEGINNINGS = {
    ("sqlite", True): "BEGIN IMMEDIATE",
    ("sqlite", False): "BEGIN",
    ("postgresql", True): f"SELECT pg_advisory_xact_lock({LOCK_NUMBER})",
    ("postgresql", False): "SET TRANSACTION ISOLATION LEVEL REPEATABLE READ, READ ONLY",
}


class Transaction:
    """A connection inside one transaction that is committed at the end, or rolled back by an exception."""

    def __init__(self, engine: Engine, place: Place, *, writes: bool) -> None:
        self._engine, self._place = engine, place
        self._begin = _BEGINNINGS[engine.dialect.name, writes]

    def __enter__(self) -> Connection:
        try:
            self._connection = self._engine.connect()
        except DBAPIError as error:
            raise StoreDown(self._place, _reason(error)) from error
        try:
            self._connection.exec_driver_sql(self._begin)
        except DBAPIError as error:
            self._connection.close()
            raise StoreDown(self._place, _reason(error)) from error
        return self._connection

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: object) -> None:
        try:
            with self._connection:
                self._connection.rollback() if kind else self._connection.commit()
        except DBAPIError as failure:
            raise StoreDown(self._place, _reason(failure)) from failure
        if isinstance(error, DBAPIError):
            raise StoreDown(self._place, _reason(error)) from error


def _reason(error: Exception) -> str:
    """What the database said, in one line; never a statement with its parameters."""
    said = str(error.orig) if isinstance(error, DBAPIError) else str(error)
    return said.strip().partition("\n")[0].rstrip(".")
