"""Where a chunked body may end in what was read, and whether its framing is out of proportion."""

from __future__ import annotations

from typing import Final

TERMINATOR: Final = b"\r\n\r\n"
FRAMING_BYTES_FOR_EACH: Final = 8


class RequestInvalid(Exception):
    """Raised while the body is parsed: the request cannot go on."""


class ChunkGauge:
    """Follows the raw bytes of one chunked body; `tail` are the last three of the read before."""

    __slots__ = ("_framing_bytes_max", "_raw_bytes", "_tail")

    def __init__(self, framing_bytes_max: int) -> None:
        self._framing_bytes_max = framing_bytes_max
        self._raw_bytes = 0
        self._tail = b""

    def piece_end(self, data: bytes, position: int) -> int:
        """Just after the next blank line, also where it began in the read before; else the end of the data."""
        stop = self._end_of_piece(data, position)
        self._raw_bytes += stop - position
        if stop == len(data):
            self._tail = (self._tail + data[-3:])[-3:]
        return stop

    def _end_of_piece(self, data: bytes, position: int) -> int:
        if position == 0 and self._tail:
            found = (self._tail + data[:3]).find(TERMINATOR)
            if found >= 0:
                return found + 4 - len(self._tail)
        found = data.find(TERMINATOR, position)
        return found + 4 if found >= 0 else len(data)

    def check(self, body_bytes: int) -> None:
        """Chunk sizes, extensions and trailers may be so much longer than the body, and no more (T39, T78)."""
        if self._raw_bytes - body_bytes > self._framing_bytes_max + FRAMING_BYTES_FOR_EACH * body_bytes:
            raise RequestInvalid
