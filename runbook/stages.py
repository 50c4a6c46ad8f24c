"""The stages, and which one comes next in each direction; pure."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from config.model import Stage
from runbook.errors import NoSuchTransition

Kind = Literal["advance", "back", "abandon"]
Home = Literal["legacy", "modern"]

KINDS: tuple[Kind, ...] = ("advance", "back", "abandon")
STAGES: tuple[Stage, ...] = ("legacy", "shadow", "canary", "modern", "retired")
PERCENT_STEPS = (1.0, 5.0, 25.0, 50.0)
HOME: dict[Stage, Home] = {
    "legacy": "legacy",
    "shadow": "legacy",
    "canary": "legacy",
    "modern": "modern",
    "retired": "modern",
}


@dataclass(frozen=True)
class Transition:
    """One step of a capability: between two stages, or between two percentages of canary."""

    kind: Kind
    from_stage: Stage
    to_stage: Stage
    from_percent: float | None = None
    percent: float | None = None

    @property
    def name(self) -> str:
        """As people say it: `canary 5 % -> canary 25 %`."""
        return f"{_named(self.from_stage, self.from_percent)} -> {_named(self.to_stage, self.percent)}"

    @property
    def moves_writes(self) -> bool:
        """Whether writes change their home: this transition is a cutover."""
        return HOME[self.from_stage] != HOME[self.to_stage]

    @property
    def home(self) -> Home:
        """Where writes are answered before it."""
        return HOME[self.from_stage]

    @property
    def new_home(self) -> Home:
        """Where they are answered afterwards."""
        return HOME[self.to_stage]


def _named(stage: Stage, percent: float | None) -> str:
    return f"{stage} {percent:g} %" if stage == "canary" and percent is not None else stage


def advance_from(capability: str, stage: Stage, current: float, percent: float | None) -> Transition:
    """Return the next transition forward; `current` is canary's percentage in routes.yaml, `percent` the wanted one.

    Canary with a higher `percent` stays canary; without `percent` it goes to modern. Raises NoSuchTransition.
    """
    if percent is not None and (problem := _percent_problem(stage, current, percent)):
        raise NoSuchTransition(capability, problem)
    if stage == "retired":
        raise NoSuchTransition(capability, "it is retired, which is the last stage")
    if stage == "shadow":
        return Transition("advance", stage, "canary", percent=_first_percent(current, percent))
    if stage == "canary" and percent is not None:
        return Transition("advance", stage, "canary", from_percent=current, percent=percent)
    following = STAGES[STAGES.index(stage) + 1]
    return Transition("advance", stage, following, from_percent=current if stage == "canary" else None)


def back_from(capability: str, stage: Stage, current: float) -> Transition:
    """Return the transition one stage back. Raises NoSuchTransition for legacy (nothing before) and retired."""
    if stage == "legacy":
        raise NoSuchTransition(capability, "it is on legacy, and there is nothing before that")
    if stage == "retired":
        raise NoSuchTransition(capability, "it is retired: legacy no longer has the data")
    to_stage = STAGES[STAGES.index(stage) - 1]
    return Transition(
        "back",
        stage,
        to_stage,
        from_percent=current if stage == "canary" else None,
        percent=current if to_stage == "canary" else None,
    )


def abandon_from(capability: str, stage: Stage, moved_by: str) -> Transition:
    """Return the transition that gives a capability up. `moved_by` is a run that moved its writes to modern, if any.

    Raises NoSuchTransition once a write has reached modern: what only modern has would be given up too.
    """
    if moved_by:
        raise NoSuchTransition(capability, f"its writes have been on modern (run {moved_by}); abandoning is over")
    if HOME[stage] != "legacy":
        raise NoSuchTransition(capability, f"it is in stage {stage}, whose writes are on modern")
    return Transition("abandon", stage, "legacy")


def next_percent(current: float) -> float | None:
    """Return the next usual percentage above `current`; None when the next step is the cutover."""
    return next((step for step in PERCENT_STEPS if step > current), None)


def _first_percent(current: float, percent: float | None) -> float:
    return percent if percent is not None else (current or PERCENT_STEPS[0])


def _percent_problem(stage: Stage, current: float, percent: float) -> str:
    if stage not in ("shadow", "canary"):
        return f"--percent belongs to canary, and it is in stage {stage}"
    if not 0 < percent <= 100:
        return f"{percent:g} is not a percentage above 0 and up to 100"
    if stage == "canary" and percent <= current:
        return f"canary is at {current:g} % already; `strangler back` goes the other way"
    return ""
