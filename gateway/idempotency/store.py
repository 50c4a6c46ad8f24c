"""Idempotency keys in the control database: claimed by one request, then answered, released or unknown.

A row is made by the request that claims the key. While that request runs, its worker renews the row's lease; a row
whose lease has passed belongs to a worker that is gone, and what became of its request is unknown. Only the claim that
made a row changes it. All times are seconds since the epoch and arguments; the clocks of gateways that share a
database may differ by less than the lease.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from typing import Any, Final, Literal

import sqlalchemy as sa
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.engine import Connection
from sqlalchemy.exc import SQLAlchemyError

from config.control_database import control_engine
from config.errors import DatabaseDown
from gateway.idempotency.rules import Record, State

LEASE_SECONDS: Final = 30.0
PURGE_ROWS_MAX: Final = 500
BUSY_SECONDS: Final = 1.5
CONNECTING: Final[dict[str, Any]] = {
    "application_name": "strangler-gateway",
    "connect_timeout": 2,
    "tcp_user_timeout": 3000,
    "options": "-c statement_timeout=1500 -c idle_in_transaction_session_timeout=5000",
}
METADATA: Final = sa.MetaData()
ROWS: Final = sa.Table(
    "idempotency",
    METADATA,
    sa.Column("id", sa.Text, primary_key=True),  # a digest of the key and whose it is
    sa.Column("state", sa.Text, nullable=False),  # begun, answered, unknown
    sa.Column("claim", sa.Text, nullable=False),  # the request that made the row
    sa.Column("worker", sa.Text, nullable=False, index=True),
    sa.Column("lease_until", sa.Float, nullable=False),
    sa.Column("expires_at", sa.Float, nullable=False, index=True),
    sa.Column("sealed", sa.LargeBinary),
)
_INSERT: Final[dict[str, Callable[..., Any]]] = {"sqlite": sqlite.insert, "postgresql": postgresql.insert}


@dataclass(frozen=True, slots=True)
class Operation:
    """One thing to do for one claim; `finish` gives the state and what is sealed."""

    kind: Literal["claim", "finish", "release"]
    id: str
    claim: str
    state: State = "begun"
    sealed: bytes | None = None


Outcome = Record | None  # of a claim: what was there before; None if the key is ours now


class Store:
    """The rows, as one worker sees them. Blocking: it lives in a thread. Raises DatabaseDown."""

    def __init__(self, url: str, worker: str, keep_seconds: float) -> None:
        self._worker = worker
        self._keep_seconds = keep_seconds
        self._engine = control_engine(url, BUSY_SECONDS, **CONNECTING)
        self._insert = _INSERT[self._engine.dialect.name]
        self._is_made = False

    def apply(self, operations: Sequence[Operation], now: float) -> list[Outcome]:
        """All of these in one transaction; one outcome each, in order.

        They are done in the order of their ids, so that two workers cannot wait for one another.
        """
        outcomes: list[Outcome] = [None] * len(operations)
        with self._transaction() as connection:
            for index in sorted(range(len(operations)), key=lambda index: operations[index].id):
                outcomes[index] = self._apply(connection, operations[index], now)
        return outcomes

    def renew(self, now: float) -> None:
        """The requests that this worker has begun are still in progress."""
        ours = (ROWS.c.worker == self._worker) & (ROWS.c.state == "begun")
        with self._transaction() as connection:
            connection.execute(sa.update(ROWS).where(ours).values(lease_until=now + LEASE_SECONDS))

    def purge(self, now: float) -> int:
        """Remove rows that have expired, a bounded number at a time; how many there were."""
        old = sa.select(ROWS.c.id).where(ROWS.c.expires_at < now).limit(PURGE_ROWS_MAX)
        with self._transaction() as connection:
            return int(connection.execute(sa.delete(ROWS).where(ROWS.c.id.in_(old))).rowcount)

    def close(self) -> None:
        """Give the connections back."""
        self._engine.dispose()

    def _apply(self, connection: Connection, operation: Operation, now: float) -> Outcome:
        if operation.kind == "claim":
            return self._claim(connection, operation, now)
        mine = (ROWS.c.id == operation.id) & (ROWS.c.claim == operation.claim)
        if operation.kind == "release":
            connection.execute(sa.delete(ROWS).where(mine & (ROWS.c.state == "begun")))
        else:
            values = {"state": operation.state, "sealed": operation.sealed, "expires_at": now + self._keep_seconds}
            connection.execute(sa.update(ROWS).where(mine).values(**values))
        return None

    def _claim(self, connection: Connection, operation: Operation, now: float) -> Outcome:
        row = {
            "id": operation.id,
            "state": "begun",
            "claim": operation.claim,
            "worker": self._worker,
            "lease_until": now + LEASE_SECONDS,
            "expires_at": now + self._keep_seconds,
        }
        expired = (ROWS.c.id == operation.id) & (ROWS.c.expires_at < now)
        connection.execute(sa.delete(ROWS).where(expired))
        connection.execute(self._insert(ROWS).values(**row).on_conflict_do_nothing())
        found = connection.execute(sa.select(ROWS).where(ROWS.c.id == operation.id)).one()
        # The same claim again: the first attempt was committed, and its connection broke before it said so.
        if found.claim == operation.claim:
            return None
        return Record(found.state, found.lease_until > now, found.sealed)

    @contextmanager
    def _transaction(self) -> Iterator[Connection]:
        try:
            if not self._is_made:
                # Workers that start together make the table together: the one that comes late finds it made.
                with suppress(sa.exc.IntegrityError, sa.exc.ProgrammingError):
                    METADATA.create_all(self._engine)
                self._is_made = True
            with self._engine.begin() as connection:
                yield connection
        except SQLAlchemyError as error:
            raise DatabaseDown("control", type(getattr(error, "orig", None) or error).__name__) from error
