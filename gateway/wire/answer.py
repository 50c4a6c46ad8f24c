"""Pure: the head of the answer that a client gets, and how its body is framed."""

from __future__ import annotations

from email.utils import formatdate
from functools import lru_cache
from time import monotonic
from typing import Final

from gateway.wire import headers
from gateway.wire.headers import ANSWER, Facts, Fields
from gateway.wire.seen_heads import SeenAnswer

LENGTH, CHUNKED, CLOSE, NONE = range(4)
NO_CONTENT, NOT_MODIFIED = 204, 304
RESET_CONTENT: Final = 205  # it has no content, whatever the upstream sends (RFC 9110 section 15.3.6)
_CHUNKED_LINE: Final = b"Transfer-Encoding: chunked"


class AnswerInvalid(Exception):
    """The answer cannot be passed on."""


class Head:
    """An answer's head and what follows from it for the connection."""

    __slots__ = ("data", "framing", "keep_alive")

    def __init__(self, data: bytes, framing: int, *, keep_alive: bool) -> None:
        self.data = data
        self.framing = framing
        self.keep_alive = keep_alive


def start_line(status: int, reason: bytes | None) -> bytes:
    """The status line; the space before an empty reason stays."""
    return b"HTTP/1.1 %d %b" % (status, reason or b"")


def head_of(status: int, reason: bytes | None, fields: Fields, request: tuple[bytes, bytes, bool]) -> Head:
    """The head for a client that sent `request`: its method, minor version and whether it keeps the connection.

    Raises AnswerInvalid.
    """
    method, version, keep_alive = request
    lines = [start_line(status, reason)]
    facts, twice = headers.read(fields, ANSWER, lines)
    coding = facts.get(headers.TRANSFER_ENCODING)
    if twice or (coding is not None and coding.strip(b" \t").lower() != b"chunked"):
        raise AnswerInvalid
    framing = _frame(lines, facts, status, method)
    if version == b"0" and framing == CHUNKED:
        headers.replace(lines, b"transfer-encoding", None)
        framing, keep_alive = CLOSE, False
    if headers.DATE not in facts:
        lines.append(_date_line(int(monotonic())))
    if not keep_alive:
        lines.append(b"Connection: close\r\n\r\n")
    elif version == b"0":
        lines.append(b"Connection: keep-alive\r\n\r\n")
    else:
        lines.append(b"\r\n")
    return Head(b"\r\n".join(lines), framing, keep_alive=keep_alive)


def head_again(seen: SeenAnswer, request: tuple[bytes, bytes, bool]) -> Head:
    """`head_of` for a plain head that came before; the usual client's is written once. Raises AnswerInvalid."""
    _, version, keep_alive = request
    if version != b"1" or not keep_alive:
        return head_of(seen.status, seen.reason, seen.fields, request)
    if seen.head is None:
        seen.head = head_of(seen.status, seen.reason, seen.fields, request)
    return seen.head


def _frame(lines: list[bytes], facts: Facts, status: int, method: bytes) -> int:
    """How the body is framed; the lines say so afterwards."""
    coding = facts.get(headers.TRANSFER_ENCODING)
    if status in (NO_CONTENT, RESET_CONTENT):
        headers.replace(lines, b"content-length", None)
        headers.replace(lines, b"transfer-encoding", None)
        if status == RESET_CONTENT:
            lines.append(b"Content-Length: 0")
        return NONE
    if coding is not None and coding != b"chunked":  # in capitals
        headers.replace(lines, b"transfer-encoding", b"chunked")
    if method == b"HEAD" or status == NOT_MODIFIED:
        return NONE
    if coding is not None:
        return CHUNKED
    if headers.CONTENT_LENGTH in facts:
        return LENGTH
    lines.append(_CHUNKED_LINE)
    return CHUNKED


def interim_head(status: int, reason: bytes | None, fields: Fields) -> bytes:
    """The head of a 1xx answer; it has no framing fields."""
    lines = [start_line(status, reason)]
    headers.read(fields, ANSWER, lines)
    for name in (b"content-length", b"transfer-encoding"):
        headers.replace(lines, name, None)
    return b"\r\n".join(lines) + b"\r\n\r\n"


def switching_head(reason: bytes | None, fields: Fields) -> bytes:
    """The head of 101 to a WebSocket: Connection and Upgrade are written anew."""
    lines = [start_line(101, reason)]
    headers.read(fields, ANSWER, lines)
    return b"\r\n".join((*lines, b"Connection: Upgrade", b"Upgrade: websocket")) + b"\r\n\r\n"


@lru_cache(maxsize=4)
def _date_line(_second: int) -> bytes:
    """For an upstream that sends no Date (RFC 9110 section 6.6.1); written once a second."""
    return b"Date: " + formatdate(usegmt=True).encode()
