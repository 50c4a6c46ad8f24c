"""An exchange that is told about: to the access log, to OpenTelemetry; only workers that have one of them use it."""

from __future__ import annotations

from gateway.exchange import Exchange


class ObservedExchange(Exchange):
    """The same exchange; a class of its own, so that a worker without observers pays for none."""

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
