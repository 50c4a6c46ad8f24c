"""Automatic promotion: through shadow and the percentages of canary by the comparison's verdict alone.

It stops where nothing is decided, goes back at once where the verdict fails, and never makes a cutover: the step that
moves the writes is a person's.

    shadow   need more -> wait, at most `patience`; pass -> canary 1 %; fail -> stop (shadow harms nobody)
    canary   pass for `dwell` -> the next percentage; fail -> back to shadow; after the last percentage -> stop
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from time import monotonic, sleep
from typing import Literal

from config.model import Stage
from config.reader import read_routes
from runbook import advance as moves
from runbook.comparison import read_report
from runbook.control import Control
from runbook.execute import Progress
from runbook.pauses import Pause, pause_of
from runbook.people_errors import PromotionStopped
from runbook.stages import next_percent
from shadow.store import StoreDown

POLL_SECONDS = 0.25

Answer = Literal["pass", "fail", "need more"]
What = Literal["advance", "back", "wait", "done", "stop"]


@dataclass(frozen=True)
class Situation:
    """What is looked at: `for_seconds` is how long the capability has been where it is."""

    stage: Stage
    percent: float
    answer: Answer
    reason: str
    for_seconds: float
    pause: Pause | None = None


@dataclass(frozen=True)
class Decision:
    """What is done next, and why."""

    what: What
    why: str
    percent: float | None = None


@dataclass(frozen=True)
class Patience:
    """How long one percentage is looked at before the next, and how long it may stay undecided."""

    dwell_seconds: float = 300.0
    undecided_seconds: float = 3600.0


def decide(now: Situation, patience: Patience) -> Decision:
    """Choose the next thing to do; pure."""
    if now.stage == "canary" and now.answer == "fail":
        return Decision("back", f"the verdict fails: {now.reason}")
    if now.pause is not None:
        return Decision("stop", f"it was paused by {now.pause.actor}: {now.pause.reason}")
    if now.stage == "legacy":
        return Decision("advance", "shadow harms nobody")
    if now.stage not in ("shadow", "canary"):
        return Decision("done", f"it is in stage {now.stage}")
    if now.answer != "pass":
        return _undecided(now, patience)
    if now.stage == "shadow":
        return Decision("advance", "the verdict passes")
    if now.for_seconds < patience.dwell_seconds:
        return Decision("wait", f"the verdict passes for {now.for_seconds:.0f} of {patience.dwell_seconds:.0f} s")
    percent = next_percent(now.percent)
    if percent is None:
        return Decision("done", f"canary is at {now.percent:g} %; the cutover is a person's")
    return Decision("advance", "the verdict passes", percent)


def _undecided(now: Situation, patience: Patience) -> Decision:
    if now.answer == "fail":
        return Decision("stop", f"the verdict fails: {now.reason}")
    if now.for_seconds > patience.undecided_seconds:
        return Decision("stop", f"undecided for {now.for_seconds:.0f} s: {now.reason}")
    return Decision("wait", now.reason)


def promote(
    routes_path: Path,
    capability: str,
    *,
    patience: Patience,
    actor: str,
    progress: Progress,
    say: Callable[[str], None],
) -> str:
    """Walk until there is nothing more to do; returns why. Raises PromotionStopped, and what `advance` raises."""
    since, at = monotonic(), ("", 0.0)
    told = ""
    while True:
        situation = _look(routes_path, capability, monotonic() - since)
        if (situation.stage, situation.percent) != at:
            since, at = monotonic(), (situation.stage, situation.percent)
            continue
        decision = decide(situation, patience)
        if decision.what in ("advance", "back") or decision.why.partition(" for ")[0] != told:
            told = decision.why.partition(" for ")[0]
            say(f"{capability} in {situation.stage}: {decision.what}, {decision.why}")
        if decision.what == "wait":
            sleep(POLL_SECONDS)
        elif decision.what == "advance":
            moves.advance(routes_path, capability, percent=decision.percent, actor=actor, progress=progress)
        elif decision.what == "back":
            moves.back(routes_path, capability, actor=actor, progress=progress)
            raise PromotionStopped(capability, "shadow", decision.why)
        elif decision.what == "stop":
            raise PromotionStopped(capability, situation.stage, decision.why)
        else:
            return decision.why


def _look(routes_path: Path, capability: str, for_seconds: float) -> Situation:
    routes = read_routes(routes_path)
    one = routes.capabilities[capability]
    control = Control.of(routes)
    try:
        found = pause_of(control, capability)
    finally:
        control.close()
    answer: Answer = "need more"
    reason = "nothing was compared yet"
    if one.stage in ("shadow", "canary"):
        try:
            verdict = read_report(routes_path, capability).verdict
            answer, reason = verdict.answer, verdict.reasons[0].text if verdict.reasons else ""
        except StoreDown as error:
            reason = error.sentence
    percent = one.canary_percent if one.stage == "canary" else 0.0
    return Situation(one.stage, percent, answer, reason, for_seconds, found)
