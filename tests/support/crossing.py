"""A worker of the gateway, a client and a recording upstream in one event loop, over real sockets.

Because they share the loop, a piece that was sent is known to have been read as a piece before the next one goes out,
and an exchange ends when its bytes are there: thousands of them fit into a second, and none is waited for by the clock.
The oracle is the bytes that left the gateway, judged by `strict_http`.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import socket
import tempfile
from collections.abc import AsyncIterator, Callable, Coroutine, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from time import thread_time
from typing import Any, TypeVar

import structlog
import uvloop

import gateway.pool
from config.reader import read_routes
from gateway.downstream import Downstream
from gateway.limits import Limits
from gateway.mirroring.comparer_link import ComparerLink
from gateway.upstream import UpstreamConnection
from gateway.worker import AlwaysFresh, Worker
from tests.support.strict_http import Answers, Malformed, Message, Requests

T = TypeVar("T")
SECONDS = 8.0
TURNS = 60
OK = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"
PROBE = b"GET /probe HTTP/1.1\r\nHost: bank\r\nConnection: close\r\n\r\n"
ROUTES = 'version: 1\nupstreams: {{monolith: {{url: "{url}", timeout: 20s}}}}\ndefault: monolith\n'


class Hung(AssertionError):
    """Nothing happened any more, and the exchange had not ended."""


class Count:
    """Bytes that the gateway has read from one kind of peer, and the processor time that it took for them."""

    def __init__(self) -> None:
        self.read = 0
        self.seconds = 0.0


class Accepted(asyncio.Protocol):
    """One connection at the recording upstream. `respond` decides what is said to a complete request."""

    def __init__(self, upstream: Upstream) -> None:
        self.upstream = upstream
        self.transport: asyncio.Transport
        self.reader = Requests(self._began, self._ended)
        self.is_lost = self.has_ended = False
        self.error: str | None = None
        upstream.connections.append(self)

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = transport  # type: ignore[assignment]

    def data_received(self, data: bytes) -> None:
        if self.error is not None:
            return
        try:
            self.reader.feed(data)
        except Malformed as error:
            self.error = str(error)
            self.upstream.dirty.append(f"{error} in {self.reader.raw[-300:]!r}")
            self.transport.abort()

    def _began(self, message: Message) -> None:
        self.upstream.heads += 1
        if self.upstream.early is not None:
            self.upstream.early(self, message)

    def _ended(self, message: Message) -> None:
        self.upstream.requests.append(message)
        self.upstream.served_by.append(self)
        if self.upstream.early is None or self.upstream.early_then_whole:
            self.upstream.respond(self, message)

    def eof_received(self) -> bool:
        self.has_ended = True
        return self.reader.is_tunnel

    def connection_lost(self, error: Exception | None) -> None:
        self.is_lost = True

    def say(self, data: bytes) -> None:
        if not self.is_lost:
            self.transport.write(data)


Respond = Callable[[Accepted, Message], None]


def saying(data: bytes, *, close: bool = False) -> Respond:
    """Always the same answer; to HEAD only its head."""

    def respond(connection: Accepted, message: Message) -> None:
        connection.say(data.partition(b"\r\n\r\n")[0] + b"\r\n\r\n" if message.method == b"HEAD" else data)
        if close:
            connection.transport.close()

    return respond


class Upstream:
    """What reached the other side since the last `reset`, over all its connections."""

    def __init__(self) -> None:
        self.connections: list[Accepted] = []
        self.port = 0
        self.reset()

    def reset(self) -> None:
        self.requests: list[Message] = []
        self.served_by: list[Accepted] = []
        self.dirty: list[str] = []
        self.heads = 0
        self.respond: Respond = saying(OK)
        self.early: Respond | None = None  # called with a head, in place of `respond` with the whole
        self.early_then_whole = False
        self.connections = [one for one in self.connections if not one.is_lost]


class Client(asyncio.Protocol):
    """One connection to the gateway that sends bytes as they are."""

    def __init__(self) -> None:
        self.transport: asyncio.Transport
        self.methods: list[bytes] = []
        self.answers = Answers(lambda index: self.methods[index] if index < len(self.methods) else b"GET")
        self.is_closed = False
        self.error: BaseException | None = None
        self.broken: str | None = None
        self._changed = asyncio.Event()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = transport  # type: ignore[assignment]

    def data_received(self, data: bytes) -> None:
        if self.broken is None:
            try:
                self.answers.feed(data)
            except Malformed as error:
                self.broken = str(error)
        self._changed.set()

    def eof_received(self) -> bool:
        self._end()
        return True

    def connection_lost(self, error: Exception | None) -> None:
        self.error = error
        self._end()

    def _end(self) -> None:
        if not self.is_closed:
            self.is_closed = True
            if self.error is None:
                self.answers.end()
        self._changed.set()

    @property
    def done(self) -> list[Message]:
        """The final answers that are complete."""
        return [message for message in self.answers.finals if message.is_complete]

    async def until(self, condition: Callable[[Client], object], what: str, seconds: float = SECONDS) -> None:
        try:
            async with asyncio.timeout(seconds):
                while not condition(self):
                    self._changed.clear()
                    await self._changed.wait()
        except TimeoutError:
            raise Hung(f"{what}; so far {self.answers.raw[:300]!r}, closed {self.is_closed}") from None


class Seen(list[bytes]):
    """The methods of the requests that have arrived: their answers come in their order."""

    def __init__(self, requests: list[Message]) -> None:
        super().__init__()
        self._requests = requests

    def __len__(self) -> int:
        return len(self._requests)

    def __getitem__(self, index: Any) -> Any:
        return self._requests[index].method


@dataclass
class Outcome:
    """What became of one stretch of bytes. `kept` tells that the connection served one more request afterwards."""

    answers: list[Message] = field(default_factory=list)
    interim: list[Message] = field(default_factory=list)
    unfinished: list[Message] = field(default_factory=list)
    requests: list[Message] = field(default_factory=list)
    kept: bool = False
    was_reset: bool = False

    def essence(self) -> object:
        """What must be the same however the bytes were cut."""
        return (
            [(m.status, m.start[2], *_stable_answer(m)) for m in self.answers],
            [(m.status, m.fields) for m in self.interim],
            [(m.method, m.target, _stable(m.fields), m.body, m.trailers, m.framing) for m in self.requests],
            self.kept,
        )


def _stable(fields: Sequence[tuple[bytes, bytes]]) -> list[tuple[bytes, bytes]]:
    return [(name, value) for name, value in fields if name.lower() not in (b"date", b"traceparent")]


def _stable_answer(message: Message) -> tuple[object, ...]:
    """Of the gateway's own answers only the reason: ids differ, and so may what is known of a write's outcome."""
    if message.all("content-type") == [b"application/problem+json"]:
        return (json.loads(message.body)["type"], message.all("connection"))
    return (_stable(message.fields), message.body, message.trailers)


class Crossing:
    """The three of them. `loop.run_until_complete` drives them; between two calls nothing moves."""

    def __init__(self) -> None:
        self.loop = uvloop.new_event_loop()
        self.from_clients, self.from_upstreams = Count(), Count()
        self.upstream = Upstream()
        self.worker: Worker
        self.port = 0
        self._saying: set[asyncio.Task[None]] = set()

    def run(self, work: Coroutine[Any, Any, T]) -> T:
        return self.loop.run_until_complete(work)

    @contextlib.asynccontextmanager
    async def client(self, receive_buffer: int | None = None) -> AsyncIterator[Client]:
        sock = socket.socket()
        sock.setblocking(False)
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        if receive_buffer is not None:
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receive_buffer)
        await self.loop.sock_connect(sock, ("127.0.0.1", self.port))
        transport, client = await self.loop.create_connection(Client, sock=sock)
        try:
            yield client
        finally:
            transport.abort()

    async def send(self, client: Client, pieces: Iterable[bytes]) -> None:
        """Each piece is read by the gateway before the next one is sent, unless the gateway reads no more."""
        await self._settled(self.from_clients, 0)
        for piece in pieces:
            if client.transport.is_closing():
                return
            before = self.from_clients.read
            client.transport.write(piece)
            await self._settled(self.from_clients, before + len(piece))

    async def say(self, connection: Accepted, pieces: Iterable[bytes]) -> None:
        """The same in the other direction."""
        for piece in pieces:
            before = self.from_upstreams.read
            connection.say(piece)
            await self._settled(self.from_upstreams, before + len(piece))

    async def _settled(self, count: Count, target: int) -> None:
        for turn in range(TURNS):
            if count.read >= target and turn:
                return
            await asyncio.sleep(0)

    async def until(self, condition: Callable[[], T], what: str, seconds: float = SECONDS) -> T:
        deadline = self.loop.time() + seconds
        turns = 0
        while not (found := condition()):
            if self.loop.time() > deadline:
                raise Hung(what)
            turns += 1
            await asyncio.sleep(0 if turns < TURNS else 0.001)
        return found

    async def cross(self, pieces: Sequence[bytes], answers: int = 1, methods: Sequence[bytes] = ()) -> Outcome:
        """Send the pieces, wait for so many answers or the end, then see whether the connection still serves."""
        outcome = Outcome()
        async with self.client() as client:
            client.methods = [*methods, *[b"GET"] * (answers + 1 - len(methods))]
            await self.send(client, pieces)
            await client.until(lambda c: c.is_closed or len(c.done) >= answers, f"{answers} answers or the end")
            count = len(client.done)
            outcome.requests = list(self.upstream.requests)
            if not client.is_closed and client.broken is None:
                client.transport.write(PROBE)
                await client.until(lambda c: c.is_closed, "the end after the last request")
                outcome.kept = len(client.done) == count + 1 and client.done[-1].status == 200
                outcome.requests = [one for one in self.upstream.requests if one.target != b"/probe"]
            finals = client.done[:-1] if outcome.kept else client.done
            outcome.answers = finals
            outcome.interim = [one for one in client.answers.messages if one.status < 200 and one.status != 101]
            outcome.unfinished = [one for one in client.answers.messages if not one.is_complete]
            outcome.was_reset = client.error is not None
            broken = client.broken
        await self.quiet()
        assert broken is None, f"the client got what is not HTTP: {broken}"
        assert not self.upstream.dirty, f"forwarded dirty: {self.upstream.dirty}"
        return outcome

    async def pour(self, pieces: Sequence[bytes], methods: Sequence[bytes] = ()) -> Outcome:
        """Send the pieces and no more; everything must end by itself, whatever they are."""
        outcome = Outcome()
        async with self.client() as client:
            seen = self.upstream.requests
            client.methods = [*methods] if methods else Seen(seen)
            await self.send(client, pieces)
            if not client.transport.is_closing():
                client.transport.write_eof()
            await client.until(lambda c: c.is_closed, "the end")
            outcome.requests = list(seen)
            outcome.answers = client.done
            outcome.was_reset = client.error is not None
            broken = client.broken
        await self.quiet()
        assert broken is None, f"the client got what is not HTTP: {broken}"
        assert not self.upstream.dirty, f"forwarded dirty: {self.upstream.dirty}"
        return outcome

    def saying_pieces(self, pieces: Sequence[bytes], *, closes: bool, after: float = 0.0) -> Respond:
        """A responder whose pieces are each read by the gateway before the next; it may close after them."""

        async def say(connection: Accepted) -> None:
            await self.say(connection, pieces)
            if closes:
                self.loop.call_later(after, connection.transport.close)

        def respond(connection: Accepted, message: Message) -> None:
            if message.target == b"/probe":
                connection.say(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n")
                return
            task = self.loop.create_task(say(connection))
            self._saying.add(task)
            task.add_done_callback(self._saying.discard)

        return respond

    async def quiet(self) -> None:
        """Until no exchange runs; an aborted one has closed its connection to the upstream by then."""
        await self.until(lambda: not self.worker.downstreams, "every client connection is dismissed")
        for connection in self.upstream.connections:
            if not connection.reader.is_between_messages and connection.error is None:
                await self.until(lambda c=connection: c.is_lost, "a request that was broken off is closed")  # type: ignore[misc]

    async def clear(self) -> None:
        """What a failed test has left behind."""
        for downstream in tuple(self.worker.downstreams):
            downstream.transport.abort()
        for connection in self.upstream.connections:
            if not connection.reader.is_between_messages:
                connection.transport.abort()
        await self.until(lambda: not self.worker.downstreams, "nothing is left")

    def close(self) -> None:
        self.run(self.worker.drain(0))
        self.run(asyncio.sleep(0))
        self.loop.close()


async def _start(crossing: Crossing, directory: Path, routes: str, limits: dict[str, Any]) -> list[asyncio.Server]:
    class Watched(Downstream):
        __slots__ = ()

        def data_received(self, data: bytes) -> None:
            crossing.from_clients.read += len(data)
            began = thread_time()
            Downstream.data_received(self, data)
            crossing.from_clients.seconds += thread_time() - began

    loop = crossing.loop
    listener = await loop.create_server(lambda: Accepted(crossing.upstream), "127.0.0.1", 0)
    crossing.upstream.port = listener.sockets[0].getsockname()[1]
    path = directory / "routes.yaml"
    path.write_text(routes.format(url=f"http://127.0.0.1:{crossing.upstream.port}"))
    worker = crossing.worker = Worker(ComparerLink(None, 1 << 20), AlwaysFresh(), directory, Limits(**limits))
    worker.put_table(read_routes(path))
    server = await loop.create_server(lambda: Watched(worker), "127.0.0.1", 0)
    crossing.port = server.sockets[0].getsockname()[1]
    worker._sweep()
    return [listener, server]


@contextlib.contextmanager
def crossing(routes: str = ROUTES, **limits: Any) -> Iterator[Crossing]:
    """A world that ends with the context. `{url}` in the routes is the recording upstream."""
    one = Crossing()

    class Watched(UpstreamConnection):
        __slots__ = ()

        def data_received(self, data: bytes) -> None:
            one.from_upstreams.read += len(data)
            UpstreamConnection.data_received(self, data)

    plain = gateway.pool.UpstreamConnection
    gateway.pool.UpstreamConnection = Watched  # type: ignore[misc]
    structlog.configure(logger_factory=structlog.ReturnLoggerFactory())
    try:
        with tempfile.TemporaryDirectory(prefix="crossing-") as directory:
            servers = one.run(_start(one, Path(directory), routes, limits))
            try:
                yield one
            finally:
                for server in servers:
                    server.close()
                for connection in one.upstream.connections:
                    connection.transport.abort()
                one.close()
    finally:
        gateway.pool.UpstreamConnection = plain  # type: ignore[misc]
        structlog.reset_defaults()
