"""The life of one run: its steps in order, everything undone before the point of no return, finished after it.

Progression, and who moves it. A run is `open` from its first entry in the journal (written by the caller), becomes
`committed` in the one transaction that journals the point of no return (here), and ends `done` or `undone` (here). All
of that is in the control database and survives a crash; nothing else does. What the steps did is read from reality:
fences are triggers in the databases, holds expire by themselves, the stage is in routes.yaml.

    open       a step fails, or the budget is used up   -> every begun step is undone, newest first -> undone
    open       the process is killed                    -> the next command undoes every step        -> undone
    open       the journal step                         -> committed
    committed  a step fails, or the process is killed   -> stays; the next command runs what is not done yet
    committed  the last step                            -> done

A run whose lease was taken touches nothing any more, not even to undo: whoever holds the lease does that. When the
transaction of the point of no return ends in an error, the journal is read back; when it cannot be, nothing is undone,
because writes refused by both databases are safe and two homes are not.

Worked timeline of a cutover (milliseconds after the hold):
      0  hold       PUT to the gateway; at +4 no write is in flight
      5  fence      legacy refuses writes; its transaction carries marker r-7f3 at 0/3A40
     14  drain      modern's strangler.stream shows marker r-7f3
     40  spot       25,003 rows on both sides, totals equal
     46  sequences  posting_sequence 25,003 -> 26,003
     50  journal    COMMIT: the point of no return; kill -9 here
          -- the same command again, seconds later: run r-7f3 is committed, so it goes on below --
         reverse    modern's fence is still raised, so: marker mode=apply and lift, in one transaction
         stage      routes.yaml says canary, so: write modern; wait for every gateway
         release    no gateway holds any more (the hold expired): already done
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import Literal, Protocol

import psycopg

from config.errors import StranglerError
from runbook.errors import LeaseLost, StepFailed, Undecided, UndoFailed, Unfinished

Result = Literal["begun", "done", "already done", "failed", "undone"]


class Step(Protocol):
    """One step of a run. `run` and `undo` may be repeated; `is_done` looks at reality."""

    @property
    def name(self) -> str:
        """One word, as in plans and the journal."""

    def describe(self) -> str:
        """Say what it will do, naming concrete objects."""

    def is_done(self) -> bool:
        """Whether reality is as the step leaves it."""

    def run(self) -> str:
        """Do it, and return the evidence in a few words."""

    def undo(self) -> None:
        """Leave reality as it was before; also when the step never ran."""


class Record(Protocol):
    """Where the run's progress is kept, durably at least from commit to commit. Raises LeaseLost when it is lost."""

    def is_committed(self) -> bool:
        """Whether the point of no return is in the journal."""

    def must_be_ours(self) -> None:
        """Raise LeaseLost when another run may have taken over."""

    def attempt(self, step: str, result: Result, evidence: str, seconds: float) -> None:
        """Note an attempt of a step."""

    def commit(self, evidence: str) -> None:
        """Pass the point of no return."""

    def end(self, status: Literal["done", "undone"]) -> None:
        """End the run."""


@dataclass(frozen=True)
class Event:
    """Something that a person who watches wants to see."""

    step: str
    result: Result
    text: str
    seconds: float = 0.0


Progress = Callable[[Event], None]


@dataclass(frozen=True)
class Steps:
    """The steps of a run: those that can be undone, the point of no return, those that can only be finished."""

    before: Sequence[Step]
    commit: Step
    after: Sequence[Step]

    @property
    def all(self) -> tuple[Step, ...]:
        """In order."""
        return (*self.before, self.commit, *self.after)


@dataclass(frozen=True)
class _Execution:
    steps: Steps
    record: Record
    progress: Progress

    def try_step(self, step: Step) -> None:
        self.progress(Event(step.name, "begun", step.describe()))
        self.record.must_be_ours()
        started = time.monotonic()
        evidence = step.run()
        self.note(step, "done", evidence, time.monotonic() - started)

    def note(self, step: Step, result: Result, evidence: str, seconds: float) -> None:
        self.record.attempt(step.name, result, evidence, seconds)
        self.progress(Event(step.name, result, evidence, seconds))

    def note_failure(self, step: Step, reason: str) -> None:
        """Say and write down that a step failed; that it cannot be written down must not keep anything from undoing."""
        self.progress(Event(step.name, "failed", reason))
        with suppress(Exception):
            self.record.attempt(step.name, "failed", reason, 0.0)

    def undo(self, steps: Sequence[Step], failed: str, reason: str) -> None:
        """Undo all, newest first, also when one of them fails: a fence that stays must not keep a hold too."""
        problems: list[str] = []
        for step in reversed(steps):
            try:
                self.record.must_be_ours()
                step.undo()
                self.note(step, "undone", "", 0.0)
            except LeaseLost:
                raise
            except Exception as error:  # noqa: BLE001  # every failure is reported together below
                problems.append(f"{step.name}: {reason_of(error)}")
                self.progress(Event(step.name, "failed", f"undo: {reason_of(error)}"))
        if problems:
            raise UndoFailed(failed, reason, " ".join(problems))
        self.record.end("undone")


def execute(steps: Steps, record: Record, progress: Progress) -> None:
    """Run an open run to its end, or finish a committed one.

    Raises what a step raised (StranglerError) or StepFailed when everything was undone; UndoFailed when it was not;
    Unfinished after the point of no return; Undecided; LeaseLost.
    """
    execution = _Execution(steps, record, progress)
    is_resumed = record.is_committed()
    if not is_resumed:
        _reach_the_commit(execution)
    _finish(execution, is_resumed)
    record.end("done")


def undo_remains(steps: Steps, record: Record, progress: Progress) -> None:
    """Undo what a killed run that never passed the point of no return may have left. Raises UndoFailed."""
    _Execution(steps, record, progress).undo(steps.before, "of a killed run", "the process ended.")


def _reach_the_commit(execution: _Execution) -> None:
    begun: list[Step] = []
    try:
        for step in execution.steps.before:
            begun.append(step)
            execution.try_step(step)
        begun.append(execution.steps.commit)
        evidence = execution.steps.commit.run()
    except LeaseLost:
        raise
    except BaseException as error:
        _give_up(execution, begun, error)
        raise
    _commit(execution, evidence)


def _commit(execution: _Execution, evidence: str) -> None:
    commit, started = execution.steps.commit, time.monotonic()
    try:
        execution.record.commit(evidence)
    except LeaseLost:
        raise
    except BaseException as error:
        if not _was_committed(execution.record, error):
            _give_up(execution, [*execution.steps.before, commit], error)
            raise
        if not isinstance(error, Exception):
            raise
    execution.progress(Event(commit.name, "done", evidence, time.monotonic() - started))


def _was_committed(record: Record, error: BaseException) -> bool:
    try:
        return record.is_committed()
    except Exception as unreadable:  # noqa: BLE001  # whatever the reason, it is not known
        raise Undecided(getattr(record, "run_id", ""), reason_of(unreadable)) from error


def _give_up(execution: _Execution, begun: Sequence[Step], error: BaseException) -> None:
    """Undo, then raise StepFailed; an error with an exit code of its own (a gate, an approval) stays what it is."""
    failed, reason = begun[-1], reason_of(error)
    execution.note_failure(failed, reason)
    execution.undo(begun, failed.name, reason)
    if isinstance(error, StranglerError) and error.exit_code != StranglerError.exit_code:
        return
    if isinstance(error, Exception):
        raise StepFailed(failed.name, reason) from error


def _finish(execution: _Execution, is_resumed: bool) -> None:
    for step in execution.steps.after:
        try:
            execution.record.must_be_ours()
            # Only of a run that was interrupted: to look costs as much as to do, and writes wait meanwhile.
            if is_resumed and step.is_done():
                execution.note(step, "already done", "", 0.0)
            else:
                execution.try_step(step)
        except LeaseLost:
            raise
        except Exception as error:
            execution.note_failure(step, reason_of(error))
            raise Unfinished(step.name, reason_of(error)) from error


def reason_of(error: BaseException) -> str:
    """Say why in one sentence, without values of rows: of a database's error only its primary message."""
    if isinstance(error, StranglerError):
        return error.sentence
    if isinstance(error, psycopg.Error):
        return f"{error.diag.message_primary or type(error).__name__}."
    return f"{type(error).__name__}: {error}."
