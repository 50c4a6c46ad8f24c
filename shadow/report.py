"""The comparison on one screen of a terminal: the verdict, the worst routes and differences, why, and what next."""

from __future__ import annotations

from datetime import date

from rich.console import Group, RenderableType
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from shadow import figures, wording
from shadow.findings import RuleFinding
from shadow.gate import GateVerdict
from shadow.latency import estimate
from shadow.noise import Noisy, proposal
from shadow.rejudging import Rejudged
from shadow.summary import Cluster, RouteSummary, Summary

ROUTES_MAX, CLUSTERS_MAX, REASONS_MAX = 12, 6, 6
JUDGED = ("equal", "equivalent", "race", "different", "incomparable")
_STYLES = {"pass": "bold green", "fail": "bold red", "need more": "bold yellow"}


def terminal(summary: Summary, verdict: GateVerdict, findings: tuple[RuleFinding, ...] = ()) -> RenderableType:
    """What `strangler report` prints; routes and differences beyond one screen are counted, not listed."""
    parts: list[RenderableType] = [
        Text(wording.printable(wording.headline(summary, verdict)), style=_STYLES[verdict.answer]),
        Text(_counts(summary, verdict), style="dim"),
    ]
    if summary.routes:
        parts += [Text(), _routes(summary)]
    clusters = worst_clusters(summary)
    if clusters:
        parts += [Text(), _clusters(clusters)]
    if verdict.reasons:
        parts += [Text(), _reasons(verdict)]
    if findings:
        parts += [Text(), _findings(findings)]
    parts += [Text(), Text.assemble(("Next  ", "bold"), wording.next_step(verdict))]
    return Group(*parts)


def terminal_replayed(summary: Summary) -> RenderableType:
    """What `strangler replay` prints for a capability: where its requests went, and the worst differences."""
    accounting = summary.accounting
    lost = [(f"skipped: {reason}", count) for reason, count in accounting.skipped.items()]
    lost += [(f"no answer from {side}", count) for side, count in accounting.errored.items()]
    disagreeing = f"{figures.count(accounting.disagreeing)} different"
    parts: list[RenderableType] = [
        Text.assemble(
            (
                f"{wording.printable(summary.capability)}: {disagreeing}",
                "bold red" if accounting.disagreeing else "bold",
            ),
            f" of {figures.count(accounting.compared)} compared, {figures.count(accounting.eligible)} requests",
        ),
        *(Text(f"  {figures.count(count)} {wording.printable(what)}", style="dim") for what, count in lost),
        Text(),
        _routes(summary),
    ]
    clusters = worst_clusters(summary)
    return Group(*parts, *((Text(), _clusters(clusters)) if clusters else ()))


def terminal_rejudged(again: Rejudged) -> RenderableType:
    """What `strangler report --against` prints: for each route and verdict, what its stored pairs would be now."""
    table = Table(box=None, pad_edge=False, header_style="bold")
    table.add_column("route", overflow="fold", ratio=1)
    for name in ("was", "pairs seen", "stored", *JUDGED):
        table.add_column(name, justify="right", no_wrap=True)
    for group in again.groups.values():
        counts = [figures.count(group.after[kind]) if group.after[kind] else "-" for kind in JUDGED]
        stored = sum(group.after.values())
        table.add_row(
            wording.printable(group.route),
            group.before,
            figures.count(group.stands_for),
            figures.count(stored),
            *counts,
        )
    parts: list[RenderableType] = [table]
    for (route, path, kind), count in again.differences.most_common(CLUSTERS_MAX):
        text = f"still differs: {path} ({kind}) on {route}, in {figures.count(count)} stored pairs"
        parts.append(Text(wording.printable(text), style="red"))
    if again.unreadable:
        parts.append(
            Text(f"{figures.count(again.unreadable)} stored pairs cannot be opened: their key is gone.", style="yellow")
        )
    if not again.groups:
        parts.append(Text("No pair is stored."))
    return Group(*parts)


def _findings(findings: tuple[RuleFinding, ...]) -> RenderableType:
    lines: list[RenderableType] = [Text("Rules to look at", style="bold")]
    for one in findings[:REASONS_MAX]:
        text = Text.assemble(
            (wording.printable(one.rule), "yellow"), wording.printable(f" on {one.route}: {one.text}.")
        )
        lines.append(Padding(text, (0, 0, 0, 2)))
    if len(findings) > REASONS_MAX:
        lines.append(Padding(Text(f"and {len(findings) - REASONS_MAX} more", style="dim"), (0, 0, 0, 2)))
    return Group(*lines)


def terminal_noise(noise: tuple[Noisy, ...], today: date) -> RenderableType:
    """What legacy's answers to the same read differ in, and the rules that somebody may make of it."""
    lines: list[RenderableType] = [Text(), Text("Noise of legacy", style="bold")]
    for one in noise[:REASONS_MAX]:
        note = "; it is protected, so it counts all the same" if one.is_protected else ""
        text = Text.assemble(
            (wording.printable(one.path), "yellow"), wording.printable(f" on {one.route}: {one.evidence}{note}")
        )
        lines.append(Padding(text, (0, 0, 0, 2)))
    if len(noise) > REASONS_MAX:
        lines.append(Padding(Text(f"and {len(noise) - REASONS_MAX} more", style="dim"), (0, 0, 0, 2)))
    proposed = [one for one in noise if one.is_proposed]
    if proposed:
        lines.append(
            Text("To accept it: strangler accept CAPABILITY PATH --reason TEXT, which adds to compare.ignore:")
        )
        lines += [
            Padding(Text(wording.printable(proposal(one, today))), (0, 0, 0, 2)) for one in proposed[:REASONS_MAX]
        ]
    return Group(*lines)


def worst_clusters(summary: Summary) -> list[tuple[RouteSummary, Cluster]]:
    """Clusters of all routes, the most frequent first; those that were only ever races come last."""
    found = [(route, cluster) for route in summary.routes for cluster in route.clusters]
    return sorted(found, key=lambda pair: (-pair[1].count, -pair[1].races, pair[0].route, pair[1].path))


def _counts(summary: Summary, verdict: GateVerdict) -> str:
    accounting, rate = summary.accounting, verdict.rate
    return (
        f"{figures.count(accounting.eligible)} eligible since {figures.moment(summary.started_at)}: "
        f"{figures.count(accounting.compared)} compared, {figures.count(sum(accounting.skipped.values()))} skipped, "
        f"{figures.count(sum(accounting.dropped.values()))} dropped, "
        f"{figures.count(sum(accounting.errored.values()))} without an answer\n"
        f"{figures.count(rate.mismatched)} of {figures.count(rate.keys)} distinct keys mismatched; "
        f"the true share is between {figures.percent(rate.low)} and {figures.percent(rate.high)} "
        f"({figures.percent(rate.confidence)} sure at every look), limit {figures.percent(rate.limit)}"
    )


def _routes(summary: Summary) -> Table:
    table = Table(box=None, pad_edge=False, header_style="bold", title_justify="left")
    table.add_column("route", overflow="fold", ratio=1)
    for name in ("compared", "coverage", "different", "races", "incomp.", "keys", "p99 modern/legacy"):
        table.add_column(name, justify="right", no_wrap=True)
    routes = wording.worst_first(summary.routes)
    for route in routes[:ROUTES_MAX]:
        table.add_row(*_route_cells(route))
    if len(routes) > ROUTES_MAX:
        table.add_row(Text(f"and {len(routes) - ROUTES_MAX} more routes", style="dim"))
    return table


def _route_cells(route: RouteSummary) -> list[Text]:
    accounting, latency = route.accounting, estimate(route.latency)
    verdicts = accounting.verdicts
    return [
        Text(wording.printable(route.route)),
        Text(figures.count(accounting.compared)),
        Text(figures.percent(accounting.coverage) if accounting.countable else "-"),
        Text(figures.count(accounting.disagreeing), style="red" if accounting.disagreeing else ""),
        Text(figures.count(verdicts.get("race", 0))),
        Text(figures.count(verdicts.get("incomparable", 0))),
        Text(figures.count(route.keys.distinct)),
        Text(figures.ratio(latency.p99.estimate) if latency and latency.is_enough else "-"),
    ]


def _clusters(clusters: list[tuple[RouteSummary, Cluster]]) -> Table:
    table = Table(box=None, pad_edge=False, header_style="bold")
    table.add_column("difference", overflow="fold", ratio=2)
    table.add_column("kind")
    table.add_column("times", justify="right")
    table.add_column("races", justify="right")
    table.add_column("for example (control / candidate)", overflow="fold", ratio=3)
    for route, cluster in clusters[:CLUSTERS_MAX]:
        table.add_row(
            Text.assemble(wording.printable(cluster.path), (f"  {wording.printable(route.route)}", "dim")),
            Text(cluster.kind),
            Text(figures.count(cluster.count)),
            Text(figures.count(cluster.races)),
            Text(example(cluster)),
        )
    if len(clusters) > CLUSTERS_MAX:
        table.add_row(Text(f"and {len(clusters) - CLUSTERS_MAX} more", style="dim"))
    return table


def example(cluster: Cluster) -> str:
    """The first sample's redacted values, or the shapes where there is none."""
    if not cluster.samples:
        return wording.printable(cluster.shape)
    sample = cluster.samples[0]
    return wording.printable(f"{sample.control_shown or 'nothing'} / {sample.candidate_shown or 'nothing'}")


def _reasons(verdict: GateVerdict) -> RenderableType:
    lines: list[RenderableType] = [Text("Why", style="bold")]
    for reason in verdict.reasons[:REASONS_MAX]:
        mark = "x" if reason.answer == "fail" else "-"
        text = Text.assemble(
            (f"{mark} {reason.condition}", _STYLES[reason.answer]),
            f" on {wording.where(reason)}: {wording.printable(reason.text)}. ",
            (reason.remedy, "dim"),
        )
        lines.append(Padding(text, (0, 0, 0, 2)))
    if len(verdict.reasons) > REASONS_MAX:
        lines.append(Padding(Text(f"and {len(verdict.reasons) - REASONS_MAX} more", style="dim"), (0, 0, 0, 2)))
    return Group(*lines)
