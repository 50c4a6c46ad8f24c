"""The upstream's side of an exchange: one connection, its parser, and what makes an answer unacceptable."""

from __future__ import annotations

import asyncio
import re
from fcntl import ioctl
from termios import FIONREAD
from time import monotonic
from typing import TYPE_CHECKING, Final

import httptools

from gateway.caller import Caller, TunnelEnd
from gateway.limits import Limits
from gateway.wire.answer import AnswerInvalid
from gateway.wire.seen_heads import SeenAnswer, SeenAnswers

if TYPE_CHECKING:
    from gateway.pool import Pool

STATUS: Final = re.compile(rb"HTTP/1\.[01] ([1-9][0-9]{2})(?: ([^\r\n\0]*))?\r\n").match
_LIMITS: Final = Limits()
_NOTHING: Final = bytes(4)
ANSWERS: Final = SeenAnswers()
SWITCHING, FINAL = 101, 200
Fields = list[tuple[bytes, bytes]]


class UpstreamConnection(asyncio.Protocol):
    """A connection that serves one exchange after the other.

    It goes back to its pool only after an answer that ended where its framing says, with nothing after it, to a request
    that was sent completely. Everything else closes it.
    """

    __slots__ = ("_bodiless", "_dirty", "_done", "_handle", "_head", "_head_only", "_interim", "_is_interim",
                 "_is_paused", "_parser", "_partial", "_sink", "caller", "fields", "idle_since", "is_answering",
                 "keep_alive", "pool", "reason", "request_complete", "seen", "status", "trailers", "transport",
                 "tunnel")  # fmt: skip

    def __init__(self, pool: Pool) -> None:
        self.pool = pool
        self.caller: Caller | None = None
        self.transport: asyncio.Transport
        self.idle_since = 0.0
        self.tunnel: TunnelEnd | None = None
        self.fields: Fields = []
        self.trailers: Fields = []
        self.status = 0
        self.reason: bytes | None = None
        self.keep_alive = self.request_complete = self.is_answering = False
        self._parser = httptools.HttpResponseParser(self)
        self._partial = self._head = b""
        self._sink = self.fields
        self.seen: SeenAnswer | None = None
        self._interim = self._bodiless = 0
        self._done = self._dirty = self._head_only = self._is_interim = self._is_paused = False

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """The connection is open."""
        self.transport = transport  # type: ignore[assignment]  # uvloop's transport is a full one
        self._handle = transport.get_extra_info("socket").fileno()

    @property
    def is_quiet(self) -> bool:
        """Whether nothing waits to be read: what came before a request was sent is no answer to it (0.4 us)."""
        return ioctl(self._handle, FIONREAD, _NOTHING) == _NOTHING

    def start(self, caller: Caller, head: bytes, *, is_head: bool) -> None:
        """Send a request's head; its answer will be told to `caller`."""
        self.caller = caller
        self.fields = self._sink = []
        self.trailers = []
        self.is_answering = self.request_complete = self._done = self._dirty = False
        self._head_only = is_head
        self._interim = self._bodiless = 0
        self.seen = None
        self._partial = b""
        self.transport.write(head)

    def data_received(self, data: bytes) -> None:
        """Bytes of an answer. On an idle connection they belong to nobody: close it."""
        if self.tunnel is not None:
            self.tunnel.from_upstream(data)
            return
        if self.caller is None:
            self.pool.retire(self)
            self.close()
            return
        if not self.is_answering:
            if self._partial:
                data = self._partial + data
            end = data.find(b"\r\n\r\n")
            head = data[: end + 4]
            seen = ANSWERS.get(head)
            if seen is not None and len(data) == end + 4 + seen.length and not self._head_only:
                self._answer_again(self.caller, seen, data[end + 4 :])
                return
            if end < 0 or end > _LIMITS.header_bytes_max:
                self._await_head(data)
                return
            self._partial = b""
            self._head = head if seen is None else b""
            found = STATUS(data)
            if found is None:
                self._fail("upstream_invalid")
                return
            status, self.reason = found.groups()
            self.status = int(status)
            if self.status < FINAL:
                self._receive_interim(self.caller, data, end + 4)
                return
            self.is_answering = True
        self._feed(data)

    def _feed(self, data: bytes) -> None:
        try:
            self._parser.feed_data(data)
        except httptools.HttpParserUpgrade:
            self._dirty = True
        except httptools.HttpParserError as error:
            if isinstance(error, httptools.HttpParserCallbackError) and not isinstance(
                error.__context__, AnswerInvalid
            ):
                self._fail("internal")
                raise
            self._dirty = True
            if not self._done:
                self._fail("upstream_invalid")
                return
        if self._done and not self.trailers:
            self._finish()
        else:
            self._go_on(len(data))

    def _go_on(self, count: int) -> None:
        """The answer goes on, or ends with trailers. What is not body is bounded: trailers, and sizes of chunks."""
        self._bodiless = 0 if self._bodiless < 0 else self._bodiless + count
        trailer_bytes = sum(len(name) + len(value) for name, value in self.trailers)
        is_too_much = max(self._bodiless, trailer_bytes) > _LIMITS.header_bytes_max
        if is_too_much or len(self.trailers) > _LIMITS.header_count_max:
            self._fail("upstream_invalid")
        elif self._done:
            self._finish()
        elif self.caller is not None:
            self.caller.answer_so_far()

    def _answer_again(self, caller: Caller, seen: SeenAnswer, body: bytes) -> None:
        """A complete answer under a head that came before: nothing is parsed."""
        self._partial = self._head = b""
        self.is_answering = self.keep_alive = True
        self.status, self.reason, self.fields, self.seen = seen.status, seen.reason, seen.fields, seen
        try:
            caller.answer_head(self)
        except AnswerInvalid:
            self._fail("upstream_invalid")
            return
        if body:
            caller.answer_body(body)
        self._finish()

    def _await_head(self, data: bytes) -> None:
        """The head is not complete; it may not be malformed or without end."""
        if len(data) > _LIMITS.header_bytes_max or data[:7] != b"HTTP/1."[: len(data)]:
            self._fail("upstream_invalid")
        else:
            self._partial = data

    def _receive_interim(self, caller: Caller, data: bytes, end: int) -> None:
        """A 1xx answer: tell it, then read on. 101 ends HTTP on this connection, if it was asked for."""
        self._interim += 1
        self._is_interim = True
        try:
            self._parser.feed_data(data[:end])
        except httptools.HttpParserUpgrade:
            pass
        except httptools.HttpParserError:
            if self.status != SWITCHING:
                self._fail("upstream_invalid")
                return
        self._is_interim = False
        rest = data[end:]
        if self.status == SWITCHING:
            if not caller.answer_switched(self, rest):
                self._fail("upstream_invalid")
            return
        if self._interim > _LIMITS.interim_answers_max:
            self._fail("upstream_invalid")
            return
        caller.answer_interim(self)
        self.fields = self._sink = []
        if rest:
            self.data_received(rest)

    def on_message_begin(self) -> None:
        """llhttp: a byte of an answer. After the end of one it belongs to nobody."""
        if self._done:
            self._dirty = True
            self._sink = []  # and its fields are nobody's trailers

    def on_header(self, name: bytes, value: bytes) -> None:
        """llhttp: a field of the head, or of the trailer section once the body has begun."""
        self._sink.append((name, value))

    def on_headers_complete(self) -> None:
        """llhttp: the head is complete. An answer to HEAD has no body whatever its fields say."""
        if self._is_interim:
            return
        if self._done or self.caller is None:
            self._dirty = True
            return
        self.keep_alive = self._parser.should_keep_alive()
        self.caller.answer_head(self)
        self._sink = self.trailers
        if self._head_only:
            self._done = True

    def on_body(self, data: bytes) -> None:
        """llhttp: a piece of the body, without its framing."""
        if self._done or self.caller is None:
            self._dirty = True
        else:
            self._bodiless = -1  # this read has brought a piece of the body
            self.caller.answer_body(data)

    def on_message_complete(self) -> None:
        """llhttp: the answer ends here."""
        if not self._is_interim:
            self._done = True

    def _finish(self) -> None:
        """Give the connection back before the caller hears of the end: its next request may be waiting."""
        caller, self.caller = self.caller, None
        self.pool.breaker.answered(self.status)
        if self._head and self.keep_alive and not self._dirty:
            ANSWERS.note(self._head, self.status, self.reason, self.fields)
        if self._head_only:
            self._parser = httptools.HttpResponseParser(self)
        self.resume()
        if self._dirty or not self.request_complete or not self.keep_alive or self.transport.is_closing():
            self.close()
        else:
            self.pool.release(self)
        if caller is not None:
            caller.answer_end(self)

    @property
    def _has_answered(self) -> bool:
        """Whether a byte of an answer came."""
        return self.is_answering or self._interim > 0 or bool(self._partial)

    def _fail(self, reason: str) -> None:
        caller, self.caller = self.caller, None
        self.pool.breaker.failed(monotonic())
        self.transport.abort()
        if caller is not None:
            caller.answer_failed(reason, answered=self._has_answered)

    def drop(self) -> None:
        """The caller has no more interest in the answer: what comes is not told, and the connection ends."""
        self.caller = None
        self.pool.breaker.abandoned()
        self.transport.abort()

    def close(self) -> None:
        """Close after what was written; nothing more is told to anybody."""
        self.caller = None
        self.transport.close()

    def eof_received(self) -> bool:
        """The upstream has sent everything. An idle connection is not handed out any more from here on."""
        if self.tunnel is not None:
            return self.tunnel.upstream_ended()
        if self.caller is None:
            self.pool.retire(self)
        return False

    def connection_lost(self, error: Exception | None) -> None:
        """A clean end completes an answer that is delimited by the close; anything else is a broken answer."""
        self.pool.lost(self)
        if self.tunnel is not None:
            self.tunnel.lost()
            return
        caller, self.caller = self.caller, None
        if caller is None:
            return
        if error is None and self.is_answering and self._is_close_delimited():
            self.pool.breaker.answered(self.status)
            caller.answer_end(self)
            return
        self.pool.breaker.failed(monotonic())
        caller.answer_failed("upstream_closed", answered=self._has_answered)

    def _is_close_delimited(self) -> bool:
        return not any(name.lower() in (b"content-length", b"transfer-encoding") for name, _ in self.fields)

    def pause(self) -> None:
        """Read no more: whoever takes the answer is slow."""
        if not self._is_paused:
            self._is_paused = True
            self.transport.pause_reading()

    def resume(self) -> None:
        """Read again."""
        if self._is_paused:
            self._is_paused = False
            self.transport.resume_reading()

    def pause_writing(self) -> None:
        """The upstream reads too slowly."""
        if self.tunnel is not None:
            self.tunnel.upstream_blocked(is_blocked=True)
        elif self.caller is not None:
            self.caller.upstream_blocked(is_blocked=True)

    def resume_writing(self) -> None:
        """The upstream reads again."""
        if self.tunnel is not None:
            self.tunnel.upstream_blocked(is_blocked=False)
        elif self.caller is not None:
            self.caller.upstream_blocked(is_blocked=False)
