"""The comparison as one self-contained page: no network, no script, light and dark, for a phone and for paper."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

from jinja2 import Environment, PackageLoader, StrictUndefined, Template

from shadow import charts, figures, wording
from shadow.findings import RuleFinding
from shadow.gate import GateVerdict
from shadow.latency import LatencyEstimate, estimate
from shadow.noise import Noisy
from shadow.report import worst_clusters
from shadow.summary import Cluster, RouteSummary, Summary

CLUSTERS_MAX, SAMPLES_SHOWN_MAX = 100, 4
PARTS = ("equal", "equivalent", "race", "different", "incomparable", "skipped", "dropped", "errored")


@dataclass(frozen=True)
class Part:
    """A piece of a route's bar: where all its eligible requests went."""

    name: str
    count: int
    start_percent: float
    width_percent: float


@dataclass(frozen=True)
class RouteView:
    """A route with what the template needs beside it."""

    route: RouteSummary
    parts: tuple[Part, ...]
    latency: LatencyEstimate | None


def html(
    summary: Summary,
    verdict: GateVerdict,
    findings: tuple[RuleFinding, ...] = (),
    noise: tuple[Noisy, ...] = (),
) -> str:
    """The page. Everything that comes from traffic or from routes.yaml is escaped."""
    clusters = worst_clusters(summary)
    return _template().render(
        summary=summary,
        accounting=summary.accounting,
        verdict=verdict,
        headline=wording.headline(summary, verdict),
        next_step=wording.next_step(verdict),
        routes=[_route_view(route) for route in wording.worst_first(summary.routes)],
        clusters=[(route, cluster, _samples(cluster)) for route, cluster in clusters[:CLUSTERS_MAX]],
        most=max((cluster.count + cluster.races for _, cluster in clusters), default=1) or 1,
        clusters_left_out=max(0, len(clusters) - CLUSTERS_MAX),
        agreement=charts.agreement_chart(summary.timeline),
        latency_over_time=charts.latency_chart(summary.timeline),
        parts=PARTS,
        findings=findings,
        noise=noise,
    )


def _route_view(route: RouteSummary) -> RouteView:
    return RouteView(route, _parts(route), estimate(route.latency))


def _parts(route: RouteSummary) -> tuple[Part, ...]:
    accounting = route.accounting
    counts = {
        **{name: accounting.verdicts.get(name, 0) for name in PARTS[:5]},
        "skipped": sum(accounting.skipped.values()),
        "dropped": sum(accounting.dropped.values()),
        "errored": sum(accounting.errored.values()),
    }
    whole, start, parts = max(1, accounting.eligible), 0.0, []
    for name, count in counts.items():
        width = 100 * count / whole
        if count:
            parts.append(Part(name, count, round(start, 3), round(width, 3)))
        start += width
    return tuple(parts)


def _samples(cluster: Cluster) -> list[tuple[str, str, str, str]]:
    return [
        (
            figures.moment(sample.at),
            sample.place,
            sample.control_shown or "nothing",
            sample.candidate_shown or "nothing",
        )
        for sample in cluster.samples[:SAMPLES_SHOWN_MAX]
    ]


@lru_cache(maxsize=1)
def _template() -> Template:
    environment = Environment(
        loader=PackageLoader("shadow"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    for word in (figures.count, figures.percent, figures.milliseconds, figures.duration, figures.moment, figures.ratio):
        environment.filters[word.__name__] = word
    environment.filters.update(where=wording.where, printable=wording.printable)
    environment.globals.update(width=charts.WIDTH, height=charts.HEIGHT, left=charts.LEFT, right=charts.RIGHT)
    return environment.get_template("report.html.j2")
