"""A strict reader of HTTP/1.1 messages by RFC 9112, made for tests alone: it shares nothing with the gateway's parser.

It is fed bytes as they come and raises `Malformed` at the first line that is not HTTP, so that it also judges a message
that was broken off. Everything that the RFC lets a recipient forgive is an error here.
"""

from __future__ import annotations

import re
from abc import ABC, abstractmethod
from collections.abc import Callable, Generator
from dataclasses import dataclass, field
from typing import Any

Fields = list[tuple[bytes, bytes]]
Steps = Generator[None, bytes, Any]

REQUEST_LINE = re.compile(rb"([!#$%&'*+.^_`|~0-9A-Za-z-]+) ([\x21-\x7e\x80-\xff]+) HTTP/1\.1\Z")
STATUS_LINE = re.compile(rb"HTTP/1\.1 ([1-9][0-9]{2}) ([\t\x20-\x7e\x80-\xff]*)\Z")
NAME = re.compile(rb"[!#$%&'*+.^_`|~0-9A-Za-z-]+\Z")
VALUE = re.compile(rb"[\t\x20-\x7e\x80-\xff]*\Z")
HOST = re.compile(rb"(?:[A-Za-z0-9._~!$&'()*+;=%-]*|\[[0-9A-Fa-f:.]+\])(?::[0-9]{1,5})?\Z")
LENGTH = re.compile(rb"(?:0|[1-9][0-9]{0,17})\Z")
SIZE = re.compile(rb"[0-9a-f]{1,16}\Z")
UNFINISHED = re.compile(rb"[\t\x20-\x7e\x80-\xff]*\r?\Z")


class Malformed(Exception):
    """Bytes that are not HTTP/1.1."""


@dataclass
class Message:
    """One message; `start` are the three parts of its first line."""

    start: tuple[bytes, bytes, bytes]
    fields: Fields
    body: bytes = b""
    trailers: Fields = field(default_factory=list)
    framing: str = "none"  # none, length, chunked, close
    is_complete: bool = False

    @property
    def method(self) -> bytes:
        return self.start[0]

    @property
    def target(self) -> bytes:
        return self.start[1]

    @property
    def status(self) -> int:
        return int(self.start[1])

    def all(self, name: str) -> list[bytes]:
        return [value for key, value in self.fields if key.lower() == name.lower().encode()]

    def get(self, name: str) -> bytes | None:
        return next(iter(self.all(name)), None)


class Reader(ABC):
    """What requests and answers have in common. `messages` grows as they begin; the last one may be incomplete."""

    def __init__(self) -> None:
        self.messages: list[Message] = []
        self.raw = b""
        self.tunnelled = b""
        self._buffer = bytearray()
        self.is_tunnel = False
        self._steps = self._all()
        next(self._steps)

    @property
    def complete(self) -> list[Message]:
        return [message for message in self.messages if message.is_complete]

    @property
    def is_between_messages(self) -> bool:
        return not self._buffer and all(message.is_complete for message in self.messages)

    def feed(self, data: bytes) -> None:
        """Raises Malformed; the reader is of no use then."""
        self.raw += data
        if self.is_tunnel:
            self.tunnelled += data
            return
        self._steps.send(data)
        line = self._buffer.rpartition(b"\n")[2]
        if self._is_in_line and not UNFINISHED.match(bytes(line)):
            raise Malformed(f"in the line {bytes(line)!r}")

    def tunnel(self) -> None:
        """From here on it is not HTTP."""
        self.is_tunnel = True
        self.tunnelled += bytes(self._buffer)
        self._buffer.clear()

    _is_in_line = True

    def _all(self) -> Steps:
        while True:
            yield from self._message()

    @abstractmethod
    def _message(self) -> Steps: ...

    def _line(self) -> Steps:
        while b"\n" not in self._buffer:
            self._buffer += yield
        end = self._buffer.index(b"\n")
        line = bytes(self._buffer[:end])
        del self._buffer[: end + 1]
        if not line.endswith(b"\r") or b"\r" in line[:-1]:
            raise Malformed(f"line end of {line!r}")
        return line[:-1]

    def _fields(self) -> Steps:
        found: Fields = []
        while line := (yield from self._line()):
            name, colon, value = line.partition(b":")
            if not colon or not NAME.match(name) or not VALUE.match(value):
                raise Malformed(f"field line {line!r}")
            found.append((name, value.strip(b" \t")))
        return found

    def _exactly(self, body: bytearray, count: int) -> Steps:
        self._is_in_line = False
        while count:
            if not self._buffer:
                self._buffer += yield
            part = self._buffer[:count]
            del self._buffer[: len(part)]
            body += part
            count -= len(part)
        self._is_in_line = True

    def _chunks(self, message: Message) -> Steps:
        body = bytearray()
        while True:
            line = yield from self._line()
            if not SIZE.match(line):
                raise Malformed(f"chunk size {line!r}")
            if not int(line, 16):
                message.body = bytes(body)
                message.trailers = yield from self._fields()
                return
            yield from self._exactly(body, int(line, 16))
            if (yield from self._line()):
                raise Malformed("a chunk is longer than its size")

    def _framed(self, message: Message) -> Steps:
        """The body, if the fields say that there is one; whether they do."""
        lengths, codings = message.all("content-length"), message.all("transfer-encoding")
        if len(lengths) + len(codings) > 1:
            raise Malformed("framed twice")
        if codings:
            if codings != [b"chunked"]:
                raise Malformed(f"coding {codings!r}")
            message.framing = "chunked"
            yield from self._chunks(message)
        elif lengths:
            if not LENGTH.match(lengths[0]):
                raise Malformed(f"length {lengths!r}")
            message.framing = "length"
            body = bytearray()
            yield from self._exactly(body, int(lengths[0]))
            message.body = bytes(body)
        return bool(lengths or codings)


class Requests(Reader):
    """Requests as an upstream gets them; `on_head` and `on_end` are called with each."""

    def __init__(self, on_head: Callable[[Message], None], on_end: Callable[[Message], None]) -> None:
        self._on_head, self._on_end = on_head, on_end
        super().__init__()

    def _message(self) -> Steps:
        line = yield from self._line()
        found = REQUEST_LINE.match(line)
        if found is None:
            raise Malformed(f"request line {line!r}")
        message = Message((found[1], found[2], b"HTTP/1.1"), (yield from self._fields()))
        hosts = message.all("host")
        if len(hosts) != 1 or not HOST.match(hosts[0]) or b".." in hosts[0]:
            raise Malformed(f"host {hosts!r}")
        self.messages.append(message)
        self._on_head(message)
        yield from self._framed(message)
        message.is_complete = True
        self._on_end(message)


class Answers(Reader):
    """Answers as a client gets them, interim ones among `messages`; `methods` are those of the requests, in order."""

    def __init__(self, methods: Callable[[int], bytes]) -> None:
        self._methods = methods
        self._finals = 0
        super().__init__()

    @property
    def finals(self) -> list[Message]:
        return [message for message in self.messages if message.status >= 200 or message.status == 101]

    def end(self) -> None:
        """The stream ends; an answer that is delimited by that is complete."""
        if self.messages and self.messages[-1].framing == "close":
            self.messages[-1].is_complete = True

    def _message(self) -> Steps:
        line = yield from self._line()
        found = STATUS_LINE.match(line)
        if found is None:
            raise Malformed(f"status line {line!r}")
        message = Message((b"HTTP/1.1", found[1], found[2]), (yield from self._fields()))
        self.messages.append(message)
        status = message.status
        if status < 200:
            if message.all("content-length") or message.all("transfer-encoding"):
                raise Malformed("an interim answer is framed")
            message.is_complete = True
            if status == 101:
                self.tunnel()
                while True:
                    yield
            return
        method = self._methods(self._finals)
        self._finals += 1
        if status == 204 and (message.all("content-length") or message.all("transfer-encoding")):
            raise Malformed("204 is framed")
        if method != b"HEAD" and status not in (204, 304) and not (yield from self._framed(message)):
            message.framing = "close"
            self._is_in_line = False
            while True:
                message.body += bytes(self._buffer)
                self._buffer.clear()
                self._buffer += yield
        message.is_complete = True
