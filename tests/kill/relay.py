"""A TCP relay that can break a connection after so many bytes, in either direction."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Coroutine
from dataclasses import dataclass, field
from typing import Any, Literal, TypeVar

Direction = Literal["request", "answer"]
T = TypeVar("T")


@dataclass
class Relay:
    """One listening port in front of another; `cuts` counts the connections that were broken."""

    target: int
    port: int = 0
    cuts: int = 0
    left: dict[Direction, int | None] = field(default_factory=lambda: {"request": None, "answer": None})
    open: set[asyncio.Transport] = field(default_factory=set)

    def passes(self, direction: Direction, count: int) -> int:
        """How many of these bytes may go on; less than all of them means that the connection breaks here."""
        left = self.left[direction]
        if left is None:
            return count
        if count < left:
            self.left[direction] = left - count
            return count
        self.left[direction] = None
        self.cuts += 1
        return left


class _End(asyncio.Protocol):
    """One half of a pair; what it reads goes to the other half."""

    def __init__(self, relay: Relay, direction: Direction, peer: _End | None = None) -> None:
        self.relay, self.direction, self.peer = relay, direction, peer
        self.transport: asyncio.Transport | None = None
        self.early: list[bytes] = []

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self.transport = transport
        self.relay.open.add(transport)
        if self.peer is None:
            self.peer = _End(self.relay, "answer", self)
            asyncio.get_running_loop().create_task(self._connect(self.peer))
        else:
            for data in self.peer.early:
                transport.write(data)

    async def _connect(self, peer: _End) -> None:
        try:
            await asyncio.get_running_loop().create_connection(lambda: peer, "127.0.0.1", self.relay.target)
        except OSError:
            if self.transport:
                self.transport.abort()

    def data_received(self, data: bytes) -> None:
        allowed = self.relay.passes(self.direction, len(data))
        if self.peer and self.peer.transport:
            self.peer.transport.write(data[:allowed])
        else:
            self.early.append(data[:allowed])
        if allowed < len(data):
            for end in (self, self.peer):
                if end and end.transport:
                    end.transport.abort()

    def connection_lost(self, _error: Exception | None) -> None:
        if self.transport:
            self.relay.open.discard(self.transport)
        if self.peer and self.peer.transport:
            self.peer.transport.close()


class Relays:
    """All relays of a world, in one thread."""

    def __init__(self) -> None:
        self._all: list[Relay] = []
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, name="relays", daemon=True)
        self._thread.start()

    def open(self, target: int) -> Relay:
        """Listen on a free port in front of that one."""

        async def listen() -> Relay:
            relay = Relay(target)
            server = await self._loop.create_server(lambda: _End(relay, "request"), "127.0.0.1", 0)
            self._all.append(relay)
            relay.port = server.sockets[0].getsockname()[1]
            return relay

        return self._run(listen())

    def cut_after(self, relay: Relay, direction: Direction, count: int) -> None:
        """Break the connection that carries the n-th byte from now on."""
        self._loop.call_soon_threadsafe(relay.left.__setitem__, direction, count)

    def spare(self) -> None:
        """Cut nothing more that was to be cut."""

        async def disarm() -> None:
            for relay in self._all:
                relay.left.update(request=None, answer=None)

        self._run(disarm())

    def break_all(self, relay: Relay) -> None:
        """Break every connection that is open."""

        async def abort() -> None:
            for transport in list(relay.open):
                transport.abort()

        self._run(abort())

    def close(self) -> None:
        """End the thread."""
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()

    def _run(self, work: Coroutine[Any, Any, T]) -> T:
        return asyncio.run_coroutine_threadsafe(work, self._loop).result(10)
