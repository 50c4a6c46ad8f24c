"""The client's side of a connection: parse, limits, timeouts, backpressure; one exchange after the other.

The parser is fed one message at a time. A head is fed when it is complete, a body up to its end; what follows waits in
`_rest` with reading paused, so pipelining is bounded by one read and a request never starts before the one in front
of it has been answered. (Whole heads also spare the callbacks for URL, message and head: about 0.5 us a request.)
"""

from __future__ import annotations

import asyncio
from time import monotonic
from typing import TYPE_CHECKING, Final

import httptools
import structlog

from gateway.carriage import Block
from gateway.tls import who_is_at
from gateway.wire import problems, strict
from gateway.wire.chunks import TERMINATOR, ChunkGauge, RequestInvalid
from gateway.wire.headers import Fields
from gateway.wire.identity import Peer
from gateway.wire.reset import reset
from gateway.wire.seen_heads import SeenRequests

if TYPE_CHECKING:
    from gateway.exchange import Exchange
    from gateway.tunnel import Tunnel
    from gateway.worker import Worker

log = structlog.get_logger()
OPEN, LINGERING, TUNNELLED, CLOSED = range(4)
_EMPTY_LINES_MAX: Final = 4
EVERY_BLOCK: Final = Block.PIPELINED | Block.UPSTREAM | Block.WAITING


class Downstream(asyncio.Protocol):
    """One client connection."""

    __slots__ = ("_chunks", "_complete", "_empty_lines", "_fields", "_in_head", "_is_half_closed", "_mode",
                 "_parser", "_rest", "_seen", "blocks", "deadline", "exchange", "host", "is_write_blocked", "peer",
                 "transport", "tunnel", "worker")  # fmt: skip

    def __init__(self, worker: Worker) -> None:
        self.worker = worker
        self.transport: asyncio.Transport
        self.peer: Peer
        self.host = ""
        self.exchange: Exchange | None = None
        self.tunnel: Tunnel | None = None
        self.deadline = monotonic() + worker.limits.header_seconds
        self._parser = httptools.HttpRequestParser(self)
        self._fields: Fields = []
        self._rest = b""
        self._seen = SeenRequests()
        self._chunks = ChunkGauge(worker.limits.framing_bytes_max)
        self.blocks = self._empty_lines = 0
        self._mode = OPEN
        self._in_head = self._complete = self._is_half_closed = self.is_write_blocked = False

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """A client has connected."""
        self.transport = transport  # type: ignore[assignment]  # uvloop's transport is a full one
        self.host, self.peer = who_is_at(transport, self.worker.trusted_proxies)
        if not self.worker.admit(self):
            self._mode = CLOSED
            self.transport.abort()

    def data_received(self, data: bytes) -> None:
        """Of the body under way, of the next head, or to be kept for later."""
        if self._mode:  # a lingering connection reads and forgets, so that the client gets the answer and not a reset
            if self.tunnel is not None:
                self.tunnel.from_client(data)
            return
        exchange = self.exchange
        if exchange is None:
            self._begin(self._rest + data if self._rest else data, len(self._rest))
        elif exchange.body_done:
            self._rest += data
            self.block(Block.PIPELINED)
        else:
            self._receive_body(exchange, data)

    def _begin(self, data: bytes, old: int = 0) -> None:
        """A complete head begins an exchange; an incomplete one is kept. `old` bytes of it have been looked at."""
        seen = self._seen.last
        if seen is not None and data.endswith(seen.suffix) and data.startswith(seen.prefix):
            target = data[len(seen.prefix) : -len(seen.suffix)]
            if strict.SIMPLE_TARGET(target):
                self._rest = b""
                self._empty_lines = 0
                exchange = self.exchange = self.worker.exchange(self, (seen.method, target, b"1"), seen.fields)
                exchange.body_done = True
                exchange.begin(seen)
                return
        self._begin_anew(data, old)

    def _begin_anew(self, data: bytes, old: int) -> None:
        """A head that is not the one before it with another target."""
        end = data.find(TERMINATOR, old - 3 if old > 3 else 0)
        limits = self.worker.limits
        found = strict.START(data) if end >= 0 else None
        if found is None or end > limits.header_bytes_max:
            self._await_head(data, old)
            return
        end += 4
        has_rest = len(data) > end
        self._rest = b""
        self._empty_lines = 0
        fields: Fields = []
        self._fields = fields
        if problem := self._parse(data[:end] if has_rest else data):
            self.refuse(problem)
            return
        exchange = self.exchange = self.worker.exchange(self, (found[1], found[2], found[3]), fields)
        exchange.body_done = self._complete
        exchange.begin()
        if not exchange.body_done:
            self._chunks = ChunkGauge(limits.framing_bytes_max)
        else:
            self._seen.note(exchange, data[found.end() : end])
        if has_rest and self.exchange is None and self._mode == OPEN:
            self._rest = data[end:]  # answered already: the next one begins from the loop, not one level deeper
            asyncio.get_running_loop().call_soon(self._proceed)
        elif has_rest:
            self.data_received(data[end:])

    def _parse(self, head: bytes) -> str | None:
        """Feed a head; the reason to refuse it, or None."""
        self._complete = False
        self._in_head = True
        try:
            self._parser.feed_data(head)
        except httptools.HttpParserUpgrade:
            # For httptools HTTP ends at an Upgrade, even with a body. Here it does not, so the parser must not see one.
            self._parser, self._fields = httptools.HttpRequestParser(self), []
            bare = strict.without_upgrade(head)
            return self._parse(bare) if len(bare) < len(head) else "method_refused"
        except httptools.HttpParserError as error:
            return "method_refused" if isinstance(error, httptools.HttpParserInvalidMethodError) else "malformed"
        self._in_head = False
        return None

    def _await_head(self, data: bytes, old: int) -> None:
        """The head is incomplete, or something is wrong with it. Only what is new is looked at: time stays linear."""
        stripped = data
        while stripped[:2] == b"\r\n" and self._empty_lines < _EMPTY_LINES_MAX:
            stripped = stripped[2:]
            self._empty_lines += 1
        if len(stripped) < len(data) and stripped and stripped[:1] != b"\r":
            self._begin(stripped)
            return
        limits = self.worker.limits
        new = max(old - 1, 0) if stripped is data else 0
        if problem := strict.unfinished_problem(stripped, new, limits):
            self.refuse(problem)
            return
        if stripped and not self._rest:  # an empty line is no reason to wait longer
            self.deadline = monotonic() + limits.header_seconds
        self._rest = stripped

    def _receive_body(self, exchange: Exchange, data: bytes) -> None:
        """Feed the body up to its end; keep what follows."""
        try:
            if exchange.body_left is not None:
                left = exchange.body_left
                exchange.body_left = left - len(data)
                self._parser.feed_data(data[:left] if len(data) > left else data)
                data = data[left:] if len(data) > left else b""
            else:
                data = self._receive_chunks(exchange, data)
        except (httptools.HttpParserError, RequestInvalid) as error:
            is_ours = isinstance(error, httptools.HttpParserCallbackError)
            if is_ours and not isinstance(error.__context__, RequestInvalid):
                raise
            exchange.client_broke("malformed")
            return
        if data:
            self.data_received(data)

    def _receive_chunks(self, exchange: Exchange, data: bytes) -> bytes:
        """Feed pieces that end where a chunked body may end; returns what follows the body."""
        position = 0
        while position < len(data) and not exchange.body_done:
            stop = self._chunks.piece_end(data, position)
            self._parser.feed_data(data[position:stop])
            position = stop
            if self.exchange is not exchange or self._mode:
                return b""
        self._chunks.check(exchange.body_bytes)
        return data[position:]

    def on_header(self, name: bytes, value: bytes) -> None:
        """llhttp: a field of the head, or a trailer."""
        if self._in_head:
            self._fields.append((name, value))
        elif self.exchange is not None:
            self.exchange.add_trailer(name, value)

    def on_body(self, data: bytes) -> None:
        """llhttp: a piece of the body."""
        if self.exchange is not None:
            self.exchange.body(data)

    def on_message_complete(self) -> None:
        """llhttp: the request ends here."""
        if self._in_head:
            self._complete = True
        elif self.exchange is not None:
            if self.exchange.is_chunked:
                self._chunks.check(self.exchange.body_bytes)
            self.exchange.body_end()

    def refuse(self, reason: str) -> None:
        """Answer a request that never became an exchange, and close."""
        self.worker.metrics.problems[reason] += 1
        self.close_after(problems.render(problems.PROBLEMS[reason]))

    def close_after(self, data: bytes) -> None:
        """Write, then close; what the client still sends is read and forgotten for a moment first (RFC 9112, 9.6)."""
        self.exchange = None
        self._rest = b""
        self.transport.write(data)
        self._mode = LINGERING
        self.unblock(EVERY_BLOCK)
        self.deadline = monotonic() + self.worker.limits.linger_seconds
        if self._is_half_closed or not self.transport.can_write_eof():
            self.transport.close()
        else:
            self.transport.write_eof()

    def exchange_ended(self, now: float, *, keep_alive: bool) -> None:
        """The answer is complete: go on with the next request, or close."""
        self.exchange = None
        self.deadline = now + self.worker.limits.keep_alive_seconds  # also to take what is still on its way
        if not keep_alive or self._is_half_closed:
            self._mode = CLOSED
            self.transport.close()
            return
        if self._rest or self.blocks:
            asyncio.get_running_loop().call_soon(self._proceed)

    def _proceed(self) -> None:
        """Begin with what was kept, as soon as the answers before it have been taken."""
        if self._mode or self.exchange is not None or self.is_write_blocked:
            return
        rest, self._rest = self._rest, b""
        self.unblock(EVERY_BLOCK)
        if rest:
            self.data_received(rest)

    def break_off(self, *, must_reset: bool) -> None:
        """End the connection so that the client sees that the answer is not complete."""
        self.exchange = None
        self._mode = CLOSED
        if must_reset:
            reset(self.transport)
        else:
            self.transport.close()

    def take_over(self, tunnel: Tunnel) -> None:
        """From now on bytes pass through the tunnel, first those that came early."""
        self.tunnel = tunnel
        self.exchange = None
        self._mode = TUNNELLED
        self.deadline = monotonic() + self.worker.limits.tunnel_idle_seconds
        rest, self._rest = self._rest, b""
        if rest:
            tunnel.from_client(rest)
        self.unblock(EVERY_BLOCK)

    def block(self, why: int) -> None:
        """Stop reading for that reason."""
        if not self.blocks:
            self.transport.pause_reading()
        self.blocks |= why

    def unblock(self, why: int) -> None:
        """Read again, if there is no other reason not to."""
        if self.blocks & why:
            self.blocks &= ~why
            if not self.blocks and not self.transport.is_closing():
                self.transport.resume_reading()

    def pause_writing(self) -> None:
        """The client reads too slowly."""
        self._tell_blocked(is_blocked=True)

    def resume_writing(self) -> None:
        """The client reads again."""
        self._tell_blocked(is_blocked=False)
        self._proceed()

    def _tell_blocked(self, *, is_blocked: bool) -> None:
        self.is_write_blocked = is_blocked
        sender = self.tunnel or self.exchange
        if sender is not None:
            sender.client_blocked(is_blocked=is_blocked)

    def eof_received(self) -> bool:
        """The client sends no more; a request that is complete is still answered."""
        self._is_half_closed = True
        if self.tunnel is not None:
            return self.tunnel.client_ended()
        if self.exchange is None or self._mode:
            return False
        return self.exchange.client_ended()

    def connection_lost(self, error: Exception | None) -> None:  # noqa: ARG002 - asyncio calls it
        """The client is gone."""
        self._mode = CLOSED
        self.worker.dismiss(self)
        if self.tunnel is not None:
            self.tunnel.lost()
        exchange, self.exchange = self.exchange, None
        if exchange is not None:
            exchange.client_gone()

    def sweep(self, now: float) -> None:
        """Cut off what takes too long."""
        if self.exchange is not None:
            self.exchange.sweep(now)
        elif self.tunnel is not None and self.tunnel.moved and now < self.tunnel.until:
            self.tunnel.moved = False
            self.deadline = min(now + self.worker.limits.tunnel_idle_seconds, self.tunnel.until)
        elif self.deadline < now:
            self._expire(now)

    def _expire(self, now: float) -> None:
        """Close; who has not even taken that by the next time is cut off."""
        if self.transport.is_closing() or self._mode == LINGERING:
            self.transport.abort()
            return
        self.deadline = now + self.worker.limits.linger_seconds
        if self.tunnel is not None:
            self.tunnel.go_away()
            self.tunnel.lost()
        elif self._rest:
            self.refuse("client_too_slow")
        else:
            self.transport.close()

    def drain(self) -> None:
        """The worker ends: an idle connection is closed, a running exchange is the last one."""
        if self.tunnel is not None:
            self.tunnel.go_away()
        elif self.exchange is None and not self._rest:
            self.transport.close()
