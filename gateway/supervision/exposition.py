"""The Prometheus text of one scrape: what all workers counted, and what only the supervisor knows."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from itertools import accumulate
from typing import Any

from prometheus_client import CollectorRegistry
from prometheus_client.core import (
    CounterMetricFamily,
    GaugeMetricFamily,
    HistogramMetricFamily,
    InfoMetricFamily,
    Metric,
)
from prometheus_client.exposition import CONTENT_TYPE_PLAIN_0_0_4 as CONTENT_TYPE
from prometheus_client.exposition import generate_latest
from prometheus_client.registry import Collector

__all__ = ["CONTENT_TYPE", "Facts", "exposition"]
HELP: Mapping[str, str] = {
    "strangler_upstream_breaker": "Workers whose breaker for an upstream is in that state.",
    "strangler_mirror_in_flight": "What the mirror holds now.",
    "strangler_hold": "Workers that hold the writes of a capability.",
    "strangler_access_log": "Lines of the access log that were lost: the disk is full, or too slow.",
    "strangler_idempotency": "Writes under an Idempotency-Key, by what became of them.",
}


@dataclass(frozen=True)
class Facts:
    """What the supervisor adds to the workers' counts."""

    digest: str
    is_refused: bool
    worker_restarts: int
    comparer_restarts: int
    is_comparer_up: bool
    healthy: Mapping[str, bool] = field(default_factory=dict)
    certificates: Mapping[str, float] = field(default_factory=dict)
    certificates_refused: bool = False


def exposition(snapshot: Mapping[str, Any], facts: Facts) -> str:
    """The text for a merged snapshot (gateway/metrics.py)."""
    registry = CollectorRegistry(auto_describe=False)
    registry.register(_Snapshot(snapshot, facts))
    return generate_latest(registry).decode()


class _Snapshot(Collector):
    def __init__(self, snapshot: Mapping[str, Any], facts: Facts) -> None:
        self._snapshot = snapshot
        self._facts = facts

    def describe(self) -> list[Metric]:
        return []

    def collect(self) -> Iterator[Metric]:
        yield from _requests(self._snapshot)
        yield from _counters(self._snapshot)
        yield from _gauges(self._snapshot)
        yield from _others(self._snapshot)
        yield from _supervisor(self._facts)


def _requests(snapshot: Mapping[str, Any]) -> Iterator[Metric]:
    total = CounterMetricFamily(
        "strangler_requests", "Requests answered, by who answered.", labels=["route", "side", "status_class"]
    )
    seconds = HistogramMetricFamily(
        "strangler_request_seconds", "Time from the request's head to the answer's last byte.", labels=["route", "side"]
    )
    bounds = [*map(str, snapshot["bounds"]), "+Inf"]
    for row in snapshot["requests"]:
        for name, count in row["classes"].items():
            if count:
                total.add_metric([row["route"], row["side"], name], count)
        buckets = list(zip(bounds, accumulate(row["buckets"]), strict=True))
        seconds.add_metric([row["route"], row["side"]], buckets, row["seconds"])
    yield total
    yield seconds


def _counters(snapshot: Mapping[str, Any]) -> Iterator[Metric]:
    mirror = CounterMetricFamily("strangler_mirror", "Copies for the candidate.", labels=["route", "outcome"])
    for row in snapshot["mirror"]:
        mirror.add_metric([row["route"], row["outcome"]], row["count"])
    yield mirror
    problems = CounterMetricFamily("strangler_problems", "Answers that the gateway made itself.", labels=["reason"])
    for reason, count in snapshot["problems"].items():
        problems.add_metric([reason], count)
    yield problems


def _gauges(snapshot: Mapping[str, Any]) -> Iterator[Metric]:
    connections = GaugeMetricFamily(
        "strangler_upstream_connections", "Connections to upstreams.", labels=["upstream", "state"]
    )
    for row in snapshot["connections"]:
        connections.add_metric([row["upstream"], row["state"]], row["count"])
    yield connections
    held = GaugeMetricFamily("strangler_held_requests", "Writes that wait for a release.", labels=["capability"])
    for capability, count in snapshot["held"].items():
        held.add_metric([capability], count)
    yield held
    in_flight = GaugeMetricFamily(
        "strangler_in_flight_writes", "Writes that were sent and not answered.", labels=["capability"]
    )
    for capability, count in snapshot["in_flight_writes"].items():
        in_flight.add_metric([capability], count)
    yield in_flight


def _others(snapshot: Mapping[str, Any]) -> Iterator[Metric]:
    """What only some gateways count, by the names in HELP."""
    families: dict[str, Metric] = {}
    for kind, rows in ((CounterMetricFamily, snapshot["counters"]), (GaugeMetricFamily, snapshot["gauges"])):
        for row in rows:
            name, labels = row["name"], row["labels"]
            family = families.get(name)
            if family is None:
                family = families[name] = kind(name, HELP[name], labels=list(labels))
            family.add_metric([*labels.values()], row["value"])  # type: ignore[attr-defined]  # both kinds have it
    yield from families.values()


def _supervisor(facts: Facts) -> Iterator[Metric]:
    yield InfoMetricFamily("strangler_table", "The routes.yaml in force.", value={"digest": facts.digest})
    yield GaugeMetricFamily(
        "strangler_table_refused", "1 while the newest routes.yaml is refused.", value=facts.is_refused
    )
    yield CounterMetricFamily("strangler_worker_restarts", "Workers replaced.", value=facts.worker_restarts)
    yield CounterMetricFamily("strangler_comparer_restarts", "Comparers replaced.", value=facts.comparer_restarts)
    yield GaugeMetricFamily("strangler_comparer_up", "1 while the comparer runs.", value=facts.is_comparer_up)
    expiries = GaugeMetricFamily(
        "strangler_certificate_expires",
        "When a certificate that we show ends, in seconds since 1970.",
        labels=["where"],
    )
    for where, at in facts.certificates.items():
        expiries.add_metric([where], at)
    yield expiries
    healthy = GaugeMetricFamily("strangler_upstream_healthy", "1 while the health check succeeds.", labels=["upstream"])
    for upstream, is_well in facts.healthy.items():
        healthy.add_metric([upstream], is_well)
    yield healthy
    yield GaugeMetricFamily(
        "strangler_certificates_refused",
        "1 while files of certificates cannot be used and older ones are.",
        value=facts.certificates_refused,
    )
