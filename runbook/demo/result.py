"""The result of one run as one object: what `--json` prints, the table on the terminal, the HTML page."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from jinja2 import Environment, FileSystemLoader, select_autoescape
from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from runbook.demo.operation import Operation
from runbook.demo.phases import Phase
from runbook.demo.proof import Check, Pause

CHART_WIDTH, CHART_HEIGHT, CHART_COLUMNS = 960, 200, 240


@dataclass(frozen=True)
class Result:
    """Everything that one run found."""

    ok: bool
    seconds: float
    requests: int
    transfers: int
    failed: int
    checks: tuple[Check, ...]
    phases: tuple[Phase, ...]
    pauses: tuple[Pause, ...]
    comparison: dict[str, Any]
    streams: dict[str, Any]
    sabotage: str

    def to_json(self) -> dict[str, Any]:
        """All figures, for `--json`."""
        return {
            "ok": self.ok,
            "seconds": round(self.seconds, 1),
            "requests": self.requests,
            "transfers": self.transfers,
            "failed": self.failed,
            "sabotage": self.sabotage or None,
            "checks": [asdict(check) for check in self.checks],
            "phases": [phase_facts(phase) for phase in self.phases],
            "pauses": [
                {"name": p.name, "clients": len(p.longest_ms), "median_ms": p.median_ms, "p99_ms": p.p99_ms}
                for p in self.pauses
            ],
            "comparison": self.comparison,
            "streams": self.streams,
        }


def phase_facts(phase: Phase) -> dict[str, Any]:
    """One part of the run: how long, how many requests each side answered, how many of them with 5xx."""
    return {
        "name": phase.name,
        "seconds": round(phase.ended - phase.began, 1),
        "legacy": phase.side("legacy"),
        "modern": phase.side("modern"),
        "server_errors": sum(n for (_, status), n in phase.counts.items() if status == "5xx"),
    }


def render(result: Result) -> RenderableType:
    """The closing table for the terminal."""
    traffic = Table("part", "seconds", "by legacy", "by modern", "5xx", title="Requests", title_justify="left")
    for phase in result.phases:
        facts = phase_facts(phase)
        traffic.add_row(*(str(facts[key]) for key in ("name", "seconds", "legacy", "modern", "server_errors")))
    checks = Table("", "claim", "evidence", title="Proof", title_justify="left")
    for check in result.checks:
        mark = Text("ok", style="green") if check.ok else Text("WRONG", style="bold red")
        checks.add_row(mark, check.name, check.detail)
    holds = sum(check.ok for check in result.checks)
    verdict = f"{holds} of {len(result.checks)} checks hold; {result.requests:,} requests, {result.failed} failed"
    closing = Text(f"{verdict}, {result.seconds:.0f} s", style="bold green" if result.ok else "bold red")
    return Group(traffic, checks, closing)


def write_html(result: Result, history: Sequence[Operation], path: Path) -> None:
    """One page without anything from the network: verdict, proof, traffic, and the latency of every moment."""
    environment = Environment(
        loader=FileSystemLoader(Path(__file__).parent),
        autoescape=select_autoescape(default=True, default_for_string=True),
    )
    template = environment.get_template("report.html.j2")
    path.write_text(template.render(result=result, phase_facts=phase_facts, chart=_chart(result.phases, history)))


def _chart(phases: Sequence[Phase], history: Sequence[Operation]) -> dict[str, Any]:
    """The slowest request of every moment as bars, and the phases as bands below them; in pixels of the drawing."""
    if not history or not phases:
        return {"bars": [], "bands": [], "width": CHART_WIDTH, "height": CHART_HEIGHT, "top_ms": 0}
    start, end = phases[0].began, phases[-1].ended
    slowest = [0.0] * CHART_COLUMNS
    for one in history:
        column = int((one.began - start) / (end - start) * CHART_COLUMNS)
        if 0 <= column < CHART_COLUMNS:
            slowest[column] = max(slowest[column], one.seconds * 1000)
    top, width = max(slowest) or 1.0, CHART_WIDTH / CHART_COLUMNS
    bars = [
        {"x": i * width, "width": width, "height": ms / top * CHART_HEIGHT, "ms": round(ms)}
        for i, ms in enumerate(slowest)
    ]
    scale = CHART_WIDTH / (end - start)
    bands = [{"x": (p.began - start) * scale, "width": (p.ended - p.began) * scale, "name": p.name} for p in phases]
    return {"bars": bars, "bands": bands, "width": CHART_WIDTH, "height": CHART_HEIGHT, "top_ms": round(top)}
