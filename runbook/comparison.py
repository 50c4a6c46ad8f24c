"""What the comparison found: the store's summary with the gate's verdict on it, and verdicts for pairs in a file."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

import msgspec
from rich.console import RenderableType

from config.errors import UnknownCapability
from config.model import Routes
from config.reader import read_routes
from gateway.mirroring.judging import decoder_of
from gateway.subject import known_secret, subject_of
from runbook.control import run_directory
from shadow.engine import check_shared, place_of
from shadow.findings import RuleFinding, findings_of
from shadow.gate import GateVerdict, evidence_of, judge
from shadow.judge_file import judge_lines
from shadow.noise import Noisy, noise_of, proposal
from shadow.recording import Recorded
from shadow.redact import redactor_of
from shadow.rejudging import Rejudged, rejudge
from shadow.rules import Rules
from shadow.store import Store
from shadow.summary import Summary, summary_json
from shadow.vault import NoPairsStored, NothingCaptured, vault_of


@dataclass(frozen=True)
class Report:
    """A capability's summary and the gate's verdict on it."""

    summary: Summary
    verdict: GateVerdict
    findings: tuple[RuleFinding, ...] = ()
    noise: tuple[Noisy, ...] = ()
    day: date = date.min

    @property
    def passes(self) -> bool:
        """Whether the gate lets the capability move on."""
        return self.verdict.answer == "pass"

    def terminal(self) -> RenderableType:
        """One screen, worst first."""
        from rich.console import Group

        from shadow.report import terminal

        return Group(terminal(self.summary, self.verdict, self.findings), *self._noise())

    def _noise(self) -> list[RenderableType]:
        from shadow.report import terminal_noise

        return [terminal_noise(self.noise, self.day)] if self.noise else []

    def html(self) -> str:
        """One self-contained page."""
        from shadow.html import html

        return html(self.summary, self.verdict, self.findings, self.noise)

    def junit(self) -> str:
        """A test case for each condition of each route."""
        from shadow.exports import junit

        return junit(self.summary, self.verdict, self.findings)

    def csv(self) -> str:
        """One table of everything that was counted."""
        from shadow.exports import as_csv

        return as_csv(self.summary)

    def to_json(self) -> dict[str, Any]:
        """Everything, as plain values."""
        return {
            "verdict": msgspec.to_builtins(self.verdict),
            "findings": msgspec.to_builtins(self.findings),
            "noise": [
                {**msgspec.to_builtins(one), "proposal": proposal(one, self.day) if one.is_proposed else None}
                for one in self.noise
            ],
            "summary": summary_json(self.summary),
        }


def read_report(routes_path: Path, capability: str, today: date | None = None) -> Report:
    """Read the store of the gateway beside routes.yaml. Raises UnknownCapability, StoreDown."""
    routes = _routes_with(routes_path, capability)
    with closing(_store(routes)) as store:
        summary = store.summary(capability)
    verdict = judge(evidence_of(summary), routes.capabilities[capability].gates)
    rules = {route.name: route.compare for route in routes.routes}
    day = today or datetime.now(UTC).date()
    findings = [
        one for route in summary.routes if route.route in rules for one in findings_of(route, rules[route.route], day)
    ]
    noise = [one for route in summary.routes for one in noise_of(route, rules.get(route.route))]
    return Report(summary, verdict, tuple(findings), tuple(noise), day)


def read_again(routes_path: Path, capability: str, against: Path) -> Rejudged:
    """Judge the stored pairs by another routes.yaml's rules. Raises UnknownCapability, StoreDown, NoPairsStored."""
    routes_now = _routes_with(routes_path, capability)
    vault = vault_of(os.environ)
    if vault is None:
        raise NoPairsStored(capability)
    today = datetime.now(UTC).date()
    rules = {route.name: Rules.of(route.compare, today) for route in read_routes(against).routes}
    with closing(_store(routes_now)) as store:
        kept, seen = store.kept(capability, vault)
    return rejudge(kept, seen, rules, redactor_of(run_directory(routes_path)))


def captures_of(routes_path: Path, capability: str) -> list[Recorded | None]:
    """The reads that were kept to be replayed; None for each whose key is gone. Raises UnknownCapability, StoreDown,
    NothingCaptured."""
    routes = _routes_with(routes_path, capability)
    vault = vault_of(os.environ)
    with closing(_store(routes)) as store:
        found = store.captures(capability, vault) if vault is not None else []
    if not found:
        raise NothingCaptured(capability)
    return found


def erase(routes_path: Path, capability: str, keys: list[str]) -> int:
    """Erase what is stored of those canary keys; how many pairs that were. Raises UnknownCapability, StoreDown."""
    routes = _routes_with(routes_path, capability)
    secret = known_secret(run_directory(routes.path), os.environ)
    if secret is None:
        return 0
    subjects = [subject_of(key.encode(), secret) for key in keys]
    with closing(_store(routes)) as store:
        return store.erase(capability, subjects)


def _routes_with(routes_path: Path, capability: str) -> Routes:
    routes = read_routes(routes_path)
    if capability not in routes.capabilities:
        raise UnknownCapability(capability, tuple(routes.capabilities))
    return routes


def _store(routes: Routes) -> Store:
    place = place_of(routes, run_directory(routes.path) / "shadow.db")
    check_shared(place, os.environ)
    return Store(place)


def judge_pairs(routes_path: Path, pairs: Path) -> Iterator[str]:
    """One line of JSON for each pair in the file. Raises LineInvalid, UnknownRoute."""
    routes = read_routes(routes_path)
    layouts = {route.name: decoder_of(route.compare) for route in routes.routes}
    decoders = {name: decoder for name, decoder in layouts.items() if decoder is not None}
    with pairs.open("rb") as lines:
        for result, _ in judge_lines(lines, routes, decoders):
            yield msgspec.json.encode(result).decode()
