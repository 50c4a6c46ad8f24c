"""The rehearsal's traffic: both upstreams, each writing to its own copy, and clients that write through the gateway.

A write is `UPDATE table SET key = key` of one of the copied rows: it changes nothing, and it is a write for locks,
fences and streams. What a client waited for is one line of the file: when it began, how long it took, whether it was
acknowledged. Ends on SIGTERM, when every client has its answer.

    python -m runbook.rehearsal.traffic ORDERS.json
"""

from __future__ import annotations

import asyncio
import os
import random
import signal
import sys
import time
from contextlib import suppress
from pathlib import Path

import msgspec
import psycopg
from psycopg import sql

APPLICATION_NAME = "strangler-rehearsal"
KEYS_MAX = 1_000
LINE_BYTES_MAX = 64 << 10
ANSWERS = {True: b"200 OK", False: b"503 Service Unavailable"}


class Side(msgspec.Struct):
    """One upstream: its port, the environment variable with its database, and the table that it writes."""

    port: int
    variable: str
    table: tuple[str, ...]
    key: tuple[str, ...]


class Orders(msgspec.Struct):
    """What the child is told."""

    sides: tuple[Side, ...]
    gateway_port: int
    clients: int
    rate: float
    out: str


class Upstream:
    """Answers every request with what became of one write. Connections are made as clients come, and kept."""

    def __init__(self, side: Side) -> None:
        name = sql.Identifier(*side.table)
        keys = sql.SQL(", ").join(map(sql.Identifier, side.key))
        slots = sql.SQL(", ").join(sql.Placeholder() for _ in side.key)
        first = sql.Identifier(side.key[0])
        self._url = os.environ[side.variable]
        self._select = sql.SQL("SELECT {} FROM {} LIMIT {}").format(keys, name, sql.Literal(KEYS_MAX))
        self._update = sql.SQL("UPDATE {} SET {} = {} WHERE ({}) = ({})").format(name, first, first, keys, slots)
        self._keys: list[tuple[object, ...]] = []

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """One connection of the gateway's."""
        connection = await psycopg.AsyncConnection.connect(
            self._url, autocommit=True, application_name=APPLICATION_NAME
        )
        async with connection:
            with suppress(ConnectionError, asyncio.IncompleteReadError):
                while head := await reader.readuntil(b"\r\n\r\n"):
                    await reader.readexactly(length_in(head))
                    is_done = await self._write(connection)
                    writer.write(b"HTTP/1.1 " + ANSWERS[is_done] + b"\r\nContent-Length: 0\r\n\r\n")
                    await writer.drain()
        writer.close()

    async def _write(self, connection: psycopg.AsyncConnection) -> bool:
        if not self._keys:
            self._keys = await (await connection.execute(self._select)).fetchall()
        if not self._keys:
            return True
        try:
            await connection.execute(self._update, random.choice(self._keys))  # noqa: S311  # which row is no secret
        except psycopg.Error:
            return False
        return True


def length_in(head: bytes) -> int:
    """The body's length that a head announces."""
    for line in head.lower().split(b"\r\n"):
        if line.startswith(b"content-length:"):
            return int(line[15:])
    return 0


async def write_for_ever(orders: Orders, number: int, stop: asyncio.Event, out: int) -> None:
    """One client: a write at its own fixed times, each when the one before has its answer."""
    reader, writer = await asyncio.open_connection("127.0.0.1", orders.gateway_port, limit=LINE_BYTES_MAX)
    pause = orders.clients / orders.rate
    due = time.monotonic() + pause * number / orders.clients
    head = b"POST /rehearsal HTTP/1.1\r\nHost: rehearsal\r\nContent-Length: 0\r\n\r\n"
    while not stop.is_set():
        with suppress(TimeoutError):
            async with asyncio.timeout(max(0.0, due - time.monotonic())):
                await stop.wait()
        due = max(due + pause, time.monotonic())
        began = time.monotonic()
        writer.write(head)
        answer = await reader.readuntil(b"\r\n\r\n")
        await reader.readexactly(length_in(answer))
        is_done = answer.startswith(b"HTTP/1.1 200")
        os.write(out, f"{number} {began} {time.monotonic() - began} {int(is_done)}\n".encode())
    writer.close()


async def run(orders: Orders) -> None:
    """Serve and write until SIGTERM."""
    stop = asyncio.Event()
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, stop.set)
    servers = [await asyncio.start_server(Upstream(side).serve, "127.0.0.1", side.port) for side in orders.sides]
    out = os.open(orders.out, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
    begin = asyncio.Event()
    asyncio.get_running_loop().add_signal_handler(signal.SIGUSR1, begin.set)
    await asyncio.wait(
        [asyncio.ensure_future(stop.wait()), asyncio.ensure_future(begin.wait())], return_when="FIRST_COMPLETED"
    )
    if not stop.is_set():
        async with asyncio.TaskGroup() as clients:
            for number in range(orders.clients):
                clients.create_task(write_for_ever(orders, number, stop, out))
    for server in servers:
        server.close()
    os.close(out)


if __name__ == "__main__":
    asyncio.run(run(msgspec.json.decode(Path(sys.argv[1]).read_bytes(), type=Orders)))
