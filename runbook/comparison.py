"""What the comparison found: the store's summary with the gate's verdict on it, and verdicts for pairs in a file."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import msgspec
from rich.console import RenderableType

from config.errors import UnknownCapability
from config.reader import read_routes
from gateway.judging import decoder_of
from runbook.control import run_directory
from shadow.gate import GateVerdict, evidence_of, judge
from shadow.judge_file import judge_lines
from shadow.store import Store
from shadow.summary import Summary, summary_json


@dataclass(frozen=True)
class Report:
    """A capability's summary and the gate's verdict on it."""

    summary: Summary
    verdict: GateVerdict

    @property
    def passes(self) -> bool:
        """Whether the gate lets the capability move on."""
        return self.verdict.answer == "pass"

    def terminal(self) -> RenderableType:
        """One screen, worst first."""
        from shadow.report import terminal

        return terminal(self.summary, self.verdict)

    def html(self) -> str:
        """One self-contained page."""
        from shadow.html import html

        return html(self.summary, self.verdict)

    def to_json(self) -> dict[str, Any]:
        """Everything, as plain values."""
        return {"verdict": msgspec.to_builtins(self.verdict), "summary": summary_json(self.summary)}


def read_report(routes_path: Path, capability: str) -> Report:
    """Read the store of the gateway beside routes.yaml. Raises UnknownCapability, StoreDown."""
    routes = read_routes(routes_path)
    if capability not in routes.capabilities:
        raise UnknownCapability(capability, tuple(routes.capabilities))
    store = Store(run_directory(routes.path) / "shadow.db")
    try:
        summary = store.summary(capability)
    finally:
        store.close()
    return Report(summary, judge(evidence_of(summary), routes.capabilities[capability].gates))


def judge_pairs(routes_path: Path, pairs: Path) -> Iterator[str]:
    """One line of JSON for each pair in the file. Raises LineInvalid, UnknownRoute."""
    routes = read_routes(routes_path)
    layouts = {route.name: decoder_of(route.compare) for route in routes.routes}
    decoders = {name: decoder for name, decoder in layouts.items() if decoder is not None}
    with pairs.open("rb") as lines:
        for result, _ in judge_lines(lines, routes, decoders):
            yield msgspec.json.encode(result).decode()
