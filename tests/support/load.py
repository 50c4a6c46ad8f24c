"""A quick upstream and a load that knows which of its requests failed, and when."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from dataclasses import dataclass, field

PIECE = 1 << 18
ANSWER_SECONDS = 20.0


class _Quick(asyncio.Protocol):
    """Answers with the nonce that was sent, or with so many MiB; `/slow` after a while."""

    def __init__(self, delay: Callable[[], float]) -> None:
        self._delay = delay
        self._buffer = b""
        self._left = 0
        self._resume = asyncio.Event()
        self._tasks: set[asyncio.Task[None]] = set()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport: asyncio.Transport = transport  # type: ignore[assignment]

    def data_received(self, data: bytes) -> None:
        if self._left:
            self._left -= len(data)
            if not self._left:
                self._answer(b"")
            return
        self._buffer += data
        while (end := self._buffer.find(b"\r\n\r\n")) >= 0:
            head, rest = self._buffer[: end + 4], self._buffer[end + 4 :]
            self._buffer = rest
            if head.startswith(b"PUT "):
                length = int(head.lower().partition(b"content-length: ")[2].partition(b"\r\n")[0])
                self._left, self._buffer = length - len(rest), b""
                continue
            self._answer(head)

    def _answer(self, head: bytes) -> None:
        if head.startswith(b"GET /mib/"):
            mib = int(head[9:].partition(b" ")[0])
            task = asyncio.get_running_loop().create_task(self._pour(mib << 20))
            self._tasks.add(task)
            return
        nonce = head.partition(b"X-Nonce: ")[2].partition(b"\r\n")[0]
        data = b"HTTP/1.1 200 OK\r\nDate: x\r\nContent-Length: %d\r\n\r\n%b" % (len(nonce), nonce)
        delay = self._delay()
        if delay:
            asyncio.get_running_loop().call_later(delay, self._transport.write, data)
        else:
            self._transport.write(data)

    async def _pour(self, size: int) -> None:
        self._transport.write(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % size)
        piece = bytes(PIECE)
        self._resume.set()
        for _ in range(size // PIECE):
            await self._resume.wait()
            self._transport.write(piece)

    def pause_writing(self) -> None:
        self._resume.clear()

    def resume_writing(self) -> None:
        self._resume.set()


async def quick_upstream(delay: Callable[[], float] = lambda: 0.0) -> tuple[asyncio.Server, int]:
    """A server in this loop and its port."""
    server = await asyncio.get_running_loop().create_server(lambda: _Quick(delay), "127.0.0.1", 0)
    return server, server.sockets[0].getsockname()[1]


@dataclass
class Failure:
    """A request without its answer: when it was sent and seen to fail, over which port."""

    sent: float
    seen: float
    port: int
    why: str


@dataclass
class Load:
    """Requests with nonces over kept connections to one port."""

    port: int
    done: int = 0
    wrong: int = 0
    failures: list[Failure] = field(default_factory=list)
    sent_over: dict[int, float] = field(default_factory=dict)
    _open: list[asyncio.StreamWriter] = field(default_factory=list)

    @property
    def failed(self) -> int:
        return len(self.failures) + self.wrong

    async def batches(self, total: int, *, connections: int, depth: int = 20) -> None:
        """So many requests, each connection with up to `depth` in the pipeline."""
        await asyncio.gather(*(self._batch(total // connections, depth) for _ in range(connections)))

    async def _batch(self, total: int, depth: int) -> None:
        reader, writer = await asyncio.open_connection("127.0.0.1", self.port)
        self._open.append(writer)
        for start in range(0, total, depth):
            nonces = [b"%08d" % number for number in range(start, min(total, start + depth))]
            writer.write(b"".join(b"GET /n/%b HTTP/1.1\r\nHost: bank\r\nX-Nonce: %b\r\n\r\n" % (n, n) for n in nonces))
            for nonce in nonces:
                head = await reader.readuntil(b"\r\n\r\n")
                body = await reader.readexactly(len(nonce))
                self.wrong += not head.startswith(b"HTTP/1.1 200") or body != nonce
                self.done += 1

    async def stream(self, mib: int, memory: Callable[[], float], *, upwards: bool) -> float:
        """One body of that many MiB; the most memory that was seen while it passed."""
        reader, writer = await asyncio.open_connection("127.0.0.1", self.port, limit=1 << 20)
        self._open.append(writer)
        peak = 0.0
        if upwards:
            writer.write(b"PUT /up HTTP/1.1\r\nHost: bank\r\nContent-Length: %d\r\n\r\n" % (mib << 20))
            for number in range((mib << 20) // PIECE):
                writer.write(bytes(PIECE))
                await writer.drain()
                peak = max(peak, memory()) if number % 64 == 0 else peak
            assert (await reader.readuntil(b"\r\n\r\n")).startswith(b"HTTP/1.1 200")
        else:
            writer.write(b"GET /mib/%d HTTP/1.1\r\nHost: bank\r\n\r\n" % mib)
            await reader.readuntil(b"\r\n\r\n")
            left, turn = mib << 20, 0
            while left:
                left -= len(await reader.read(PIECE))
                turn += 1
                peak = max(peak, memory()) if turn % 64 == 0 else peak
        return max(peak, memory())

    async def steady(self, connections: int, stop: asyncio.Event, pause: float = 0.0) -> None:
        """One request after the other over each connection until told to stop; a broken connection is replaced."""
        await asyncio.gather(*(self._steady(number, stop, pause) for number in range(connections)))

    async def _steady(self, number: int, stop: asyncio.Event, pause: float) -> None:
        reader: asyncio.StreamReader | None = None
        writer: asyncio.StreamWriter | None = None
        count = 0
        while not stop.is_set():
            sent, port = time.monotonic(), 0
            try:
                reader, writer = await self._kept(reader, writer)
                port = writer.get_extra_info("sockname")[1]
                nonce = b"%04d%08d" % (number, count)
                count += 1
                sent = self.sent_over[port] = time.monotonic()
                writer.write(b"GET /n HTTP/1.1\r\nHost: bank\r\nX-Nonce: " + nonce + b"\r\n\r\n")
                async with asyncio.timeout(ANSWER_SECONDS):
                    head = await reader.readuntil(b"\r\n\r\n")
                body = await reader.readexactly(int(head.partition(b"Content-Length: ")[2].partition(b"\r\n")[0]))
                if head.startswith(b"HTTP/1.1 200"):
                    self.wrong += body != nonce
                    self.done += 1
                else:
                    self.failures.append(Failure(sent, time.monotonic(), port, head[:12].decode()))
                if b"Connection: close" in head:
                    writer.close()
                    reader = None
            except (OSError, TimeoutError, asyncio.IncompleteReadError) as error:
                self.failures.append(Failure(sent, time.monotonic(), port, type(error).__name__))
                if writer is not None:
                    writer.close()
                reader = None
            finally:
                self.sent_over.pop(port, None)
            if pause:
                await asyncio.sleep(pause)
        if writer is not None:
            writer.close()

    async def _kept(
        self, reader: asyncio.StreamReader | None, writer: asyncio.StreamWriter | None
    ) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        """The same connection, or another one if it was closed meanwhile."""
        for seconds in (0.001, 0, 0):  # past a look at the sockets, which comes after the timers
            await asyncio.sleep(seconds)
        if reader is not None and writer is not None:
            if not reader.at_eof() and not reader.exception():
                return reader, writer
            writer.close()
        async with asyncio.timeout(ANSWER_SECONDS):
            return await asyncio.open_connection("127.0.0.1", self.port)

    def close(self) -> None:
        for writer in self._open:
            writer.close()
