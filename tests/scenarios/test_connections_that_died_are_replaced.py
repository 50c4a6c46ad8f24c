"""Connections are shared, bounded, given back clean, and replaced when the server hung up."""

from __future__ import annotations

import asyncio

import psycopg
import pytest

from legacy_adapter.connections import AllConnectionsBusy, Connections

PID = "SELECT pg_backend_pid()"


async def _pid(connections: Connections) -> int:
    async with connections.take() as connection:
        row = await (await connection.execute(PID)).fetchone()
        assert row is not None
        return int(row[0])


def test_a_connection_is_used_again_until_the_server_ends_it(modern_db: str) -> None:
    async def ask() -> None:
        connections = Connections(modern_db, name="tries", size=1)
        first, again = await _pid(connections), await _pid(connections)
        assert first == again
        with psycopg.connect(modern_db, autocommit=True) as other:
            other.execute("SELECT pg_terminate_backend(%s, 5000)", (first,))
        assert await _pid(connections) != first
        await connections.close()

    asyncio.run(ask())


def test_what_was_left_open_is_rolled_back(modern_db: str) -> None:
    async def ask() -> None:
        connections = Connections(modern_db, name="tries", size=1)
        async with connections.take() as connection:
            await connection.execute("CREATE TABLE left_open ()")
        with pytest.raises(psycopg.errors.DivisionByZero):
            async with connections.take() as connection:
                await connection.execute("SELECT 1 / 0")
        async with connections.take() as connection:
            row = await (await connection.execute("SELECT to_regclass('left_open')")).fetchone()
        assert row == (None,)
        await connections.close()

    asyncio.run(ask())


def test_no_more_than_their_number_are_open_and_a_caller_waits_for_a_bounded_time(modern_db: str) -> None:
    async def ask() -> None:
        connections = Connections(modern_db, name="tries", size=2, wait_seconds=0.05)
        async with connections.take(), connections.take():
            with pytest.raises(AllConnectionsBusy):
                async with connections.take():
                    pass
        await _pid(connections)
        await connections.close()
        with psycopg.connect(modern_db) as other:
            count = other.execute("SELECT count(*) FROM pg_stat_activity WHERE application_name = 'tries'").fetchone()
        assert count is not None
        assert count[0] <= 2

    asyncio.run(ask())


def test_a_cancelled_caller_leaves_a_usable_connection(modern_db: str) -> None:
    async def ask() -> None:
        connections = Connections(modern_db, name="tries", size=1)
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0.1), connections.take() as connection:
                await connection.execute("SELECT pg_sleep(30)")
        assert await _pid(connections) > 0
        await connections.close()

    asyncio.run(ask())
