"""Both streams for Prometheus: /metrics of `sync run`, asked of the databases at each scrape, so that none is stale."""

from __future__ import annotations

from collections.abc import Iterable

import structlog
from prometheus_client import CollectorRegistry, start_http_server
from prometheus_client.core import GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from cdc.watch import Look, look
from config.errors import StranglerError
from config.model import Routes

# Metric, what it says, and the fact of a Look that it is.
GAUGES = (
    ("strangler_stream_lag_bytes", "Log of the source that is not in the target yet.", "lag_bytes"),
    ("strangler_stream_lag_seconds", "Age of the newest transaction that is in the target.", "lag_seconds"),
    ("strangler_stream_applied_rows", "Changes of rows applied since the backfill.", "applied_rows"),
    ("strangler_stream_applied_transactions", "Source transactions applied.", "applied_transactions"),
    ("strangler_stream_applied_batches", "Target transactions that carried rows.", "applied_batches"),
    ("strangler_stream_skipped_transactions", "Our own transactions, left out.", "skipped_transactions"),
    ("strangler_stream_alarms", "Writes of others in mode skip.", "alarms"),
    ("strangler_stream_rechecked_rows", "Written rows that were compared again.", "rechecked_rows"),
    ("strangler_stream_unchecked_rows", "Written rows that were not, because there were too many.", "unchecked_rows"),
    ("strangler_stream_differences", "Rows that differed at two places of the log and still do.", "differences"),
    ("strangler_stream_wal_held_bytes", "Log that the slot holds back on the source.", "wal_held_bytes"),
)
_log = structlog.get_logger()


def families(looks: Iterable[Look]) -> list[Metric]:
    """One family a fact, labelled by stream; whether it streams, and whether the held log is too much, as 0 and 1."""
    seen = list(looks)
    found = []
    for name, text, fact in GAUGES:
        family = GaugeMetricFamily(name, text, labels=["stream"])
        for one in seen:
            value = getattr(one, fact)
            if value is not None:
                family.add_metric([one.stream], float(value))
        found.append(family)
    up = GaugeMetricFamily("strangler_stream_up", "Whether the stream says that it runs.", labels=["stream"])
    held = GaugeMetricFamily(
        "strangler_stream_wal_alarm", "Whether the held log is past a threshold.", labels=["stream", "severity"]
    )
    for one in seen:
        up.add_metric([one.stream], float(one.state == "streaming"))
        held.add_metric([one.stream, "warn"], float(one.wal in {"warn", "page"}))
        held.add_metric([one.stream, "page"], float(one.wal == "page"))
    return [*found, up, held]


class StreamsCollector(Collector):
    """Asks both databases at each scrape; where one is down the scrape says so and has no old figures."""

    def __init__(self, routes: Routes, capability: str) -> None:
        self._routes, self._capability = routes, capability

    def describe(self) -> Iterable[Metric]:
        """Nothing is asked when the collector is registered."""
        return []

    def collect(self) -> Iterable[Metric]:
        """The families of one scrape."""
        known = GaugeMetricFamily("strangler_databases_up", "Whether both databases could be asked.")
        try:
            looks = look(self._routes, self._capability)
        except StranglerError as error:
            _log.warning("metrics.not_asked", reason=type(error).__name__)
            known.add_metric([], 0.0)
            return [known]
        known.add_metric([], 1.0)
        return [known, *families(looks)]


def serve_metrics(routes: Routes, capability: str, listen: str) -> int:
    """Serve /metrics on HOST:PORT from a thread of its own; returns the port."""
    host, _, port = listen.rpartition(":")
    registry = CollectorRegistry()
    registry.register(StreamsCollector(routes, capability))
    server, _ = start_http_server(int(port), host or "127.0.0.1", registry)
    _log.info("metrics.served", host=host or "127.0.0.1", port=server.server_port)
    return int(server.server_port)
