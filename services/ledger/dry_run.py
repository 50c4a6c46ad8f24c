"""Transactions of the ledger: committed, or in a dry run carried out in full and rolled back.

A dry run takes the same path as a real one up to the commit, and the books' own deferred constraints are checked at
its end. The fence is deferred too, and belongs to the commit: a dry run never meets it. A dry run leaves nothing, not
even a gap in the sequence, and gives way to the streams: it waits for a row no longer than LOCK_TIMEOUT, which is less
than PostgreSQL's deadlock_timeout, so it is never the stream that is chosen as the victim.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from typing import TypeVar

import psycopg
from psycopg import AsyncConnection, errors

from config.errors import DatabaseDown
from legacy_adapter.connections import AllConnectionsBusy, Connections
from services.ledger.problems import Refused

ATTEMPTS = 4
LOCK_TIMEOUT = "SET LOCAL lock_timeout = '250ms'"
CHECK_NOW = "SET CONSTRAINTS posting_balances, posting_agrees, account_agrees IMMEDIATE"

LOST = (errors.LockNotAvailable, errors.DeadlockDetected, errors.SerializationFailure)

T = TypeVar("T")


async def in_reading(connections: Connections, work: Callable[[AsyncConnection], Awaitable[T]]) -> T:
    """Carry out `work`, which only reads. Raises Refused."""
    with _refusing():
        async with connections.take() as connection:
            return await work(connection)


async def in_transaction(
    connections: Connections, work: Callable[[AsyncConnection], Awaitable[T]], *, is_dry: bool
) -> T:
    """Carry out `work` in one transaction, again where it lost against another one. Raises Refused.

    What PostgreSQL reports becomes a refusal: fenced, busy, books, database_down.
    """
    for _ in range(ATTEMPTS):
        with _refusing():
            try:
                return await _once(connections, work, is_dry=is_dry)
            except LOST:
                continue
    raise Refused("busy")


async def _once(connections: Connections, work: Callable[[AsyncConnection], Awaitable[T]], *, is_dry: bool) -> T:
    async with connections.take() as connection, connection.transaction(force_rollback=is_dry):
        if is_dry:
            await connection.execute(LOCK_TIMEOUT)
        result = await work(connection)
        if is_dry:
            await connection.execute(CHECK_NOW)
        return result


@contextmanager
def _refusing() -> Iterator[None]:
    try:
        yield
    except psycopg.Error as error:
        raise refusal(error) from error
    except DatabaseDown as error:
        raise Refused("database_down") from error
    except AllConnectionsBusy as error:
        raise Refused("busy") from error


def refusal(error: psycopg.Error) -> Refused:
    """What an error of the database means to a client."""
    if isinstance(error, errors.ReadOnlySqlTransaction):  # the fence's, and that of a standby
        return Refused("fenced")
    if isinstance(error, errors.IntegrityError):
        return Refused("books", f"Constraint {error.diag.constraint_name}.")
    if isinstance(error, errors.DataError):
        return Refused("format", "A value is outside the range of its field.")
    if isinstance(error, psycopg.OperationalError):
        return Refused("database_down")
    return Refused("internal", f"PostgreSQL reported {error.sqlstate}.")
