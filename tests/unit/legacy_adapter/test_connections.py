from __future__ import annotations

import asyncio

import pytest

from config.errors import DatabaseDown
from legacy_adapter.connections import AllConnectionsBusy, Connections

NOWHERE = "postgresql://nobody@127.0.0.1:1/nothing"


def test_a_database_that_is_down_is_named_and_frees_its_place() -> None:
    async def ask() -> None:
        connections = Connections(NOWHERE, name="ledger", size=1, wait_seconds=5)
        for _ in range(3):
            with pytest.raises(DatabaseDown, match="ledger"):
                async with connections.take():
                    pass

    asyncio.run(ask())


def test_the_error_of_a_full_house_says_how_many_there_are() -> None:
    assert str(AllConnectionsBusy("ledger", 10, 5.0)) == "All 10 connections of 'ledger' were in use for 5.0 s."
