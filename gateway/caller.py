"""What a connection to an upstream tells: the caller while an answer arrives, the tunnel after an upgrade."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from gateway.upstream import UpstreamConnection


class Caller(Protocol):
    """Who sent the request; called while its answer arrives."""

    def answer_interim(self, connection: UpstreamConnection) -> None:
        """A 1xx answer; its status and fields are in the connection."""

    def answer_head(self, connection: UpstreamConnection) -> None:
        """Status, reason and fields of the final answer are in the connection. May raise AnswerInvalid."""

    def answer_body(self, data: bytes) -> None:
        """A piece of the body."""

    def answer_so_far(self) -> None:
        """All that has been read so far was told; more will come."""

    def answer_end(self, connection: UpstreamConnection) -> None:
        """The answer is complete; the connection has been given back already, or closed."""

    def answer_failed(self, reason: str, *, answered: bool) -> None:
        """There will be no complete answer; `answered` if a byte of one came."""

    def answer_switched(self, connection: UpstreamConnection, rest: bytes) -> bool:
        """101 came, with these bytes after its head; False if it was not asked for."""

    def upstream_blocked(self, *, is_blocked: bool) -> None:
        """The upstream does not read (or reads again) what is sent."""


class TunnelEnd(Protocol):
    """What takes over a connection after 101."""

    def from_upstream(self, data: bytes) -> None:
        """Bytes for the client."""

    def upstream_ended(self) -> bool:
        """The upstream sends no more; True to keep the other direction open."""

    def upstream_blocked(self, *, is_blocked: bool) -> None:
        """The upstream does not read (or reads again)."""

    def lost(self) -> None:
        """One of the two connections is gone."""
