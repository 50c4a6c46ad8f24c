"""Heads that came before, byte for byte: what was read out of them once need not be read again.

Most requests of a client's connection differ in nothing but their request line, and many answers of one second differ
in nothing but their body. llhttp and our own rules have judged those bytes already and would judge them the same, so a
repetition skips both (about 9 of 20 us a request). Only plain heads are kept: one without a body to frame, an upgrade
or an expectation; an answer of known length on a connection that stays open. All others go the whole way every time.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from gateway.wire import headers

if TYPE_CHECKING:
    from gateway.wire.answer import Head
    from gateway.wire.headers import Facts, Fields
    from gateway.wire.request import Request

HEAD_BYTES_MAX: Final = 2048
ANSWERS_MAX: Final = 256
ONCE_MAX: Final = 4096
_UNPLAIN: Final = (headers.CONTENT_LENGTH, headers.TRANSFER_ENCODING, headers.EXPECT, headers.MAX_FORWARDS,
                   headers.UPGRADE)  # fmt: skip
_WITHOUT_BODY: Final = frozenset({204, 304})
_PERSONAL: Final = (b"set-cookie", b"transfer-encoding", b"upgrade")


class SeenRequest:
    """The last plain request of one client connection: its bytes around the target, and what was in them."""

    __slots__ = ("facts", "fields", "lines", "method", "prefix", "suffix", "tail")

    def __init__(self, request: Request, block: bytes, tail: bytes) -> None:
        self.method = request.method
        self.prefix = request.method + b" "
        self.suffix = b" HTTP/1.1\r\n" + block
        self.fields: Fields = request.fields
        self.facts: Facts = request.facts
        self.lines = request.lines  # of all of them only the first, the request line, is another one's
        self.tail = tail


class SeenRequests:
    """What is kept for one client connection: the head that came last, once it has come twice in a row."""

    __slots__ = ("_block", "last")

    def __init__(self) -> None:
        self._block = b""
        self.last: SeenRequest | None = None

    def note(self, request: Request, block: bytes) -> None:
        """A request without a body was dispatched; `block` is its head without the request line."""
        is_repeated = block == self._block
        self._block = block if len(block) <= HEAD_BYTES_MAX else b""
        self.last = SeenRequest(request, block, request.tail) if is_repeated and _is_plain(request) else None


def _is_plain(request: Request) -> bool:
    if request.version != b"1" or not request.keep_alive or not request.tail:
        return False
    return not any(fact in request.facts for fact in _UNPLAIN)


class SeenAnswer:
    """A plain head of an answer. `head` is how a client of HTTP/1.1 gets it, written when it is first asked for."""

    __slots__ = ("fields", "head", "length", "reason", "status")

    def __init__(self, status: int, reason: bytes | None, fields: Fields, length: int) -> None:
        self.status = status
        self.reason = reason
        self.fields = fields
        self.length = length
        self.head: Head | None = None


class SeenAnswers:
    """Plain heads of answers by their bytes; when there are too many of them, all are forgotten."""

    __slots__ = ("_known", "_once", "get")

    def __init__(self) -> None:
        self._known: dict[bytes, SeenAnswer] = {}
        self._once: set[int] = set()
        self.get = self._known.get

    def note(self, data: bytes, status: int, reason: bytes | None, fields: Fields) -> None:
        """The head of an answer that was complete: when it comes for the second time, it is kept."""
        which = hash(data)
        if which in self._once:
            self._keep(data, status, reason, fields)
            return
        if len(self._once) >= ONCE_MAX:
            self._once.clear()
        self._once.add(which)

    def _keep(self, data: bytes, status: int, reason: bytes | None, fields: Fields) -> None:
        if status in _WITHOUT_BODY or len(data) > HEAD_BYTES_MAX:
            return
        named = {name.lower(): value for name, value in fields}
        length = named.get(b"content-length", b"")
        if not length.isdigit() or b"date" not in named or any(name in named for name in _PERSONAL):
            return
        if len(self._known) >= ANSWERS_MAX:
            self._known.clear()
        self._known[data] = SeenAnswer(status, reason, fields, int(length))
