"""A bank of switches with the steps of a cutover on it, in memory, where the process can be killed at any call."""

from __future__ import annotations

from dataclasses import dataclass, field

from runbook.errors import LeaseLost
from runbook.execute import Steps


class Killed(BaseException):
    """The process is gone: nothing that it would do after this happens."""


@dataclass
class World:
    """Reality: what survives the process. `kill_at` counts calls; `fail_at` names a step that raises."""

    stage: str = "legacy"
    legacy_fenced: bool = False
    modern_fenced: bool = True
    held: bool = False
    drained: bool = False
    writes_lost: int = 0
    status: str = "open"
    journal: list[str] = field(default_factory=list)
    calls: int = 0
    kill_at: int | None = None
    kill_after_the_work: bool = False
    is_dead: bool = False
    fail_at: str = ""
    lease_is_lost: bool = False
    journal_answers: bool = True
    commit_ends_in: str = ""

    def call(self, change: dict[str, object]) -> None:
        """One effect on reality; a kill comes before it or after it."""
        if self.is_dead:
            raise Killed
        self.calls += 1
        dies = self.kill_at is not None and self.calls >= self.kill_at
        if dies and not self.kill_after_the_work:
            self.is_dead = True
            raise Killed
        for name, value in change.items():
            setattr(self, name, value)
        if self.stage == "modern" and not self.drained:
            self.writes_lost += 1
        if dies:
            self.is_dead = True
            raise Killed

    @property
    def homes(self) -> tuple[bool, bool]:
        """Whether legacy and modern accept writes."""
        return not self.legacy_fenced, not self.modern_fenced

    def restart(self) -> None:
        """A new process; holds of the old one have expired."""
        self.is_dead, self.kill_at, self.held, self.fail_at = False, None, False, ""


@dataclass
class FakeStep:
    name: str
    world: World
    does: dict[str, object]
    undoes: dict[str, object] = field(default_factory=dict)

    def describe(self) -> str:
        return self.name

    def is_done(self) -> bool:
        self.world.call({})
        return all(getattr(self.world, name) == value for name, value in self.does.items())

    def run(self) -> str:
        if self.world.fail_at == self.name:
            raise RuntimeError("it does not work")
        self.world.call(self.does)
        return "evidence"

    def undo(self) -> None:
        if self.world.fail_at == f"undo {self.name}":
            raise RuntimeError("it cannot be undone")
        self.world.call(self.undoes)


@dataclass
class FakeRecord:
    world: World
    run_id: str = "r-1"

    def is_committed(self) -> bool:
        self.world.call({})
        if not self.world.journal_answers:
            raise RuntimeError("the control database does not answer")
        return self.world.status in ("committed", "done")

    def must_be_ours(self) -> None:
        self._must_hold_the_lease()

    def attempt(self, step: str, result: str, evidence: str, seconds: float) -> None:
        self._must_hold_the_lease()
        self.world.call({})
        self.world.journal.append(f"{step} {result}")

    def commit(self, evidence: str) -> None:
        self._must_hold_the_lease()
        if self.world.commit_ends_in == "nothing":
            raise RuntimeError("the transaction failed")
        self.world.call({"status": "committed"})
        if self.world.commit_ends_in == "error after commit":
            raise RuntimeError("the connection broke after the commit")

    def end(self, status: str) -> None:
        self._must_hold_the_lease()
        self.world.call({"status": status})

    def _must_hold_the_lease(self) -> None:
        if self.world.lease_is_lost:
            raise LeaseLost("accounts", 1)


def cutover_of(world: World) -> Steps:
    """The shape of the real one."""
    return Steps(
        before=[
            FakeStep("preflight", world, {}),
            FakeStep("hold", world, {"held": True}, {"held": False}),
            FakeStep("fence", world, {"legacy_fenced": True}, {"legacy_fenced": False}),
            FakeStep("drain", world, {"drained": True}),
        ],
        commit=FakeStep("journal", world, {}),
        after=[
            FakeStep("reverse", world, {"modern_fenced": False}),
            FakeStep("stage", world, {"stage": "modern"}),
            FakeStep("release", world, {"held": False}),
        ],
    )
