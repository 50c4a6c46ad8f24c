"""Pure: where the frames of a WebSocket begin and end (RFC 6455 section 5.2), so that one can be put between two."""

from __future__ import annotations

import secrets
from typing import Final

GOING_AWAY: Final = (1001).to_bytes(2, "big")
_LENGTH_BYTES: Final = {126: 2, 127: 8}
_HEADER_BYTES_MAX: Final = 14


class Frames:
    """Follows one direction; looks at nothing but lengths."""

    __slots__ = ("_header", "_left")

    def __init__(self) -> None:
        self._header = b""
        self._left = 0

    @property
    def is_between(self) -> bool:
        """Whether all that was seen are whole frames."""
        return not self._left and not self._header

    def feed(self, data: bytes) -> None:
        """Bytes as they come."""
        position = 0
        while position < len(data):
            if self._left:
                step = min(self._left, len(data) - position)
                self._left -= step
                position += step
                continue
            known = len(self._header)
            header = self._header + data[position : position + _HEADER_BYTES_MAX - known]
            size = _header_size(header)
            if size is None or size > len(header):
                self._header = header
                return
            self._header = b""
            self._left = _payload_size(header)
            position += size - known


def _header_size(header: bytes) -> int | None:
    if len(header) < 2:
        return None
    return 2 + _LENGTH_BYTES.get(header[1] & 0x7F, 0) + (4 if header[1] & 0x80 else 0)


def _payload_size(header: bytes) -> int:
    short = header[1] & 0x7F
    count = _LENGTH_BYTES.get(short, 0)
    return int.from_bytes(header[2 : 2 + count], "big") if count else short


def going_away(*, masked: bool) -> bytes:
    """A Close frame with 1001; what goes to a server is masked."""
    if not masked:
        return b"\x88" + bytes([len(GOING_AWAY)]) + GOING_AWAY
    mask = secrets.token_bytes(4)
    return (
        b"\x88" + bytes([0x80 | len(GOING_AWAY)]) + mask + bytes(a ^ b for a, b in zip(GOING_AWAY, mask, strict=False))
    )
