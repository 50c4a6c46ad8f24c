"""A run ends wholly on one side, wherever it is killed and whatever fails."""

from __future__ import annotations

from dataclasses import replace

import psycopg
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from config.errors import DatabaseDown
from runbook.errors import BlockedByGate, LeaseLost, StepFailed, Undecided, UndoFailed, Unfinished
from runbook.execute import Event, Step, execute, reason_of, undo_remains
from tests.support.fake_run import FakeRecord, FakeStep, Killed, World, cutover_of

CALLS_OF_A_RUN = 40


def run(world: World) -> list[Event]:
    events: list[Event] = []
    execute(cutover_of(world), FakeRecord(world), events.append)
    return events


def run_again(world: World) -> None:
    """What `advance` does with an interrupted run."""
    if world.status == "committed":
        execute(cutover_of(world), FakeRecord(world), lambda _: None)
    elif world.status == "open":
        undo_remains(cutover_of(world), FakeRecord(world), lambda _: None)


def is_wholly_legacy(world: World) -> bool:
    return world.homes == (True, False) and world.stage == "legacy" and not world.held and world.status == "undone"


def is_wholly_modern(world: World) -> bool:
    return world.homes == (False, True) and world.stage == "modern" and not world.held and world.status == "done"


def test_all_steps_in_order_and_the_end_on_modern() -> None:
    world = World()
    events = run(world)
    assert is_wholly_modern(world)
    done = [event.step for event in events if event.result == "done"]
    assert done == ["preflight", "hold", "fence", "drain", "journal", "reverse", "stage", "release"]


@pytest.mark.parametrize("after_the_work", [False, True])
@pytest.mark.parametrize("kill_at", range(1, CALLS_OF_A_RUN))
def test_killed_at_any_call_a_rerun_ends_wholly_on_one_side(kill_at: int, after_the_work: bool) -> None:
    world = World(kill_at=kill_at, kill_after_the_work=after_the_work)
    try:
        run(world)
    except Killed:
        was_committed = world.status == "committed"
        world.restart()
        run_again(world)
        assert is_wholly_modern(world) if was_committed or world.status == "done" else is_wholly_legacy(world)
    else:
        assert kill_at > 10, "the run must have been killed while it went on"
        assert is_wholly_modern(world)
    assert world.writes_lost == 0


@given(kills=st.lists(st.tuples(st.integers(1, CALLS_OF_A_RUN), st.booleans()), max_size=6))
@settings(max_examples=200, deadline=None)
def test_killed_again_and_again_it_still_ends_on_one_side(kills: list[tuple[int, bool]]) -> None:
    world = World()
    begun = False
    for calls, after_the_work in [*kills, (10_000, False)]:
        world.restart()
        world.kill_at, world.kill_after_the_work = world.calls + calls, after_the_work
        try:
            run_again(world) if begun else run(world)
        except Killed:
            begun = True
            continue
        break
    world.restart()
    run_again(world)
    assert is_wholly_modern(world) or is_wholly_legacy(world)
    assert world.writes_lost == 0


@pytest.mark.parametrize("step", ["preflight", "hold", "fence", "drain", "journal"])
def test_a_failure_before_the_point_of_no_return_undoes_everything(step: str) -> None:
    world = World(fail_at=step)
    with pytest.raises(StepFailed, match=f"Step {step} failed: RuntimeError: it does not work"):
        run(world)
    assert is_wholly_legacy(world)


@pytest.mark.parametrize("step", ["reverse", "stage", "release"])
def test_a_failure_after_it_is_finished_by_a_rerun(step: str) -> None:
    world = World(fail_at=step)
    with pytest.raises(Unfinished, match=f"Step {step} failed after the point of no return"):
        run(world)
    assert world.status == "committed"
    assert world.legacy_fenced, "writes never go back to legacy once modern may have some"
    world.restart()
    run_again(world)
    assert is_wholly_modern(world)


def test_a_step_that_is_done_already_is_not_run_again() -> None:
    world = World(fail_at="release")
    with pytest.raises(Unfinished):
        run(world)
    world.restart()
    world.journal.clear()
    run_again(world)
    assert world.journal == ["reverse already done", "stage already done", "release already done"]


def test_a_run_that_was_not_interrupted_looks_at_no_step_before_it_does_it() -> None:
    asked: list[str] = []

    class Unasked:
        def __init__(self, step: Step) -> None:
            self.name, self.describe, self.run, self.undo = step.name, step.describe, step.run, step.undo

        def is_done(self) -> bool:
            asked.append(self.name)
            return False

    world = World()
    steps = cutover_of(world)
    execute(replace(steps, after=[Unasked(step) for step in steps.after]), FakeRecord(world), lambda _: None)
    assert is_wholly_modern(world)
    assert not asked


def test_an_undo_that_fails_does_not_keep_the_others_from_being_undone() -> None:
    world = World(fail_at="drain")
    steps = cutover_of(world)
    fence = steps.before[2]
    assert isinstance(fence, FakeStep)
    fence.undo = lambda: (_ for _ in ()).throw(DatabaseDown("legacy", "gone"))  # type: ignore[method-assign]
    with pytest.raises(UndoFailed, match="fence: The database 'legacy' does not answer"):
        execute(steps, FakeRecord(world), lambda _: None)
    assert not world.held
    assert world.status == "open", "the next command must find the run and undo what is left"


def test_who_lost_the_lease_touches_nothing_more() -> None:
    world = World()
    steps = cutover_of(world)

    def lose(event: Event) -> None:
        if (event.step, event.result) == ("drain", "begun"):
            world.lease_is_lost = True

    with pytest.raises(LeaseLost):
        execute(steps, FakeRecord(world), lose)
    assert world.legacy_fenced
    assert world.held
    assert world.status == "open"


def test_a_commit_that_did_not_happen_is_undone() -> None:
    world = World(commit_ends_in="nothing")
    with pytest.raises(StepFailed):
        run(world)
    assert is_wholly_legacy(world)


def test_a_commit_whose_answer_was_lost_is_read_back_and_finished() -> None:
    world = World(commit_ends_in="error after commit")
    run(world)
    assert is_wholly_modern(world)


def test_a_commit_that_cannot_be_read_back_leaves_both_sides_refusing_writes() -> None:
    world = World(commit_ends_in="nothing")

    def break_the_journal(event: Event) -> None:
        world.journal_answers = (event.step, event.result) != ("drain", "done")

    with pytest.raises(Undecided):
        execute(cutover_of(world), FakeRecord(world), break_the_journal)
    assert world.homes == (False, False)
    assert world.status == "open"


def test_control_c_before_the_point_of_no_return_undoes_and_is_raised_again() -> None:
    world = World()

    def interrupt(event: Event) -> None:
        if (event.step, event.result) == ("drain", "begun"):
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        execute(cutover_of(world), FakeRecord(world), interrupt)
    assert is_wholly_legacy(world)


def test_a_gate_keeps_its_exit_code() -> None:
    world = World()
    steps = cutover_of(world)
    blocked = BlockedByGate("accounts", ())
    preflight = steps.before[0]
    assert isinstance(preflight, FakeStep)
    preflight.run = lambda: (_ for _ in ()).throw(blocked)  # type: ignore[method-assign]
    with pytest.raises(BlockedByGate) as caught:
        execute(steps, FakeRecord(world), lambda _: None)
    assert caught.value.exit_code == 3
    assert is_wholly_legacy(world)


def test_a_reason_shows_no_row() -> None:
    assert reason_of(psycopg.errors.UniqueViolation("DETAIL: Key (id)=(4711)")) == "UniqueViolation."


class Operator(RuleBasedStateMachine):
    """An operator who advances, is killed, tries again; reality must always be one of four states."""

    def __init__(self) -> None:
        super().__init__()
        self.world = World()
        self.begun = False

    @rule(calls=st.integers(1, CALLS_OF_A_RUN), after_the_work=st.booleans())
    def command_is_killed(self, calls: int, after_the_work: bool) -> None:
        self.world.restart()
        self.world.kill_at, self.world.kill_after_the_work = self.world.calls + calls, after_the_work
        self._command()

    @rule(step=st.sampled_from(["hold", "fence", "drain", "reverse", "stage", "release", "undo fence", "undo hold"]))
    def command_meets_a_failure(self, step: str) -> None:
        self.world.restart()
        self.world.fail_at = step
        self._command()

    @rule()
    def command_goes_well(self) -> None:
        self.world.restart()
        self._command()
        assert is_wholly_modern(self.world) or is_wholly_legacy(self.world)

    def _command(self) -> None:
        if self.world.status in ("undone", "done"):
            self.world.status, self.world.stage = "open", "legacy"
            self.world.legacy_fenced, self.world.modern_fenced, self.world.drained = False, True, False
            self.begun = False
        try:
            run_again(self.world) if self.begun else run(self.world)
        except (Killed, StepFailed, UndoFailed, Unfinished):
            self.begun = True

    @invariant()
    def never_two_homes(self) -> None:
        assert self.world.homes != (True, True)

    @invariant()
    def nothing_lost(self) -> None:
        assert self.world.writes_lost == 0


TestOperator = Operator.TestCase
TestOperator.settings = settings(max_examples=60, stateful_step_count=20, deadline=None)
