from __future__ import annotations

import asyncio

import psycopg
import pytest
from psycopg import AsyncConnection, errors

from legacy_adapter.connections import Connections
from services.ledger.dry_run import in_reading, in_transaction, refusal
from services.ledger.problems import Refused

NOWHERE = "postgresql://nobody@127.0.0.1:1/nothing"


@pytest.mark.parametrize(
    ("error", "code"),
    [
        (errors.ReadOnlySqlTransaction("..."), "fenced"),
        (errors.UniqueViolation("..."), "books"),
        (errors.NumericValueOutOfRange("..."), "format"),
        (errors.AdminShutdown("..."), "database_down"),
        (psycopg.OperationalError("gone"), "database_down"),
        (errors.UndefinedTable("..."), "internal"),
    ],
)
def test_what_the_database_reports_becomes_a_refusal(error: psycopg.Error, code: str) -> None:
    assert refusal(error).code == code


def test_a_database_that_is_down_is_a_refusal() -> None:
    async def work(_: AsyncConnection) -> None:
        raise AssertionError("nobody can work without a database")

    connections = Connections(NOWHERE, name="ledger", autocommit=True)
    for attempt in (in_reading(connections, work), in_transaction(connections, work, is_dry=False)):
        with pytest.raises(Refused) as refused:
            asyncio.run(attempt)
        assert refused.value.code == "database_down"
