"""An upgraded connection: bytes pass both ways untouched, with backpressure and half-close."""

from __future__ import annotations

from time import monotonic
from typing import TYPE_CHECKING

from gateway.wire.websocket import Frames, going_away

if TYPE_CHECKING:
    from gateway.downstream import Downstream
    from gateway.upstream import UpstreamConnection


class Tunnel:
    """Joins the two connections until both directions have ended, or one connection is lost, or nothing moves."""

    __slots__ = ("_client_ended", "_client_frames", "_downstream", "_upstream", "_upstream_ended", "_upstream_frames",
                 "moved", "until")  # fmt: skip

    def __init__(self, downstream: Downstream, upstream: UpstreamConnection) -> None:
        self._downstream = downstream
        self._upstream = upstream
        self._client_ended = self._upstream_ended = False
        self._client_frames, self._upstream_frames = Frames(), Frames()
        self.moved = True
        self.until = monotonic() + downstream.worker.limits.tunnel_seconds

    def from_client(self, data: bytes) -> None:
        """Bytes for the upstream."""
        self.moved = True
        if not self._client_ended:
            self._client_frames.feed(data)
            self._upstream.transport.write(data)

    def from_upstream(self, data: bytes) -> None:
        """Bytes for the client."""
        self.moved = True
        if not self._upstream_ended:
            self._upstream_frames.feed(data)
            self._downstream.transport.write(data)

    def go_away(self) -> None:
        """Say 1001 to both sides, each as soon as no frame is under way to it, and close. May be called again."""
        if not self._client_ended and self._client_frames.is_between:
            self._upstream.transport.write(going_away(masked=True))
            self._client_ended = True
        if not self._upstream_ended and self._upstream_frames.is_between:
            self._downstream.transport.write(going_away(masked=False))
            self._upstream_ended = True
        if self._client_ended and self._upstream_ended:
            self.lost()

    def upstream_blocked(self, *, is_blocked: bool) -> None:
        """The upstream reads slowly: the client is not read."""
        if is_blocked:
            self._downstream.transport.pause_reading()
        else:
            self._downstream.transport.resume_reading()

    def client_blocked(self, *, is_blocked: bool) -> None:
        """The client reads slowly: the upstream is not read."""
        if is_blocked:
            self._upstream.pause()
        else:
            self._upstream.resume()

    def upstream_ended(self) -> bool:
        """The upstream sends no more; the other direction stays open."""
        self._upstream_ended = True
        return self._ended(self._downstream)

    def client_ended(self) -> bool:
        """The client sends no more."""
        self._client_ended = True
        return self._ended(self._upstream)

    def _ended(self, other: Downstream | UpstreamConnection) -> bool:
        if self._client_ended and self._upstream_ended:
            self.lost()
            return False
        if not other.transport.can_write_eof():
            self.lost()
            return False
        other.transport.write_eof()
        return True

    def lost(self) -> None:
        """End both."""
        self._downstream.transport.close()
        self._upstream.transport.close()
