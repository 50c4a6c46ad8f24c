"""A body without its content encodings: gzip, deflate, br, zstd, in a copy, bounded in size and in ratio."""

from __future__ import annotations

import zlib
from collections.abc import Callable

import brotli
import zstandard

from shadow.json_model import BODY_BYTES_MAX, Unreadable

CODINGS_MAX = 3
RATIO_MAX = 200
FREE_BYTES = 1 << 20
"""Up to this size a body may be packed as tightly as it likes: a page of zeros is no bomb."""
WINDOW_BYTES_MAX = 8 << 20

_MALFORMED, _BOMB, _TOO_LARGE = (
    Unreadable("malformed_encoding"),
    Unreadable("compression_bomb"),
    Unreadable("too_large"),
)


def unpacked(body: bytes, encoding: str) -> bytes | Unreadable:
    """The body without its content codings, the last one first (RFC 9110, 8.4)."""
    if encoding == "identity":
        return body if len(body) <= BODY_BYTES_MAX else _TOO_LARGE
    codings = [
        coding for coding in (part.strip() for part in encoding.lower().split(",")) if coding not in ("", "identity")
    ]
    if len(codings) > CODINGS_MAX:
        return Unreadable("unknown_encoding")
    for coding in reversed(codings):
        open_one = _OPENERS.get(coding)
        if open_one is None:
            return Unreadable("unknown_encoding")
        opened = open_one(body, _most(body))
        if isinstance(opened, Unreadable):
            return opened
        body = opened
    return body if len(body) <= BODY_BYTES_MAX else _TOO_LARGE


def _most(body: bytes) -> int:
    return min(BODY_BYTES_MAX, max(FREE_BYTES, RATIO_MAX * len(body)))


def _over(bytes_max: int) -> Unreadable:
    return _TOO_LARGE if bytes_max >= BODY_BYTES_MAX else _BOMB


def _gzip(body: bytes, bytes_max: int) -> bytes | Unreadable:
    parts: list[bytes] = []
    left = bytes_max
    while body:
        inflater = zlib.decompressobj(zlib.MAX_WBITS | 16)
        try:
            parts.append(inflater.decompress(body, left + 1))
        except zlib.error:
            return _MALFORMED
        left -= len(parts[-1])
        if left < 0:
            return _over(bytes_max)
        if not inflater.eof:
            return _MALFORMED
        body = inflater.unused_data.lstrip(b"\0")  # members may follow each other, and padding (RFC 1952, 2.2)
    return b"".join(parts) if parts else _MALFORMED


def _deflate(body: bytes, bytes_max: int) -> bytes | Unreadable:
    for window in (zlib.MAX_WBITS, -zlib.MAX_WBITS):  # RFC 9110 means zlib's format, some servers send the bare one
        inflater = zlib.decompressobj(window)
        try:
            plain = inflater.decompress(body, bytes_max + 1)
        except zlib.error:
            continue
        if len(plain) > bytes_max:
            return _over(bytes_max)
        return plain if inflater.eof and not inflater.unused_data else _MALFORMED
    return _MALFORMED


def _brotli(body: bytes, bytes_max: int) -> bytes | Unreadable:
    decompressor, parts, size, data = brotli.Decompressor(), [], 0, body
    try:
        while not decompressor.is_finished():
            part = decompressor.process(data, output_buffer_limit=min(FREE_BYTES, bytes_max + 1))
            data = b""
            if not part:
                return _MALFORMED
            parts.append(part)
            size += len(part)
            if size > bytes_max:
                return _over(bytes_max)
    except brotli.error:
        return _MALFORMED
    return b"".join(parts)


def _zstd(body: bytes, bytes_max: int) -> bytes | Unreadable:
    decompressor = zstandard.ZstdDecompressor(max_window_size=WINDOW_BYTES_MAX)
    try:
        with decompressor.stream_reader(body, read_across_frames=True) as reader:
            plain = reader.read(bytes_max + 1)
    except zstandard.ZstdError:
        return _MALFORMED
    if len(plain) > bytes_max:
        return _over(bytes_max)
    return plain if _is_whole_zstd(body) else _MALFORMED


def _is_whole_zstd(body: bytes) -> bool:
    # A reader that meets the end of the input in the middle of a frame says nothing.
    while body:
        frame = zstandard.ZstdDecompressor(max_window_size=WINDOW_BYTES_MAX).decompressobj()
        try:
            frame.decompress(body)
        except zstandard.ZstdError:
            return False
        if not frame.eof:
            return False
        body = frame.unused_data
    return True


_OPENERS: dict[str, Callable[[bytes, int], bytes | Unreadable]] = {
    "gzip": _gzip, "x-gzip": _gzip, "deflate": _deflate, "br": _brotli, "zstd": _zstd,
}  # fmt: skip
