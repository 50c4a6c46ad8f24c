"""Exchanges with more to do than the plain one: told to the access log and to OpenTelemetry, or stamped.

Each is a class of its own that hangs on steps which exist, so that a worker without such a task pays nothing for it.
"""

from __future__ import annotations

from time import monotonic_ns

from gateway.exchange import Exchange
from gateway.stamps import set_cookie
from gateway.upstream import UpstreamConnection


class ObservedExchange(Exchange):
    """Told when it has ended; the upstream's trace goes through our span."""

    __slots__ = ()

    def to_upstream(self, authority: bytes) -> bytes:
        """The head, with our span as the parent of the upstream's."""
        head = Exchange.to_upstream(self, authority)
        spans = self.worker.spans
        return head if spans is None else spans.joined(head, self)

    def count(self, now: float) -> None:
        """Counted, and told."""
        Exchange.count(self, now)
        if self.worker.access_log is not None:
            self.worker.access_log.ended(self, now)
        if self.worker.spans is not None:
            self.worker.spans.ended(self, now)


class StampedExchange(ObservedExchange):
    """The same exchange; answers to writes of capabilities in canary are stamped."""

    __slots__ = ()

    def answer_head(self, connection: UpstreamConnection) -> None:
        """The head, with the time of the answer in it: the write was committed before."""
        ObservedExchange.answer_head(self, connection)
        if self.is_write and self.plan.cookie is not None:
            self.out[-1] = self._stamped(self.out[-1], self.plan.cookie)

    def problem_answer(self, reason: str) -> tuple[bytes, bool]:
        """A write whose outcome is unknown may have been committed, or may be yet: legacy answers for a while."""
        data, stays = ObservedExchange.problem_answer(self, reason)
        if self.is_sent and self.is_write and self.plan.cookie is not None:
            data = self._stamped(data, self.plan.cookie)
        return data, stays

    def _stamped(self, data: bytes, cookie: bytes) -> bytes:
        stamp = self.worker.freshness.source_time(self.plan.capability_index, monotonic_ns())
        head, end, body = data.partition(b"\r\n\r\n")
        return head + b"\r\n" + set_cookie(cookie, stamp, self.peer.scheme) + end[2:] + body
