"""CORE/87 as one process: its interfaces over one database, and the command that serves them."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import ClassVar

import psycopg
from starlette.applications import Starlette

from config.errors import DatabaseDown, StranglerError
from legacy_adapter import serving, wire
from legacy_adapter.connections import Connections
from legacy_adapter.monolith import accounts, cics, operations
from legacy_adapter.monolith.answers import TROUBLE, OutcomeUnknown, trouble_answer
from legacy_adapter.monolith.seed import Progress, Size, prepare

APPLICATION_NAME = "corebank"
CONNECTIONS = 10
_CONNECT_SECONDS = 5


@dataclass(eq=False)
class NoBank(StranglerError):
    """The database has none of CORE/87's tables."""

    exit_code: ClassVar[int] = 1

    @property
    def sentence(self) -> str:
        """What is missing."""
        return "The database has no table CUSTMAST, so there is no bank to serve."

    @property
    def hint(self) -> str:
        """What to do about it."""
        return "Fill it first, or give the url of the right one."


def build(conninfo: str) -> Starlette:
    """The application over the database; its connections are opened when they are needed."""

    @asynccontextmanager
    async def lifespan(app: Starlette) -> AsyncIterator[None]:
        app.state.connections = Connections(conninfo, name=APPLICATION_NAME, size=CONNECTIONS)
        yield
        await app.state.connections.close()

    app = Starlette(
        routes=[*accounts.ROUTES, *cics.ROUTES, *operations.ROUTES],
        exception_handlers=dict.fromkeys((*TROUBLE, OutcomeUnknown), trouble_answer),
        lifespan=lifespan,
    )
    app.state.conninfo = conninfo
    return app


def serve(
    database_url: str,
    listen: str = "127.0.0.1:9100",
    *,
    size: Size | None = None,
    progress: Progress | None = None,
) -> int:
    """Serve until SIGTERM or SIGINT, and return 0; with `size`, an empty database is first filled.

    Raises DatabaseDown, NoBank or PortInUse.
    """
    try:
        conn = psycopg.connect(database_url, application_name=APPLICATION_NAME, connect_timeout=_CONNECT_SECONDS)
    except psycopg.OperationalError as problem:
        raise DatabaseDown(APPLICATION_NAME, str(problem)) from problem
    with conn:
        if size is not None:
            prepare(conn, size, progress)
        found = conn.execute("SELECT to_regclass('custmast')").fetchone()
        if found is None or found[0] is None:
            raise NoBank
    return serving.serve(build(database_url), listen, event="legacy.listening", headers={"Server": wire.SERVER})
