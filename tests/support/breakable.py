"""A TCP proxy between two parties that breaks their connection at a chosen moment, also when the work was done."""

from __future__ import annotations

import select
import socket
import threading
from collections import Counter
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from typing import Literal
from urllib.parse import urlsplit, urlunsplit

Direction = Literal["asked", "answered"]  # from the client to the server, and back
PIECE_BYTES = 16 << 10


@dataclass(frozen=True)
class Fault:
    """Cut every connection after so many bytes in one direction; or, with `word`, when an answer that has it is withheld.

    The server has done what it answers: with the word of a COMMIT's answer the work is done and nobody hears of it. A
    silent fault closes nothing: what is sent is taken and forgotten, and neither side is told when the other one ends.
    """

    direction: Direction
    bytes: int = 0
    word: bytes = b""
    is_silent: bool = False


@dataclass
class Breakable:
    """The proxy; `url` is the server's address through it. `break_once` arms one fault, `has_broken` is set when it hit."""

    host: str
    port: int
    refused: int = 0  # connections that the server did not take
    passed: Counter[Direction] = field(default_factory=Counter)  # bytes
    has_broken: threading.Event = field(default_factory=threading.Event)
    _fault: Fault | None = None
    _left: int = 0
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def __post_init__(self) -> None:
        self._listener = socket.create_server(("127.0.0.1", 0))
        self._ends = threading.Event()
        self._pairs: set[tuple[socket.socket, socket.socket]] = set()
        self._silent: set[tuple[socket.socket, socket.socket]] = set()
        self._threads = [threading.Thread(target=self._accept)]
        self._threads[0].start()

    def url(self, url: str) -> str:
        """The same database through the proxy."""
        parts = urlsplit(url)
        who = parts.netloc.rpartition("@")[0]
        return urlunsplit(parts._replace(netloc=f"{who}@127.0.0.1:{self._listener.getsockname()[1]}"))

    def break_once(self, fault: Fault) -> None:
        """From now on, count; when the fault is due every connection is reset, and then all is well again."""
        with self._lock:
            self.has_broken.clear()
            self._fault, self._left = fault, fault.bytes

    def close(self) -> None:
        """End everything."""
        self._ends.set()
        self._reset(self._pairs)
        for thread in self._threads:
            thread.join()
        self._listener.close()

    def _accept(self) -> None:
        while not self._ends.is_set():
            if not select.select([self._listener], [], [], 0.05)[0]:
                continue
            client, _ = self._listener.accept()
            try:
                pair = (client, socket.create_connection((self.host, self.port)))
            except OSError:
                client.close()
                self.refused += 1
                continue
            self._pairs.add(pair)
            self._threads.append(threading.Thread(target=self._carry, args=pair))
            self._threads[-1].start()

    def _carry(self, client: socket.socket, server: socket.socket) -> None:
        ways: dict[socket.socket, tuple[Direction, socket.socket]] = {
            client: ("asked", server),
            server: ("answered", client),
        }
        with client, server, suppress(OSError, ValueError):
            while not self._ends.is_set():
                if (client, server) in self._silent:
                    self._swallow({client, server})
                    break
                for here in select.select([client, server], [], [], 0.05)[0]:
                    direction, there = ways[here]
                    data = here.recv(PIECE_BYTES)
                    if not data:
                        return
                    passes, is_silent = self._passes(direction, data)
                    there.sendall(data[:passes])
                    self.passed[direction] += passes
                    if passes == len(data):
                        continue
                    (self._silent.update if is_silent else self._reset)(tuple(self._pairs))
                    self.has_broken.set()
        self._pairs.discard((client, server))
        self._silent.discard((client, server))

    def _swallow(self, open_ones: set[socket.socket]) -> None:
        """Take what both sides send, and when one of them ends, let the other one believe that it is there."""
        while open_ones and not self._ends.is_set():
            for here in select.select(list(open_ones), [], [], 0.05)[0]:
                with suppress(OSError):
                    if here.recv(PIECE_BYTES):
                        continue
                open_ones.discard(here)

    def _passes(self, direction: Direction, data: bytes) -> tuple[int, bool]:
        """How many of these bytes are still let through, and whether silence follows."""
        with self._lock:
            fault = self._fault
            if fault is None or fault.direction != direction:
                return len(data), False
            if fault.word:
                passes = 0 if fault.word in data else len(data)
            else:
                passes = min(self._left, len(data))
                self._left -= passes
            if passes < len(data):
                self._fault = None
            return passes, fault.is_silent

    def _reset(self, pairs: Iterable[tuple[socket.socket, socket.socket]]) -> None:
        for pair in tuple(pairs):
            self._pairs.discard(pair)
            for one in pair:
                with suppress(OSError):
                    one.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\x01\x00\x00\x00\x00\x00\x00\x00")
                    one.shutdown(socket.SHUT_RDWR)


@contextmanager
def breakable(url: str) -> Iterator[Breakable]:
    """A proxy in front of the server of that address."""
    parts = urlsplit(url)
    assert parts.hostname is not None
    assert parts.port is not None
    proxy = Breakable(parts.hostname, parts.port)
    try:
        yield proxy
    finally:
        proxy.close()
