"""Raw HTTP on real sockets: an upstream that records with a strict parser of its own, a client that sends bytes."""

from __future__ import annotations

import contextlib
import re
import socket
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field

TIMEOUT = 10.0
TOKEN = re.compile(rb"[!#$%&'*+.^_`|~0-9A-Za-z-]+\Z")
VALUE = re.compile(rb"[\t\x20-\x7e\x80-\xff]*\Z")
Fields = list[tuple[bytes, bytes]]


class Malformed(Exception):
    """Bytes that are not HTTP/1.1 as RFC 9112 has it."""


class Reader:
    """A socket read by lines and counts."""

    def __init__(self, sock: socket.socket) -> None:
        self.sock = sock
        self.buffer = b""

    def more(self) -> bool:
        data = self.sock.recv(65536)
        self.buffer += data
        return bool(data)

    def line(self) -> bytes:
        """Up to CRLF, which must be CRLF; b"" at the end of the stream before a byte."""
        while b"\n" not in self.buffer:
            if not self.more():
                if self.buffer:
                    raise EOFError("the stream ends inside a line")
                raise EOFError("the stream has ended")
        line, self.buffer = self.buffer.split(b"\n", 1)
        if not line.endswith(b"\r") or b"\r" in line[:-1]:
            raise Malformed(f"line end of {line!r}")
        return line[:-1]

    def exactly(self, count: int) -> bytes:
        while len(self.buffer) < count:
            if not self.more():
                raise EOFError(f"the stream ends {count - len(self.buffer)} bytes early")
        data, self.buffer = self.buffer[:count], self.buffer[count:]
        return data

    def to_end(self) -> bytes:
        while self.more():
            pass
        data, self.buffer = self.buffer, b""
        return data

    def fields(self) -> Fields:
        found: Fields = []
        while line := self.line():
            name, colon, value = line.partition(b":")
            if not colon or not TOKEN.match(name) or not VALUE.match(value):
                raise Malformed(f"field line {line!r}")
            found.append((name, value.strip(b" \t")))
        return found

    def chunks(self) -> tuple[bytes, Fields]:
        body = b""
        while True:
            line = self.line()
            if not re.fullmatch(rb"[0-9a-fA-F]{1,16}", line):
                raise Malformed(f"chunk size {line!r}")
            size = int(line, 16)
            if size == 0:
                return body, self.fields()
            body += self.exactly(size)
            if self.exactly(2) != b"\r\n":
                raise Malformed("chunk end")


@dataclass
class Received:
    """One request as the upstream saw it."""

    method: bytes
    target: bytes
    version: bytes
    fields: Fields
    body: bytes = b""
    trailers: Fields = field(default_factory=list)
    connection: int = 0

    def get(self, name: str) -> bytes | None:
        values = self.all(name)
        return values[0] if values else None

    def all(self, name: str) -> list[bytes]:
        return [value for key, value in self.fields if key.lower() == name.lower().encode()]


Responder = Callable[[Received, socket.socket], None]


def answer(body: bytes = b"ok", status: bytes = b"200 OK", extra: bytes = b"") -> Responder:
    """A responder that always says the same."""
    data = b"HTTP/1.1 " + status + b"\r\n" + extra + b"Content-Length: %d\r\n\r\n" % len(body) + body

    def respond(received: Received, sock: socket.socket) -> None:
        sock.sendall(data[: -len(body)] if received.method == b"HEAD" and body else data)

    return respond


def raw(data: bytes, *, close: bool = False) -> Responder:
    """A responder that writes these bytes, and closes if told so."""

    def respond(_: Received, sock: socket.socket) -> None:
        sock.sendall(data)
        if close:
            raise EOFError

    return respond


class Upstream:
    """Records every request; answers as `respond` says. `problems` lists what was not HTTP."""

    def __init__(self) -> None:
        self.requests: list[Received] = []
        self.problems: list[str] = []
        self.connections = 0
        self.respond: Responder = answer()
        self.reads_body = True
        self._open: set[socket.socket] = set()
        self._listener = socket.create_server(("127.0.0.1", 0), backlog=256)
        self.port = self._listener.getsockname()[1]
        self._thread = threading.Thread(target=self._accept, daemon=True)
        self._thread.start()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def reset(self) -> None:
        """Forget what was seen; answer as in the beginning."""
        self.requests.clear()
        self.problems.clear()
        self.respond = answer()
        self.reads_body = True

    def targets(self) -> list[bytes]:
        return [received.target for received in self.requests]

    def _accept(self) -> None:
        with contextlib.suppress(OSError):
            while True:
                sock, _ = self._listener.accept()
                self.connections += 1
                self._open.add(sock)
                threading.Thread(target=self._serve, args=(sock, self.connections), daemon=True).start()

    def _serve(self, sock: socket.socket, number: int) -> None:
        reader = Reader(sock)
        with contextlib.suppress(OSError, EOFError), sock:
            while True:
                try:
                    received = self._receive(reader, number)
                except Malformed as error:
                    self.problems.append(str(error))
                    return
                self.requests.append(received)
                self.respond(received, sock)
        self._open.discard(sock)

    def _receive(self, reader: Reader, number: int) -> Received:
        start = reader.line()
        found = re.fullmatch(rb"([A-Z]+) ([^ ]+) (HTTP/1\.1)", start)
        if not found:
            raise Malformed(f"request line {start!r}")
        received = Received(found[1], found[2], found[3], reader.fields(), connection=number)
        lengths, codings = received.all("content-length"), received.all("transfer-encoding")
        if len(lengths) + len(codings) > 1 or len(received.all("host")) > 1:
            raise Malformed("framed twice, or two hosts")
        if not self.reads_body:
            received.body, reader.buffer = reader.buffer, b""  # what came with the head
            return received
        if codings:
            if codings != [b"chunked"]:
                raise Malformed(f"coding {codings!r}")
            received.body, received.trailers = reader.chunks()
        elif lengths:
            if not re.fullmatch(rb"0|[1-9][0-9]*", lengths[0]):
                raise Malformed(f"length {lengths!r}")
            received.body = reader.exactly(int(lengths[0]))
        return received

    def close(self) -> None:
        # shutdown wakes the thread that waits in accept, close alone does not
        with contextlib.suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        for sock in tuple(self._open):
            with contextlib.suppress(OSError):
                sock.shutdown(socket.SHUT_RDWR)
        self._thread.join(TIMEOUT)


@dataclass
class Answer:
    """One answer as the client saw it; `is_complete` is False where the stream ended before its framing said so."""

    status_line: bytes
    fields: Fields
    body: bytes
    is_complete: bool = True
    trailers: Fields = field(default_factory=list)
    interim: list[tuple[bytes, Fields]] = field(default_factory=list)

    @property
    def status(self) -> int:
        return int(self.status_line.split()[1])

    def get(self, name: str) -> bytes | None:
        for key, value in self.fields:
            if key.lower() == name.lower().encode():
                return value
        return None


class Client:
    """One connection that sends bytes as they are."""

    def __init__(self, port: int, receive_buffer: int | None = None) -> None:
        self.sock = socket.socket()
        self.sock.settimeout(TIMEOUT)
        if receive_buffer is not None:
            self.sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receive_buffer)
        try:
            self.sock.connect(("127.0.0.1", port))
        except OSError:
            self.sock.close()
            raise
        self.reader = Reader(self.sock)

    def __enter__(self) -> Client:
        return self

    def __exit__(self, *_: object) -> None:
        self.sock.close()

    def send(self, data: bytes) -> None:
        self.sock.sendall(data)

    def get(self, target: str = "/", fields: str = "", method: str = "GET") -> Answer:
        self.send(f"{method} {target} HTTP/1.1\r\nHost: bank\r\n{fields}\r\n".encode())
        return self.answer(method=method)

    def post(self, target: str, body: bytes, fields: str = "") -> Answer:
        self.send_post(target, body, fields)
        return self.answer()

    def send_post(self, target: str, body: bytes, fields: str = "") -> None:
        head = f"POST {target} HTTP/1.1\r\nHost: bank\r\nContent-Length: {len(body)}\r\n{fields}\r\n"
        self.send(head.encode() + body)

    def answer(self, method: str = "GET") -> Answer:
        """The next answer, whole. Raises EOFError if there is none, Malformed if it is not HTTP."""
        interim: list[tuple[bytes, Fields]] = []
        while True:
            status_line = self.reader.line()
            if not re.fullmatch(rb"HTTP/1\.1 [1-9][0-9]{2} [^\r\n]*", status_line):
                raise Malformed(f"status line {status_line!r}")
            found = Answer(status_line, self.reader.fields(), b"", interim=interim)
            if found.status >= 200 or found.status == 101:
                break
            interim.append((status_line, found.fields))
        if method == "HEAD" or found.status in (101, 204, 304):
            return found
        with contextlib.suppress(ConnectionError):
            self._read_body(found)
            return found
        found.is_complete = False
        found.body, self.reader.buffer = self.reader.buffer, b""
        return found

    def _read_body(self, found: Answer) -> None:
        lengths = [value for name, value in found.fields if name.lower() == b"content-length"]
        codings = [value for name, value in found.fields if name.lower() == b"transfer-encoding"]
        if len(lengths) + len(codings) > 1:
            raise Malformed("framed twice")
        try:
            if codings:
                found.body, found.trailers = self.reader.chunks()
            elif lengths:
                found.body = self.reader.exactly(int(lengths[0]))
            else:
                found.body = self.reader.to_end()
        except EOFError:
            found.is_complete = False
            found.body, self.reader.buffer = self.reader.buffer, b""

    def is_closed(self) -> bool:
        """Waits until the other side closes; False if it sends something instead."""
        try:
            return not self.reader.buffer and not self.reader.more()
        except ConnectionError:
            return True
        except TimeoutError:
            return False


@contextlib.contextmanager
def upstream() -> Iterator[Upstream]:
    """A recording upstream that ends with the context."""
    one = Upstream()
    try:
        yield one
    finally:
        one.close()


@contextlib.contextmanager
def client(port: int) -> Iterator[Client]:
    """A connection that ends with the context."""
    with Client(port) as one:
        yield one
