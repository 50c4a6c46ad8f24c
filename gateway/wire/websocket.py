"""Pure: which request asks for a WebSocket, and where its frames begin and end, so that one can be put between two."""

from __future__ import annotations

import re
import secrets
from typing import Final

from gateway.wire import headers
from gateway.wire.headers import Facts, Fields

GOING_AWAY: Final = (1001).to_bytes(2, "big")
_LENGTH_BYTES: Final = {126: 2, 127: 8}
_HEADER_BYTES_MAX: Final = 14
_KEY: Final = re.compile(rb"[A-Za-z0-9+/]{22}==").fullmatch


def is_websocket(method: bytes, version: bytes, fields: Fields, facts: Facts) -> bool:
    """Whether a request asks for the one upgrade that is forwarded (RFC 6455 section 4.1, without a body)."""
    upgrade = facts.get(headers.UPGRADE)
    if upgrade is None or upgrade.strip(b" \t").lower() != b"websocket" or method != b"GET" or version != b"1":
        return False
    if facts.get(headers.CONTENT_LENGTH, b"0") != b"0" or headers.TRANSFER_ENCODING in facts:
        return False
    asked = {name.lower(): value.strip(b" \t") for name, value in fields}
    options = headers.connection_options(facts.get(headers.CONNECTION, b""))
    is_version = asked.get(b"sec-websocket-version") == b"13"
    return is_version and b"upgrade" in options and _KEY(asked.get(b"sec-websocket-key", b"")) is not None


def accepts_websocket(fields: Fields) -> bool:
    """Whether a 101 switches to what was asked for."""
    named = {name.lower(): value.strip(b" \t").lower() for name, value in fields}
    options = headers.connection_options(named.get(b"connection", b""))
    return named.get(b"upgrade") == b"websocket" and b"upgrade" in options and b"sec-websocket-accept" in named


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
