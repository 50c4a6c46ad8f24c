"""What stops a run: a gate, a missing approval, a stale plan, another run's lease, a step that failed."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar

from config.errors import USAGE, StranglerError

if TYPE_CHECKING:
    from runbook.gates import Finding

BLOCKED, WAITING, STALE, DIFFERENT, LEASED = 3, 4, 5, 6, 7


@dataclass(eq=False)
class BlockedByGate(StranglerError):
    """One or more gates do not pass, and no waiver covers them."""

    capability: str
    findings: tuple[Finding, ...]
    exit_code: ClassVar[int] = BLOCKED

    @property
    def sentence(self) -> str:
        """Every gate that blocks, with its evidence."""
        lines = "\n".join(f"  {f.gate}: {f.evidence} (needs {f.threshold})" for f in self.findings)
        return f"{self.capability} is blocked by {len(self.findings)} gate(s):\n{lines}\n"

    @property
    def hint(self) -> str:
        """What clears each of them."""
        return "\n".join(f"  {f.gate}: {f.remedy}" for f in self.findings)


@dataclass(eq=False)
class WaitingForApproval(StranglerError):
    """The plan has fewer approvals than routes.yaml asks for, or somebody rejected it."""

    capability: str
    plan_hash: str
    needed: int
    approved_by: tuple[str, ...]
    rejected_by: tuple[str, ...]
    options: str = ""  # --back or --percent N, where the plan is not the one that comes without them
    void: tuple[str, ...] = ()
    exit_code: ClassVar[int] = WAITING

    @property
    def sentence(self) -> str:
        """How many of how many, and by whom."""
        have = ", ".join(self.approved_by) or "nobody"
        text = f"{self.capability} needs {self.needed} approval(s) of plan {self.plan_hash[:12]}; given by {have}"
        text += f", rejected by {', '.join(self.rejected_by)}" if self.rejected_by else ""
        return "; ".join((text, *self.void)) + "."

    @property
    def hint(self) -> str:
        """The command that another person runs."""
        approve = f"strangler approve {self.capability}{self.options} --plan {self.plan_hash}"
        if self.void:
            return f"Who stands by it after `strangler gates {self.capability}` approves again: {approve}"
        return f"Another person than the one who made it or starts it: {approve}"


@dataclass(eq=False)
class PlanStale(StranglerError):
    """What the plan was bound to has changed since it was shown."""

    capability: str
    given: str
    current: str = ""
    exit_code: ClassVar[int] = STALE

    @property
    def sentence(self) -> str:
        """The hash that was given and the one that holds now; without one, the file changed while the plan was run."""
        now = f"the plan is now {self.current[:12]}" if self.current else "routes.yaml is another file now"
        return f"Plan {self.given[:12]} of {self.capability} is stale; {now}."

    @property
    def hint(self) -> str:
        """Look at the new plan."""
        return f"Look at it with: strangler plan {self.capability}"


@dataclass(eq=False)
class LeaseHeld(StranglerError):
    """Another run of the same capability is going on."""

    capability: str
    owner: str
    until: str
    exit_code: ClassVar[int] = LEASED

    @property
    def sentence(self) -> str:
        """Who holds the lease, and until when."""
        return f"Another run of {self.capability} holds the lease: {self.owner}, until {self.until}."

    @property
    def hint(self) -> str:
        """Wait."""
        return "Wait until it ends; a run whose process has died gives the lease up by itself."


@dataclass(eq=False)
class LeaseLost(StranglerError):
    """This run's lease expired and was taken by another run; nothing more may be done by this one."""

    capability: str
    generation: int
    exit_code: ClassVar[int] = LEASED

    @property
    def sentence(self) -> str:
        """Which lease."""
        return f"The lease of {self.capability} (generation {self.generation}) is no longer this run's."

    @property
    def hint(self) -> str:
        """What happens to the run."""
        return "The run that holds it now completes or undoes what this one began."


@dataclass(eq=False)
class RunOfAnotherVersion(StranglerError):
    """A run was interrupted that this version of the program does not know how to end."""

    run_id: str
    what: str

    @property
    def sentence(self) -> str:
        """Which run, and what is not known of it."""
        return f"Run {self.run_id} was begun by another version of the program: {self.what} is not known here."

    @property
    def hint(self) -> str:
        """Who can."""
        return "Run the same command with the version that began it; nothing was touched."


@dataclass(eq=False)
class NoSuchTransition(StranglerError):
    """A capability cannot go where the command wants it."""

    capability: str
    reason: str
    exit_code: ClassVar[int] = USAGE

    @property
    def sentence(self) -> str:
        """Why not."""
        return f"{self.capability}: {self.reason}."


@dataclass(eq=False)
class StepFailed(StranglerError):
    """A step failed before the point of no return; everything was undone."""

    step: str
    reason: str

    @property
    def sentence(self) -> str:
        """Which step, why, and that nothing remains."""
        return f"Step {self.step} failed: {self.reason} Everything was undone; writes go where they went before."


@dataclass(eq=False)
class UndoFailed(StranglerError):
    """A step failed and undoing it failed too: the run remains open."""

    step: str
    reason: str
    undo_reason: str

    @property
    def sentence(self) -> str:
        """Both reasons."""
        return f"Step {self.step} failed: {self.reason} Undoing it failed too: {self.undo_reason}"

    @property
    def hint(self) -> str:
        """The same command again."""
        return "Run the same command again once that is mended: it undoes what is left before it does anything else."


@dataclass(eq=False)
class Unfinished(StranglerError):
    """A step failed after the point of no return: the run can only be finished."""

    step: str
    reason: str

    @property
    def sentence(self) -> str:
        """Which step, and that there is no way but on."""
        return f"Step {self.step} failed after the point of no return: {self.reason}"

    @property
    def hint(self) -> str:
        """The same command again."""
        return "Run the same command again to finish the run; `strangler back` returns afterwards and loses nothing."


@dataclass(eq=False)
class Undecided(StranglerError):
    """Whether the point of no return was passed could not be read back from the control database."""

    run_id: str
    reason: str

    @property
    def sentence(self) -> str:
        """Why it is not known."""
        return f"Run {self.run_id} could not be written to the journal, and not be read back: {self.reason}"

    @property
    def hint(self) -> str:
        """Writes stay fenced until the journal answers."""
        return "Writes stay refused. Bring the control database back and run the same command again."


@dataclass(eq=False)
class BudgetExceeded(StranglerError):
    """What a step waits for did not happen in the time that it has."""

    what: str
    seconds: float

    @property
    def sentence(self) -> str:
        """What was waited for, and how long."""
        return f"{self.what} did not happen within {self.seconds:.1f} s."


@dataclass(eq=False)
class GatewayUnreachable(StranglerError):
    """The admin API of a gateway does not answer, or refuses us."""

    url: str
    reason: str

    @property
    def sentence(self) -> str:
        """Which gateway, and why."""
        return f"The gateway at {self.url} does not answer: {self.reason}."

    @property
    def hint(self) -> str:
        """Where its address comes from."""
        return "Start it, or correct gateway.admin or gateway.instances in routes.yaml (token: STRANGLER_ADMIN_TOKEN)."


@dataclass(eq=False)
class JournalBroken(StranglerError):
    """The journal is not what was written: an entry was changed, removed or moved."""

    path: Path
    reason: str
    exit_code: ClassVar[int] = DIFFERENT

    @property
    def sentence(self) -> str:
        """What does not fit."""
        return f"The journal (head in {self.path}) is broken: {self.reason}."

    @property
    def hint(self) -> str:
        """Restore, and find out who."""
        return "Nothing is run on it. Compare with a backup of the control database: strangler journal verify."


@dataclass(eq=False)
class SpotDifference(StranglerError):
    """The quick comparison inside the pause found that the two databases do not agree."""

    problems: tuple[str, ...]
    exit_code: ClassVar[int] = DIFFERENT

    @property
    def sentence(self) -> str:
        """Which tables, and in what; never a value."""
        return f"The two databases do not agree: {'; '.join(self.problems)}."

    @property
    def hint(self) -> str:
        """Find the rows."""
        return "Find the rows with: strangler sync verify"


@dataclass(eq=False)
class SequenceTooSmall(StranglerError):
    """A sequence cannot be raised above the other side's, because it ends before."""

    sequence: str
    needed: int
    maximum: int

    @property
    def sentence(self) -> str:
        """Which sequence, and where it ends."""
        return f"Sequence {self.sequence} ends at {self.maximum}, but must go on after {self.needed}."

    @property
    def hint(self) -> str:
        """Make it larger."""
        return f"ALTER SEQUENCE {self.sequence} AS bigint, or raise its MAXVALUE."
