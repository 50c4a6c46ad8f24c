"""OpenTelemetry spans of the requests that ended, in batches over OTLP/HTTP; imported only where tracing is on.

The gateway is one span between the client's and the upstream's: the upstream gets our span as its parent (W3C Trace
Context, section 3.2). Where the client sent no context, the one that the gateway makes anyway is the span's own. The
ids are in the head that went upstream, so nothing is kept beside the exchange.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import UTC, datetime
from importlib.util import find_spec
from random import getrandbits
from typing import TYPE_CHECKING, Any, Final

from config.errors import USAGE, StranglerError
from config.serving import Tracing
from gateway.wire import headers

if TYPE_CHECKING:
    from gateway.carriage import Carriage

_IN_HEAD: Final = re.compile(rb"\r\ntraceparent: (00-([0-9a-f]{32})-([0-9a-f]{16})-([0-9a-f]{2}))\r\n", re.IGNORECASE)
QUEUE_MAX: Final = 4096
EXPORT_SECONDS: Final = 5
_SCALE: Final = 1 << 56


@dataclass(eq=False)
class TracingNotInstalled(StranglerError):
    """routes.yaml asks for spans, and the extra is not there."""

    exit_code = USAGE

    @property
    def sentence(self) -> str:
        """What asks for what."""
        return "gateway.tracing needs OpenTelemetry, which is not installed."

    @property
    def hint(self) -> str:
        """How to get it."""
        return "pip install 'strangler[otel]', or remove gateway.tracing."


def must_be_installed() -> None:
    """Raises TracingNotInstalled."""
    if find_spec("opentelemetry") is None or find_spec("opentelemetry.sdk") is None:
        raise TracingNotInstalled


def is_sampled(trace_id: bytes, share: float) -> bool:
    """The same for every gateway: by the random half of the id (W3C level 2), not by a die of our own."""
    return int(trace_id[-14:], 16) >= _SCALE * (1 - share)


class Spans:
    """Joins traces and exports spans; the queue is bounded, and what does not fit is dropped by the exporter."""

    def __init__(self, settings: Tracing) -> None:
        from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
        from opentelemetry.sdk.resources import Resource
        from opentelemetry.sdk.trace.export import BatchSpanProcessor

        self._share = settings.sample
        self._resource = Resource.create({"service.name": settings.service})
        exporter = OTLPSpanExporter(endpoint=settings.endpoint, timeout=EXPORT_SECONDS)
        self._processor = BatchSpanProcessor(
            exporter, max_queue_size=QUEUE_MAX, export_timeout_millis=EXPORT_SECONDS * 1000
        )

    def joined(self, head: bytes, exchange: Carriage) -> bytes:
        """The head with our span as the parent; a trace that begins here is sampled here."""
        found = _IN_HEAD.search(head)
        if found is None:
            return head
        start, end = found.span(1)
        if headers.TRACEPARENT in exchange.facts:
            ours = b"00-%b-%016x-%b" % (found[2], getrandbits(64) | 1, found[4])
        else:
            ours = b"00-%b-%b-%b" % (found[2], found[3], b"01" if is_sampled(found[2], self._share) else b"00")
        return head[:start] + ours + head[end:]

    def ended(self, exchange: Carriage, now: float) -> None:
        """Export the span of a request that was forwarded, if its trace is sampled."""
        found = _IN_HEAD.search(exchange.head)
        if found is None or not int(found[4], 16) & 1:
            return
        self._processor.on_end(self._span(exchange, found, now))

    def close(self) -> None:
        """Export what there is, for a bounded time."""
        self._processor.shutdown()  # type: ignore[no-untyped-call]  # of the SDK

    def _span(self, exchange: Carriage, ids: re.Match[bytes], now: float) -> Any:
        from opentelemetry.sdk.trace import ReadableSpan
        from opentelemetry.trace import SpanContext, SpanKind, TraceFlags
        from opentelemetry.trace.status import Status, StatusCode

        def context(span_id: bytes, *, is_remote: bool) -> SpanContext:
            return SpanContext(int(ids[2], 16), int(span_id, 16), is_remote=is_remote, trace_flags=TraceFlags(1))

        parent = exchange.facts.get(headers.TRACEPARENT)
        end = int(datetime.now(UTC).timestamp() * 1e9)
        is_error = exchange.status >= 500 or not exchange.status
        return ReadableSpan(
            name=f"{exchange.method.decode('ascii', 'replace')} {exchange.plan.name}",
            context=context(ids[3], is_remote=False),
            parent=context(parent.split(b"-")[2], is_remote=True) if parent is not None else None,
            resource=self._resource,
            attributes=_attributes(exchange),
            kind=SpanKind.SERVER,
            status=Status(StatusCode.ERROR if is_error else StatusCode.UNSET),
            start_time=end - int((now - exchange.started) * 1e9),
            end_time=end,
        )


def _attributes(exchange: Carriage) -> dict[str, str | int]:
    """Names of the semantic conventions where there are some; nothing that a client chose but its method."""
    found: dict[str, str | int] = {
        "http.request.method": exchange.method.decode("ascii", "replace"),
        "http.response.status_code": exchange.status,
        "http.route": exchange.plan.name,
        "url.scheme": exchange.peer.scheme.decode(),
        "strangler.capability": exchange.plan.capability or "",
        "http.request.resend_count": max(0, exchange.attempts - 1),
    }
    if exchange.decision is not None:
        found |= {"strangler.side": exchange.decision.side, "strangler.upstream": exchange.decision.upstream}
    return found
