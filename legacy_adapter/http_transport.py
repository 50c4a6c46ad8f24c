"""An httpx transport to one plain HTTP/1.1 server: llhttp parses, connections are kept and bounded.

httpx's own transport costs more processor time than the service behind it takes to answer (DESIGN section 6), and the
facade would be the slowest part of the modern side.
"""

from __future__ import annotations

import asyncio
from typing import Any, cast

import httptools
import httpx

ANSWER_BYTES_MAX = 4 * 1024 * 1024
CONTINUES = range(100, 200)

Answer = tuple[int, list[tuple[bytes, bytes]], bytes]


class PlainTransport(httpx.AsyncBaseTransport):
    """At most `connections` connections to the server of `url`, each with one exchange at a time, read as a whole.

    Raises what httpx's own transport raises: ConnectError, ConnectTimeout and PoolTimeout before anything was sent,
    ReadError, ReadTimeout and RemoteProtocolError after.
    """

    def __init__(self, url: str, connections: int) -> None:
        server = httpx.URL(url)
        self._server = (server.host, server.port or 80)
        self._free = asyncio.Semaphore(connections)
        self._idle: list[_Connection] = []

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        """Send the request and wait for its answer; UnsupportedProtocol for another server than that of `url`."""
        if request.url.scheme != "http" or (request.url.host, request.url.port or 80) != self._server:
            raise httpx.UnsupportedProtocol("these connections lead to another server", request=request)
        timeouts: dict[str, float | None] = request.extensions.get("timeout", {})
        sent = _rendered(request, await request.aread())
        try:
            async with asyncio.timeout(timeouts.get("pool")):
                await self._free.acquire()
        except TimeoutError as error:
            raise httpx.PoolTimeout("every connection is in use", request=request) from error
        try:
            connection = await self._connection(request, timeouts.get("connect"))
            status, headers, body = await connection.exchange(sent, timeouts.get("read"))
            if connection.is_usable:
                self._idle.append(connection)
        finally:
            self._free.release()
        return httpx.Response(status, headers=headers, content=body, request=request)

    async def aclose(self) -> None:
        """Close what is idle."""
        while self._idle:
            self._idle.pop().close()
        await asyncio.sleep(0)  # the loop closes the sockets in its next turn

    async def _connection(self, request: httpx.Request, timeout_seconds: float | None) -> _Connection:
        while self._idle:
            connection = self._idle.pop()
            if connection.is_usable:
                return connection
        loop = asyncio.get_running_loop()
        try:
            async with asyncio.timeout(timeout_seconds):
                _, connection = await loop.create_connection(_Connection, *self._server)
        except TimeoutError as error:
            raise httpx.ConnectTimeout("the server does not accept", request=request) from error
        except OSError as error:
            raise httpx.ConnectError(str(error), request=request) from error
        return connection


class _Connection(asyncio.Protocol):
    """One connection; httptools calls the `on_` methods while data is fed to it."""

    def __init__(self) -> None:
        self._parser: Any = httptools.HttpResponseParser(self)
        self._transport: asyncio.Transport | None = None
        self._waiting: asyncio.Future[Answer] | None = None
        self._headers: list[tuple[bytes, bytes]] = []
        self._body: list[bytes] = []
        self._size = 0
        self.is_usable = False

    async def exchange(self, sent: bytes, timeout_seconds: float | None) -> Answer:
        """Send a request and wait for the whole answer; a connection whose answer did not come is closed."""
        self._waiting = asyncio.get_running_loop().create_future()
        assert self._transport is not None  # noqa: S101 - create_connection has connected it
        self._transport.write(sent)
        try:
            async with asyncio.timeout(timeout_seconds):
                return await self._waiting
        except TimeoutError as error:
            self.close()
            raise httpx.ReadTimeout("no answer in time") from error
        except BaseException:
            self.close()
            raise
        finally:
            self._waiting = None

    def close(self) -> None:
        """Drop the connection at once."""
        self.is_usable = False
        if self._transport is not None:
            self._transport.abort()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport, self.is_usable = cast("asyncio.Transport", transport), True  # uvloop's is no subclass of it

    def data_received(self, data: bytes) -> None:
        if self._waiting is None:  # nothing was asked
            self.close()
            return
        self._size += len(data)
        if self._size > ANSWER_BYTES_MAX:
            self._fail(httpx.RemoteProtocolError("the answer is too long"))
            return
        try:
            self._parser.feed_data(data)
        except httptools.HttpParserError:
            self._fail(httpx.RemoteProtocolError("the answer is not HTTP"))

    def connection_lost(self, exc: Exception | None) -> None:
        self.is_usable = False
        self._fail(httpx.ReadError("the connection broke") if exc else httpx.RemoteProtocolError("the server hung up"))

    def on_header(self, name: bytes, value: bytes) -> None:
        self._headers.append((name, value))

    def on_body(self, body: bytes) -> None:
        self._body.append(body)

    def on_message_complete(self) -> None:
        status = self._parser.get_status_code()
        answer = (status, self._headers, b"".join(self._body))
        self._headers, self._body = [], []
        if status in CONTINUES:
            return
        self._size = 0
        if not self._parser.should_keep_alive():
            self.close()
        if self._waiting is not None and not self._waiting.done():
            self._waiting.set_result(answer)

    def _fail(self, error: httpx.TransportError) -> None:
        if self._waiting is not None and not self._waiting.done():
            self._waiting.set_exception(error)
        self.close()


def _rendered(request: httpx.Request, body: bytes) -> bytes:
    """The request as bytes. Raises LocalProtocolError for a header that would become two."""
    if any(b"\r" in part or b"\n" in part for header in request.headers.raw for part in header):
        raise httpx.LocalProtocolError("a header has a line break", request=request)
    lines = [b"%s %s HTTP/1.1" % (request.method.encode("ascii"), request.url.raw_path)]
    lines += [b"%s: %s" % header for header in request.headers.raw]
    return b"\r\n".join([*lines, b"", body])
