"""A bounded set of asynchronous PostgreSQL connections that replaces the ones that died."""

from __future__ import annotations

import asyncio
import select
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass

import psycopg
from psycopg.pq import TransactionStatus

from config.errors import DatabaseDown, StranglerError

CONNECT_SECONDS = 5


@dataclass(eq=False)
class AllConnectionsBusy(StranglerError):
    """Every connection stayed in use for as long as a caller may wait."""

    name: str
    size: int
    waited_seconds: float

    @property
    def sentence(self) -> str:
        """Which service, and how many connections it has."""
        return f"All {self.size} connections of {self.name!r} were in use for {self.waited_seconds} s."


class Connections:
    """At most `size` connections to one database, opened when they are needed and kept for the next caller.

    `name` becomes the application_name. `conninfo` is a libpq URL or keyword string. With `autocommit` a statement
    outside `connection.transaction()` is a transaction of its own, which saves two round trips for each read.
    """

    def __init__(
        self, conninfo: str, *, name: str, size: int = 10, wait_seconds: float = 5.0, autocommit: bool = False
    ) -> None:
        self._conninfo, self._name, self._size, self._wait_seconds = conninfo, name, size, wait_seconds
        self._autocommit = autocommit
        self._free = asyncio.Semaphore(size)
        self._idle: list[psycopg.AsyncConnection] = []
        self._is_closed = False

    @asynccontextmanager
    async def take(self) -> AsyncIterator[psycopg.AsyncConnection]:
        """Lend one connection, outside a transaction; what is left uncommitted is rolled back.

        Raises DatabaseDown when the server does not answer, AllConnectionsBusy after `wait_seconds`.
        """
        try:
            async with asyncio.timeout(self._wait_seconds):
                await self._free.acquire()
        except TimeoutError as error:
            raise AllConnectionsBusy(self._name, self._size, self._wait_seconds) from error
        try:
            connection = await self._usable()
            try:
                yield connection
            finally:
                await self._give_back(connection)
        finally:
            self._free.release()

    async def close(self) -> None:
        """Close the idle connections now, and those in use when they come back."""
        self._is_closed = True
        while self._idle:
            await self._idle.pop().close()

    async def _usable(self) -> psycopg.AsyncConnection:
        while self._idle:
            connection = self._idle.pop()
            if _is_alive(connection):
                return connection
            await connection.close()
        try:
            return await psycopg.AsyncConnection.connect(
                self._conninfo,
                autocommit=self._autocommit,
                application_name=self._name,
                connect_timeout=CONNECT_SECONDS,
            )
        except psycopg.OperationalError as error:
            raise DatabaseDown(self._name, str(error)) from error

    async def _give_back(self, connection: psycopg.AsyncConnection) -> None:
        try:
            if not connection.closed and connection.info.transaction_status != TransactionStatus.IDLE:
                await connection.rollback()
        except psycopg.Error:
            await connection.close()
        except asyncio.CancelledError:
            await connection.close()
            raise
        if connection.closed or self._is_closed:
            await connection.close()
        else:
            self._idle.append(connection)


def _is_alive(connection: psycopg.AsyncConnection) -> bool:
    """False when the server has hung up: nothing may wait to be read on an idle connection but its farewell."""
    if connection.closed:
        return False
    poll = select.poll()
    poll.register(connection.fileno(), select.POLLIN | select.POLLHUP | select.POLLERR)
    return not poll.poll(0)
