"""What workers have sent to the comparer and nobody has judged yet: frames cut out of bytes, bounded, pushing back.

A connection begins with the worker's name (16 bytes) and how many events it has sent on connections before (8 bytes,
big-endian); after that come frames: four bytes of length and the event. What goes back are numbers of eight bytes: up
to which number the worker's events are stored. (A number with TELLS_IDS in it is the length of what follows: ids that
belong together, `shadow/correspondence.py`.) The first of them answers the name before anything after it is judged:
so the worker learns which of its events a comparer that was killed has not stored. (`comparer_link.py` is the
other end.)
"""

from __future__ import annotations

import asyncio
from collections import Counter, deque
from typing import Final

import structlog

LENGTH_BYTES: Final = 4
NAME_BYTES: Final = 16
NUMBER_BYTES: Final = 8
HELLO_BYTES: Final = NAME_BYTES + NUMBER_BYTES
TELLS_IDS: Final = 1 << 63
FRAME_BYTES_MAX: Final = 64 << 20
QUEUE_FRAMES_MAX = 20_000
QUEUE_BYTES_MAX = 32 << 20
HELLO: Final = b""
"""Stands in the queue for a worker's name, which is answered when all before it is stored, and then for its end."""

_log = structlog.get_logger()


class Backlog:
    """Frames that wait to be judged, each with its source; sources are paused because there are too many."""

    def __init__(self) -> None:
        self.arrived = asyncio.Event()
        self.sources: set[Source] = set()
        self._frames: deque[tuple[bytes, Source]] = deque()
        self._bytes = 0
        self._paused: set[Source] = set()

    def __len__(self) -> int:
        return len(self._frames)

    @property
    def is_full(self) -> bool:
        """Whether a bound is reached."""
        return len(self._frames) >= QUEUE_FRAMES_MAX or self._bytes >= QUEUE_BYTES_MAX

    def put(self, frame: bytes, source: Source) -> None:
        """Add a frame; at a bound its source is not read from any more."""
        self._frames.append((frame, source))
        self._bytes += len(frame)
        self.arrived.set()
        if self.is_full and source.pause():
            self._paused.add(source)

    def take(self, count: int) -> list[tuple[bytes, Source]]:
        """Up to that many frames, oldest first, and a HELLO alone; where there is room again, the sources go on."""
        taken: list[tuple[bytes, Source]] = []
        while self._frames and len(taken) < count and not (taken and self._frames[0][0] == HELLO):
            taken.append(self._frames.popleft())
            if taken[-1][0] == HELLO:
                break
        self._bytes -= sum(len(frame) for frame, _ in taken)
        if not self._frames:
            self.arrived.clear()
        if self._paused and not self.is_full:
            for source in self._paused:
                source.resume()
            self._paused.clear()
        return taken


class Source(asyncio.Protocol):
    """One worker's connection: bytes to frames. `number` is that of its event that was judged last."""

    def __init__(self, backlog: Backlog) -> None:
        self._backlog = backlog
        self._buffer = bytearray()
        self._transport: asyncio.Transport | None = None
        self.worker = ""
        self.number = 0
        self.counted: Counter[tuple[str, str]] = Counter()  # its requests by capability and route, as far as judged
        self.was_greeted = False

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Remember where to push back."""
        if isinstance(transport, asyncio.Transport):
            self._transport = transport
            self._backlog.sources.add(self)

    def connection_lost(self, _: Exception | None) -> None:
        """The worker has gone, and everything that it sent is in the backlog."""
        self._backlog.sources.discard(self)
        if self.worker:
            self._backlog.put(HELLO, self)

    def tell(self, number: int) -> None:
        """Say how many of its events are stored."""
        if self._transport is not None and not self._transport.is_closing():
            self._transport.write(number.to_bytes(NUMBER_BYTES, "big"))

    def tell_ids(self, piece: bytes) -> None:
        """Say which ids belong together."""
        if self._transport is not None and not self._transport.is_closing():
            self._transport.write((TELLS_IDS | len(piece)).to_bytes(NUMBER_BYTES, "big") + piece)

    def pause(self) -> bool:
        """Read no more for the time being; whether that was possible."""
        if self._transport is None or self._transport.is_closing():
            return False
        self._transport.pause_reading()
        return True

    def resume(self) -> None:
        """Go on."""
        if self._transport is not None and not self._transport.is_closing():
            self._transport.resume_reading()

    def data_received(self, data: bytes) -> None:
        """Cut off every frame that is complete."""
        buffer = self._buffer
        buffer += data
        start = 0
        if not self.worker:
            if len(buffer) < HELLO_BYTES:
                return
            self.worker, start = buffer[:NAME_BYTES].hex(), HELLO_BYTES
            self.number = int.from_bytes(buffer[NAME_BYTES:HELLO_BYTES], "big")
            self._backlog.put(HELLO, self)
        while len(buffer) - start >= LENGTH_BYTES:
            body = start + LENGTH_BYTES
            length = int.from_bytes(buffer[start:body], "big")
            if not 0 < length <= FRAME_BYTES_MAX:
                _log.error("comparer.frame_refused", bytes=length)
                if self._transport is not None:
                    self._transport.abort()
                return
            if len(buffer) < body + length:
                break
            self._backlog.put(bytes(buffer[body : body + length]), self)
            start = body + length
        del buffer[:start]
