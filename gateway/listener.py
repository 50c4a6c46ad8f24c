"""The listening sockets of a worker; certificates are exchanged without a connection noticing."""

from __future__ import annotations

import asyncio
import os
import socket
import ssl
from collections.abc import Callable
from typing import Any

from config.serving import Tls
from gateway.listening import Address
from gateway.tls import listener_context

BACKLOG = 4096


class Listener:
    """Accepts the connections of one worker; the port is shared with the other workers."""

    def __init__(self, accept: Callable[[], asyncio.Protocol], tls: Tls | None, handshake_seconds: float) -> None:
        self._accept = accept
        self._tls = tls
        self._handshake_seconds = handshake_seconds
        self._servers: list[asyncio.Server] = []

    async def open(self, address: Address) -> int:
        """Listen; the port, which 0 leaves to the system. Raises CertificateUnusable."""
        server = await self._serve(await self._context(), host=address.host, port=address.port, reuse_port=True)
        self._servers = [server]
        port: int = server.sockets[0].getsockname()[1]
        return port

    async def renew(self) -> None:
        """New connections meet the new certificates; those that exist go on. Raises CertificateUnusable.

        The new servers accept from the same sockets, so that a connection that waits to be accepted is lost by neither.
        """
        if self._tls is None:
            return
        context, old = await self._context(), self._servers
        same = [socket.socket(fileno=os.dup(sock.fileno())) for server in old for sock in server.sockets]
        self._servers = [await self._serve(context, sock=sock) for sock in same]
        for server in old:
            server.close()

    def close(self) -> None:
        """Accept nothing more."""
        for server in self._servers:
            server.close()

    async def _serve(self, context: ssl.SSLContext | None, **where: Any) -> asyncio.Server:
        if context is not None:
            where |= {"ssl": context, "ssl_handshake_timeout": self._handshake_seconds}
        return await asyncio.get_running_loop().create_server(self._accept, backlog=BACKLOG, **where)

    async def _context(self) -> ssl.SSLContext | None:
        return None if self._tls is None else await asyncio.to_thread(listener_context, self._tls)
