"""One request that the mirror sends by itself, and the whole answer to it, bounded."""

from __future__ import annotations

from collections.abc import Callable
from time import monotonic
from typing import TYPE_CHECKING

from gateway.mirroring.witness import Witnessed
from gateway.upstream import UpstreamConnection
from gateway.wire.headers import Fields

if TYPE_CHECKING:
    from gateway.pool import Pool
    from shadow.observation import Side

Done = Callable[["Call"], None]
Message = tuple[bytes, bytes]


class Call:
    """Ends exactly once, by calling `done`: `problem` is None, or the reason why there is no answer."""

    __slots__ = ("_connection", "_done", "_live", "_message", "_parts", "_pool", "_seconds_max", "_started",
                 "body_bytes", "body_max", "fields", "problem", "seconds", "status")  # fmt: skip

    def __init__(self, live: set[Call], pool: Pool, message: Message, bounds: tuple[int, float], done: Done) -> None:
        """`live` holds it until it has ended; `bounds` are the bytes of the answer's body and the seconds, at most."""
        live.add(self)
        self._live = live
        self._pool = pool
        self._message = message
        self._connection: UpstreamConnection | None = None
        self._done: Done | None = done
        self._started = monotonic()
        self.body_max, self._seconds_max = bounds
        self.body_bytes = 0
        self.problem: str | None = None
        self.status = 0
        self.fields: Fields = []
        self._parts: list[bytes] = []
        self.seconds = 0.0

    def start(self) -> None:
        """Ask for a connection and send."""
        connection = self._pool.acquire(self)
        if connection is not None:
            self.connected(connection, reused=True)

    def connected(self, connection: UpstreamConnection, *, reused: bool) -> None:  # noqa: ARG002 - as a waiter gets it
        """Send everything at once; a mirrored request is complete before it is sent."""
        self._connection = connection
        head, body = self._message
        connection.start(self, head + body, is_head=head[:5] == b"HEAD ")
        connection.request_complete = True

    def not_connected(self, reason: str) -> None:
        """There is no connection."""
        self._end(reason)

    def answer_interim(self, connection: UpstreamConnection) -> None:
        """Of no interest."""

    def answer_switched(self, connection: UpstreamConnection, rest: bytes) -> bool:  # noqa: ARG002
        """Never asked for."""
        return False

    def answer_head(self, connection: UpstreamConnection) -> None:
        """Keep it."""
        self.status = connection.status
        self.fields = connection.fields

    def answer_body(self, data: bytes) -> None:
        """Keep it, up to the bound."""
        self.body_bytes += len(data)
        if self.body_bytes <= self.body_max:
            self._parts.append(data)

    def answer_so_far(self) -> None:
        """Past the bound the rest is of no interest."""
        if self.body_bytes > self.body_max:
            self._leave()
            self._end("body_too_large")

    def answer_end(self, connection: UpstreamConnection) -> None:  # noqa: ARG002
        """The answer is complete."""
        self._connection = None
        self.seconds = monotonic() - self._started
        self._end("body_too_large" if self.body_bytes > self.body_max else None)

    def witnessed(self, side: Side) -> Witnessed:
        """The answer, after the end."""
        parts = self._parts
        body = parts[0] if len(parts) == 1 else b"".join(parts)
        return Witnessed(self.status, self.fields, body, self.seconds, side)

    def answer_failed(self, reason: str, *, answered: bool) -> None:  # noqa: ARG002
        """There is no answer."""
        self._connection = None
        self._end(reason)

    def upstream_blocked(self, *, is_blocked: bool) -> None:
        """The body is bounded and in memory anyway."""

    def sweep(self, now: float) -> None:
        """End it when its time is over."""
        if now - self._started > min(self._seconds_max, self._pool.timeout) and self._done is not None:
            if self._connection is not None:
                self._pool.breaker.failed(now)
            self._leave()
            self._end("upstream_timeout")

    def cancel(self) -> None:
        """Nobody wants the answer any more; `done` is not called."""
        self._live.discard(self)
        self._done = None
        self._leave()

    def _leave(self) -> None:
        if self._connection is not None:
            self._connection.drop()
            self._connection = None
        else:
            self._pool.forget(self)

    def _end(self, problem: str | None) -> None:
        self._live.discard(self)
        done, self._done = self._done, None
        self.problem = problem
        if done is not None:
            done(self)
