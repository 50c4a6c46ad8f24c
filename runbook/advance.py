"""The commands that move a capability: plan, advance, back, and what people say about them."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, replace
from datetime import timedelta
from pathlib import Path
from typing import ClassVar, Literal

from config.errors import DatabaseDown, StranglerError, UnknownCapability
from config.model import Routes
from config.reader import read_routes
from runbook import pauses, runs
from runbook.approvals import Decisions, decide, note_author
from runbook.basis import Basis
from runbook.control import Control
from runbook.cutover import steps_for
from runbook.errors import PlanStale
from runbook.execute import Event, Progress, Steps, execute, undo_remains
from runbook.gate_round import ask
from runbook.gates import Finding
from runbook.ground import Ground, standing_on, transition_of
from runbook.journal import Journal
from runbook.lease import Lease, acquire, release
from runbook.pauses import Pause
from runbook.plan import Plan, is_stale
from runbook.planning import bare_plan_on, plan_on
from runbook.stages import Kind, Transition, abandon_from
from runbook.waivers import Waiver, give_waiver


@dataclass(frozen=True)
class Outcome:
    """What a command did. `resolved` says what happened to a run that had been interrupted before it."""

    capability: str
    transition: Transition
    run_id: str
    plan_hash: str
    events: tuple[Event, ...]
    pause_seconds: float | None
    resolved: Literal["", "finished", "undone"] = ""
    exit_code: ClassVar[int] = 0

    @property
    def next_commands(self) -> tuple[str, ...]:
        """What may be run now."""
        return (f"strangler status {self.capability}", f"strangler plan {self.capability}")


@dataclass(frozen=True)
class _Desk:
    """Routes and journal, open for one command."""

    routes: Routes
    journal: Journal

    @property
    def control(self) -> Control:
        return self.journal.control


def quiet(_event: Event) -> None:
    """Show nothing."""


def make_plan(
    routes_path: Path, capability: str, *, kind: Kind = "advance", percent: float | None = None, actor: str = ""
) -> Plan:
    """Return what `advance` (or `back`) would do now, with its hash. Raises NoSuchTransition, DatabaseDown.

    An `actor` is kept as the plan's author, unless somebody made the same plan before.
    """
    with _desk(routes_path) as desk, _ground(desk, capability, kind, percent) as ground:
        plan = plan_on(ground)
        return replace(plan, author=note_author(desk.journal, plan, actor)) if actor else plan


def advance(
    routes_path: Path,
    capability: str,
    *,
    percent: float | None = None,
    plan_hash: str | None = None,
    actor: str,
    progress: Progress = quiet,
) -> Outcome:
    """Move a capability one stage on (or to more canary), after what an interrupted run left is resolved.

    Raises PlanStale, BlockedByGate, WaitingForApproval, LeaseHeld, SpotDifference (their exit codes are DESIGN's), or
    StepFailed when everything was undone, UndoFailed or Unfinished when the same command has to be run again.
    """
    return _move(routes_path, _Order(capability, "advance", percent, plan_hash, actor), progress)


def back(
    routes_path: Path, capability: str, *, plan_hash: str | None = None, actor: str, progress: Progress = quiet
) -> Outcome:
    """Move a capability one stage back; raises as `advance` does."""
    return _move(routes_path, _Order(capability, "back", None, plan_hash, actor), progress)


def abandon(routes_path: Path, capability: str, *, actor: str, progress: Progress = quiet) -> Outcome:
    """Give a capability up: it is on legacy again, and nothing of its streams is left. Raises NoSuchTransition."""
    return _move(routes_path, _Order(capability, "abandon", None, None, actor), progress)


def pause(routes_path: Path, capability: str, *, actor: str, reason: str) -> Pause:
    """Let a capability go no further until somebody resumes it. Raises UnknownCapability."""
    with _desk(routes_path, capability) as desk:
        return pauses.pause(desk.journal, capability, actor, reason)


def resume(routes_path: Path, capability: str, *, actor: str) -> Pause | None:
    """Take a pause back; None where there was none. Raises UnknownCapability."""
    with _desk(routes_path, capability) as desk:
        return pauses.resume(desk.journal, capability, actor)


def approve(  # noqa: PLR0913  # the words of one sentence, all of them named by the caller
    routes_path: Path,
    capability: str,
    *,
    plan_hash: str,
    actor: str,
    kind: Kind = "advance",
    percent: float | None = None,
    decision: Literal["approve", "reject"] = "approve",
) -> Decisions:
    """Approve or reject exactly the plan with that hash, an approval on what the gates say now.

    Raises PlanStale when it is no longer the plan, OwnPlan for its author, DatabaseDown.
    """
    with _desk(routes_path) as desk, _ground(desk, capability, kind, percent) as ground:
        plan = bare_plan_on(ground)
        if is_stale(plan_hash, plan.hash):
            raise PlanStale(capability, plan_hash, plan.hash)
        basis = ask(ground).basis if decision == "approve" else Basis()
        return decide(desk.journal, plan, decision, actor, basis)


def waive(  # noqa: PLR0913  # as above
    routes_path: Path, capability: str, gate: str, *, lasting: timedelta, reason: str, actor: str, second: str
) -> Waiver:
    """Let a gate pass for a time, on the word of two people. Raises NeedsTwoPeople, UnknownGate."""
    with _desk(routes_path, capability) as desk:
        return give_waiver(desk.journal, Waiver(capability, gate, reason, actor, second, ""), lasting)


def gates(
    routes_path: Path, capability: str, *, kind: Kind = "advance", percent: float | None = None
) -> tuple[Finding, ...]:
    """Ask the gates of the next transition now, with waivers marked. Raises what cannot be asked."""
    with _desk(routes_path) as desk, _ground(desk, capability, kind, percent) as ground:
        return ask(ground).findings


@dataclass(frozen=True)
class _Order:
    capability: str
    kind: Kind
    percent: float | None
    plan_hash: str | None
    actor: str


class _Watch:
    """Passes events on to whoever watches, and keeps them for the outcome."""

    def __init__(self, progress: Progress) -> None:
        self.events: list[Event] = []
        self._progress = progress

    def __call__(self, event: Event) -> None:
        self.events.append(event)
        self._progress(event)


def _move(routes_path: Path, order: _Order, progress: Progress) -> Outcome:
    watch = _Watch(progress)
    with _desk(routes_path, order.capability) as desk, _leased(desk, order) as lease:
        left = runs.interrupted(desk.control, order.capability)
        if left is None:
            return _run(desk, lease, order, watch)
        record = _resolve(desk, lease, left, watch)
        if left.status == "committed":
            pause = record.pause_seconds
            events = tuple(watch.events)
            return Outcome(left.capability, left.transition, left.id, left.plan_hash, events, pause, "finished")
        return replace(_run(desk, lease, order, watch), resolved="undone")


def _run(desk: _Desk, lease: Lease, order: _Order, watch: _Watch) -> Outcome:
    transition = transition_of(desk.routes, order.capability, order.kind, order.percent)
    if order.kind == "advance":
        pauses.must_not_be_paused(desk.control, order.capability)
    if order.kind == "abandon":
        abandon_from(order.capability, transition.from_stage, runs.moved_by(desk.control, order.capability))
    with standing_on(desk.routes, order.capability, transition, desk.journal, actor=order.actor) as ground:
        plan = bare_plan_on(ground)
        if order.plan_hash is not None and is_stale(order.plan_hash, plan.hash):
            raise PlanStale(order.capability, order.plan_hash, plan.hash)
        record = runs.begin(desk.journal, lease, plan, order.actor)
        ground.run_id, ground.plan_hash = record.run_id, plan.hash
        _execute(steps_for(ground, record), record, ground, watch)
        pause = ground.budget.pause_seconds
        return Outcome(order.capability, transition, record.run_id, plan.hash, tuple(watch.events), pause)


def _resolve(desk: _Desk, lease: Lease, left: runs.Run, watch: _Watch) -> runs.RunRecord:
    """Finish a committed run, undo one that was not; reality says what of it is left to do."""
    record = runs.RunRecord(desk.journal, lease, left.id, left.actor)
    with standing_on(desk.routes, left.capability, left.transition, desk.journal, actor=left.actor) as ground:
        ground.run_id, ground.plan_hash = left.id, left.plan_hash
        steps = steps_for(ground, record)
        if left.status == "committed":
            _execute(steps, record, ground, watch)
        else:
            undo_remains(steps, record, watch)
    return record


def _execute(steps: Steps, record: runs.RunRecord, ground: Ground, watch: _Watch) -> None:
    def noting_the_pause(event: Event) -> None:
        record.pause_seconds = ground.budget.pause_seconds
        watch(event)

    record.is_paused = lambda: ground.budget.is_running
    try:
        execute(steps, record, noting_the_pause)
    finally:
        with suppress(StranglerError):
            record.flush()


@contextmanager
def _desk(routes_path: Path, capability: str | None = None) -> Iterator[_Desk]:
    routes = read_routes(routes_path)
    if capability is not None and capability not in routes.capabilities:
        raise UnknownCapability(capability, tuple(routes.capabilities))
    control = Control.of(routes)
    try:
        journal = Journal(control)
        journal.must_be_whole()
        yield _Desk(routes, journal)
    finally:
        control.close()


@contextmanager
def _ground(desk: _Desk, capability: str, kind: Kind, percent: float | None) -> Iterator[Ground]:
    transition = transition_of(desk.routes, capability, kind, percent)
    with standing_on(desk.routes, capability, transition, desk.journal) as ground:
        yield ground


@contextmanager
def _leased(desk: _Desk, order: _Order) -> Iterator[Lease]:
    lease = acquire(desk.control, order.capability, order.actor)
    try:
        yield lease
    finally:
        # One that cannot be given up expires by itself, or when this process has ended.
        with suppress(DatabaseDown):
            release(desk.control, lease)
