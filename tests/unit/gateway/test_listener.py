from __future__ import annotations

import asyncio
from pathlib import Path

import uvloop

from config.serving import Tls
from gateway.listener import Listener
from gateway.listening import Address
from tests.support.tls import Authority


class Greeter(asyncio.Protocol):
    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport: asyncio.Transport = transport  # type: ignore[assignment]  # uvloop's transport is a full one

    def data_received(self, data: bytes) -> None:
        self._transport.write(b"hello")
        self._transport.close()


def test_connections_before_between_and_after_a_renewal_are_all_served(tmp_path: Path) -> None:
    bank = Authority(tmp_path, "bank")
    certificate, key = bank.issue("gateway", "localhost")

    async def story() -> None:
        listener = Listener(Greeter, Tls(certificate=certificate, key=key), 5.0)
        port = await listener.open(Address("127.0.0.1", 0))

        async def greeted() -> bytes:
            reader, writer = await asyncio.open_connection(
                "127.0.0.1", port, ssl=bank.client(), server_hostname="localhost"
            )
            writer.write(b"hello?")
            said = await reader.read()
            writer.close()
            return said

        several = [asyncio.ensure_future(greeted()) for _ in range(5)]
        for _ in range(3):
            await listener.renew()
            several.append(asyncio.ensure_future(greeted()))
        async with asyncio.timeout(20):
            assert await asyncio.gather(*several) == [b"hello"] * 8
        listener.close()

    uvloop.run(story())  # as workers do; asyncio forgets a connection that it accepts while its server closes
