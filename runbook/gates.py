"""The conditions between two stages: what a gate is, when it applies, and what a finding says; pure."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

from runbook.stages import Transition


@dataclass(frozen=True)
class Gate:
    """One condition. `why` says what goes wrong without it, `remedy` what clears it."""

    name: str
    applies: Callable[[Transition], bool]
    needs_sync: bool
    why: str
    remedy: str

    def finding(self, is_ok: bool, evidence: str, threshold: str, *, detail: str = "", remedy: str = "") -> Finding:
        """Compose what was found; `detail` is the one of several things that this finding is about."""
        name = f"{self.name}:{detail}" if detail else self.name
        return Finding(name, is_ok, evidence, threshold, self.why, remedy or self.remedy)


@dataclass(frozen=True)
class Finding:
    """One gate's answer with its evidence. `waived_by` names the people when it does not pass and is let pass."""

    gate: str
    ok: bool
    evidence: str
    threshold: str
    why: str
    remedy: str
    waived_by: str = ""
    value: float | None = None  # what was measured, where the gate measures something
    trend: str = ""

    def measuring(self, value: float | None) -> Finding:
        """The same with what was measured."""
        return replace(self, value=value)

    @property
    def blocks(self) -> bool:
        """Whether the capability may not move on."""
        return not self.ok and not self.waived_by


def _always(_transition: Transition) -> bool:
    return True


def _forward(transition: Transition) -> bool:
    return transition.kind == "advance" and transition.to_stage != "retired"


def _to_canary_or_on(transition: Transition) -> bool:
    return transition.kind == "advance" and transition.to_stage in ("canary", "modern")


def _cutover(transition: Transition) -> bool:
    return transition.moves_writes


def _needs_flow(transition: Transition) -> bool:
    return _forward(transition) or _cutover(transition)


def _needs_way_back(transition: Transition) -> bool:
    return _cutover(transition) or transition.to_stage == "retired"


def _cutover_on(transition: Transition) -> bool:
    """The way back is never closed by a calendar."""
    return transition.moves_writes and transition.kind == "advance"


# In the order in which they are asked: the cheap ones, and those that explain the others, first.
GATES: tuple[Gate, ...] = (
    Gate(
        "gateways",
        _always,
        False,
        "a gateway on another file would send requests to another home",
        "Look at GET /api/table of that gateway; it shows why it refused the file",
    ),
    Gate(
        "reversible",
        _to_canary_or_on,
        True,
        "what modern writes after the cutover could not come back to legacy",
        "strangler sync check names the columns; --residue keeps what lossy ones drop; opaque ones need the SELECT "
        "that gives their sources back, below a line `-- reverse:` in the mapping's file",
    ),
    Gate(
        "calendar",
        _cutover_on,
        False,
        "a cutover in a freeze, or while the day is being closed, meets everybody who is not there to help",
        "wait, or change `calendar` in routes.yaml",
    ),
    Gate(
        "schema",
        _to_canary_or_on,
        True,
        "a table that lacks what the next step writes fails in its middle; a revision that blocks stops the bank",
        "strangler migrate upgrade, strangler migrate lint",
    ),
    Gate(
        "stream",
        _needs_flow,
        True,
        "what legacy and modern hold drifts apart while the stream stands still",
        "strangler sync status; start it with: strangler sync run",
    ),
    Gate(
        "lag",
        _needs_flow,
        True,
        "the pause lasts as long as the stream needs to catch up",
        "wait, or find what holds the target back: strangler sync status",
    ),
    Gate(
        "verify",
        _to_canary_or_on,
        True,
        "differences that nobody looked for would become the truth",
        "strangler sync verify, then strangler sync repair for what differs",
    ),
    Gate(
        "comparison",
        _to_canary_or_on,
        False,
        "clients would get other answers than they get today",
        "strangler report shows the clusters of differences and how many more requests are needed",
    ),
    Gate(
        "way_back",
        _needs_way_back,
        True,
        "after the cutover every write must reach the other side, so that going back loses nothing",
        "strangler sync status; an alarm names who wrote without coming through the routes",
    ),
    Gate(
        "fences",
        _cutover,
        True,
        "two homes at once would accept writes",
        "strangler sync run installs the fences; the home's is lifted and the other side's is raised",
    ),
    Gate(
        "transactions",
        _cutover,
        True,
        "the fence waits for open writers, and held clients wait with it",
        "end the named session, or wait for it",
    ),
    Gate(
        "privileges",
        _cutover,
        True,
        "a privilege that is missing would be found in the middle of the pause",
        "GRANT what is named to the role of routes.yaml's database url",
    ),
    Gate(
        "sequences",
        _cutover,
        True,
        "the new home would give out keys that exist already",
        "ALTER SEQUENCE so that it can go on above the other side's",
    ),
    Gate(
        "writers",
        _cutover,
        True,
        "a job or a person that writes to the old home directly is refused by the fence after the cutover",
        "move the writer, name it under `writers` if it comes through the routes, or: strangler waive",
    ),
    Gate(
        "sentinel",
        _cutover,
        True,
        "a way back that was never gone is a hope",
        "strangler sync status; both streams must run",
    ),
)
BY_NAME = {gate.name: gate for gate in GATES}


def gates_for(transition: Transition, *, has_sync: bool) -> tuple[Gate, ...]:
    """Return the gates of a transition, in order."""
    return tuple(gate for gate in GATES if gate.applies(transition) and (has_sync or not gate.needs_sync))


def with_waivers(findings: Sequence[Finding], waived: dict[str, str]) -> tuple[Finding, ...]:
    """Mark what a waiver covers: a gate by its name, and `writers` for every `writers:NAME`."""

    def people(gate: str) -> str:
        return waived.get(gate) or waived.get(gate.partition(":")[0], "")

    return tuple(f if f.ok or not people(f.gate) else replace(f, waived_by=people(f.gate)) for f in findings)
