"""The pairing soak: clients with nonces against an upstream that answers late, twice, early, truncated and unasked.

Every answer carries the nonce of the request that it was made for, in a field and in the body; what an answer says
beyond its end, or unasked, carries a nonce of its own. A client that gets another nonce than its own has been given
somebody else's answer: that is the one thing that must never happen. Requests may fail; that is what hostile means.

HTTP/1.1 knows no numbers: an unasked answer that crosses a request on the wire is an answer to it, for every proxy. So
the upstream says unasked things only on connections whose next request it has not read, and looks into its receive
buffer right afterwards and once more CROSSING_SECONDS later, which is more than a gateway takes between its look at a
connection and the write. If a request was there by then, the two have crossed: that is counted and nobody's mistake.
If none was, the bytes lay at the gateway before it chose the connection, and it must have noticed.
"""

from __future__ import annotations

import array
import asyncio
import contextlib
import fcntl
import os
import random
import termios
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field

from tests.support.strict_http import Answers, Malformed, Message, Requests

SAID_TO_NOBODY = b"0" * 16
SECONDS = 20.0
CROSSING_SECONDS = 0.02


@dataclass
class Tally:
    """What the clients saw. `wrong_nonces` are what they were given instead of their own; only crossed ones may be there."""

    right: int = 0
    wrong_nonces: list[bytes | None] = field(default_factory=list)
    malformed: int = 0
    hung: int = 0
    failed: Counter[str] = field(default_factory=Counter)
    connections: int = 0

    def wrong(self, crossed: set[bytes]) -> int:
        """Answers to the wrong request that did not cross it on the wire."""
        return sum(nonce not in crossed for nonce in self.wrong_nonces)

    @property
    def total(self) -> int:
        return self.right + len(self.wrong_nonces) + self.malformed + self.hung + sum(self.failed.values())


def _answer(nonce: bytes, *, chunked: bool, size: int, status: bytes = b"200 OK") -> bytes:
    body = (nonce + b";") * (1 + size // 17)
    head = b"HTTP/1.1 " + status + b"\r\nX-Nonce: " + nonce + b"\r\n"
    if not chunked:
        return head + b"Content-Length: %d\r\n\r\n" % len(body) + body
    half = len(body) // 2 or 1
    parts = b"".join(b"%x\r\n%b\r\n" % (len(part), part) for part in (body[:half], body[half:]) if part)
    return head + b"Transfer-Encoding: chunked\r\n\r\n" + parts + b"0\r\n\r\n"


EVIL = _answer(SAID_TO_NOBODY, chunked=False, size=0)


def _waiting(handle: int) -> bool:
    count = array.array("i", [0])
    fcntl.ioctl(handle, termios.FIONREAD, count)
    return bool(count[0])


class HostileConnection(asyncio.Protocol):
    """One connection; what it does to a request is drawn from the table of its server."""

    def __init__(self, server: HostileServer) -> None:
        self.server = server
        self.transport: asyncio.Transport
        self.reader = Requests(self._began, self._ended)
        self._doubt: bytes | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = transport  # type: ignore[assignment]
        self.server.connections += 1

    def data_received(self, data: bytes) -> None:
        if self._doubt is not None:  # it was on its way already
            self._has_crossed(self._doubt)
            return
        try:
            self.reader.feed(data)
        except Malformed:
            self.server.dirty += 1
            self.transport.abort()

    def _began(self, message: Message) -> None:
        if message.framing == "none" and (message.all("content-length") or message.all("transfer-encoding")):
            self._act(message, self.server.draw_early())

    def _ended(self, message: Message) -> None:
        if getattr(message, "was_answered", False):
            return
        self.server.requests += 1
        self._act(message, self.server.draw())
        if len(self.reader.messages) > 512:
            self.transport.close()  # as servers do that count
        self.reader.raw = b""

    def _act(self, message: Message, act: Callable[[HostileConnection, bytes, bytes], None] | None) -> None:
        if act is None:
            return
        message.was_answered = True  # type: ignore[attr-defined]
        nonce = message.get("x-nonce") or SAID_TO_NOBODY
        rng = self.server.rng
        size = rng.choice((0, 0, 40, 3000))
        self.server.acts[act.__name__] += 1
        act(self, nonce, _answer(nonce, chunked=rng.random() < 0.3, size=size))

    def say(self, data: bytes) -> None:
        if not self.transport.is_closing():
            self.transport.write(data)

    def say_unasked(self, messages: int) -> None:
        """Past the loop's buffers, and only if nothing has been asked since."""
        if self.transport.is_closing() or len(self.reader.messages) != messages or not self.reader.is_between_messages:
            return
        handle = self.transport.get_extra_info("socket").fileno()
        nonce = b"%016x" % (self.server.rng.getrandbits(63) | 1)
        with contextlib.suppress(OSError):
            os.write(handle, _answer(nonce, chunked=False, size=0))
            self.server.unasked += 1
            if _waiting(handle):
                self._has_crossed(nonce)
            else:
                self._doubt = nonce
                self.server.in_doubt.add(nonce)
                self.server.loop.call_later(CROSSING_SECONDS, self._has_not_crossed, nonce)

    def _has_not_crossed(self, nonce: bytes) -> None:
        self.server.in_doubt.discard(nonce)
        self._doubt = None

    def _has_crossed(self, nonce: bytes) -> None:
        self.server.crossed.add(nonce)
        self.transport.abort()  # or every answer on this connection would be one late

    def later(self, seconds: float, data: bytes) -> None:
        self.server.loop.call_later(seconds, self.say, data)

    def later_if_idle(self, seconds: float, data: bytes) -> None:
        """It would fall into the middle of the next answer else, and nobody could tell."""
        asked = len(self.reader.messages)
        self.server.loop.call_later(seconds, lambda: len(self.reader.messages) == asked and self.say(data))


def good(one: HostileConnection, nonce: bytes, answer: bytes) -> None:
    one.say(answer)


def in_two_writes(one: HostileConnection, nonce: bytes, answer: bytes) -> None:
    cut = one.server.rng.randrange(1, len(answer))
    one.say(answer[:cut])
    one.later(0.002, answer[cut:])


def late(one: HostileConnection, nonce: bytes, answer: bytes) -> None:
    one.later(one.server.late_seconds * one.server.rng.uniform(0.9, 1.6), answer)


def twice(one: HostileConnection, nonce: bytes, answer: bytes) -> None:
    one.say(answer + EVIL)


def twice_later(one: HostileConnection, nonce: bytes, answer: bytes) -> None:
    one.say(answer)
    delay = one.server.rng.choice((0.0, 0.0002, 0.001, 0.01))
    one.server.loop.call_later(delay, one.say_unasked, len(one.reader.messages))


def half_twice(one: HostileConnection, nonce: bytes, answer: bytes) -> None:
    one.say(answer + EVIL[:20])
    one.later_if_idle(0.003, EVIL[20:])


def truncated(one: HostileConnection, nonce: bytes, answer: bytes) -> None:
    one.say(answer[: one.server.rng.randrange(1, len(answer))])
    one.transport.close()


def hung_up(one: HostileConnection, nonce: bytes, answer: bytes) -> None:
    one.transport.close()


def closing(one: HostileConnection, nonce: bytes, answer: bytes) -> None:
    one.say(answer)
    one.transport.close()


def unasked_interim(one: HostileConnection, nonce: bytes, answer: bytes) -> None:
    one.say(b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early Hints\r\n\r\n" + answer)


def slow_continue(one: HostileConnection, nonce: bytes, answer: bytes) -> None:
    one.say(answer)
    one.later_if_idle(0.002, b"HTTP/1.1 100 Continue\r\n\r\n")


def too_long(one: HostileConnection, nonce: bytes, answer: bytes) -> None:
    one.say(answer + b"0" * 300)


def nonsense(one: HostileConnection, nonce: bytes, answer: bytes) -> None:
    one.say(b"HTTP/1.1 2000 OK\r\n\r\n" + EVIL)


def switching(one: HostileConnection, nonce: bytes, answer: bytes) -> None:
    one.say(b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\r\n" + EVIL)


def early_413(one: HostileConnection, nonce: bytes, answer: bytes) -> None:
    one.say(_answer(nonce, chunked=False, size=0, status=b"413 Content Too Large"))


def early_413_twice(one: HostileConnection, nonce: bytes, answer: bytes) -> None:
    one.say(_answer(nonce, chunked=False, size=0, status=b"413 Content Too Large") + EVIL)


ACTS = {good: 80.0, in_two_writes: 6.0, late: 0.4, twice: 2.0, twice_later: 2.0, half_twice: 1.0, truncated: 1.5, hung_up: 1.0,
        closing: 2.0, unasked_interim: 1.0, slow_continue: 1.0, too_long: 1.0, nonsense: 0.5, switching: 0.5}  # fmt: skip
EARLY = {None: 90.0, early_413: 6.0, early_413_twice: 4.0}


class HostileServer:
    """Listens, and knows which of its unasked answers have crossed a request."""

    def __init__(self, seed: int, late_seconds: float) -> None:
        self.rng = random.Random(seed)
        self.late_seconds = late_seconds
        self.acts: Counter[str] = Counter()
        self.requests = self.dirty = self.connections = self.unasked = 0
        self.crossed: set[bytes] = set()
        self.in_doubt: set[bytes] = set()
        self.loop = asyncio.get_running_loop()

    def draw(self) -> Callable[[HostileConnection, bytes, bytes], None]:
        return self.rng.choices(tuple(ACTS), tuple(ACTS.values()))[0]

    def draw_early(self) -> Callable[[HostileConnection, bytes, bytes], None] | None:
        return self.rng.choices(tuple(EARLY), tuple(EARLY.values()))[0]

    async def listen(self) -> tuple[asyncio.Server, int]:
        server = await self.loop.create_server(lambda: HostileConnection(self), "127.0.0.1", 0)
        return server, server.sockets[0].getsockname()[1]


class SoakClient(asyncio.Protocol):
    """Sends one request after the other (now and then two at once) over one connection and checks the nonces."""

    def __init__(self, tally: Tally, rng: random.Random) -> None:
        self.tally = tally
        self.rng = rng
        self.transport: asyncio.Transport
        self.answers = Answers(lambda _: b"GET")
        self.asked: list[bytes] = []
        self.is_lost = False
        self.changed = asyncio.Event()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = transport  # type: ignore[assignment]
        self.tally.connections += 1

    def data_received(self, data: bytes) -> None:
        try:
            self.answers.feed(data)
        except Malformed:
            self.tally.malformed += 1
            self.transport.abort()
        self.answers.raw = b""
        self.changed.set()

    def connection_lost(self, error: Exception | None) -> None:
        self.is_lost = True
        self.changed.set()

    def ask(self) -> None:
        count = 2 if self.rng.random() < 0.1 else 1
        parts = []
        for _ in range(count):
            nonce = b"%016x" % self.rng.getrandbits(63)
            self.asked.append(nonce)
            fields = b" /n HTTP/1.1\r\nHost: bank\r\nX-Nonce: " + nonce + b"\r\n"
            kind = self.rng.random()
            if kind < 0.7:
                parts.append(b"GET" + fields + b"\r\n")
            elif kind < 0.85:
                parts.append(b"POST" + fields + b"Content-Length: 20\r\n\r\n" + b"b" * 20)
            else:
                parts.append(b"PUT" + fields + b"Transfer-Encoding: chunked\r\n\r\n4\r\nbody\r\n0\r\n\r\n")
        self.transport.write(b"".join(parts))

    async def settle(self) -> None:
        """Wait for the answers to what was asked, and judge them."""
        try:
            async with asyncio.timeout(SECONDS):
                while not self.is_lost and len(self._done()) < len(self.asked):
                    self.changed.clear()
                    await self.changed.wait()
        except TimeoutError:
            self.tally.hung += len(self.asked) - len(self._done())
            self.transport.abort()
        done = self._done()
        for nonce, answer in zip(self.asked, done, strict=False):
            self._judge(nonce, answer)
        self._judge_part(len(done))
        self.tally.failed["no answer"] += len(self.asked) - min(len(self.asked), len(done))
        self.tally.wrong_nonces += [None] * (len(done) - len(self.asked))
        self.asked.clear()
        self.answers.messages.clear()

    def _done(self) -> list[Message]:
        return [message for message in self.answers.finals if message.is_complete]

    def _judge(self, nonce: bytes, answer: Message) -> None:
        if answer.all("content-type") == [b"application/problem+json"]:
            self.tally.failed[str(answer.status)] += 1
        elif answer.all("x-nonce") == [nonce] and set(answer.body.split(b";")) == {nonce, b""} and not answer.trailers:
            self.tally.right += 1
        else:
            self.tally.wrong_nonces.append(answer.get("x-nonce"))

    def _judge_part(self, done: int) -> None:
        """An answer that broke off must have been the right one so far."""
        for nonce, answer in zip(self.asked[done:], self.answers.finals[done:], strict=False):
            said = answer.get("x-nonce")
            if said not in (nonce, None):
                self.tally.wrong_nonces.append(said)


async def clients(port: int, total: int, tally: Tally, seed: int, told: Callable[[Tally], None]) -> None:
    """So many requests over 24 connections, each replaced when it is closed, and now and then for no reason."""
    loop = asyncio.get_running_loop()

    async def one(number: int) -> None:
        rng = random.Random(seed * 1000 + number)
        client: SoakClient | None = None
        while tally.total < total:
            if client is None or client.is_lost:
                _, client = await loop.create_connection(lambda: SoakClient(tally, rng), "127.0.0.1", port)
            client.ask()
            if rng.random() < 0.005:
                await asyncio.sleep(rng.choice((0.0, 0.001)))
                tally.failed["left"] += len(client.asked)
                client.transport.abort()
                client = None
                continue
            await client.settle()
            told(tally)
        if client is not None:
            client.transport.abort()

    async with asyncio.TaskGroup() as group:
        for number in range(24):
            group.create_task(one(number))
