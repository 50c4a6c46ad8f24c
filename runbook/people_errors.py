"""What people may not do: words of one person where two are needed, and capabilities that were told to stay."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from config.errors import USAGE, StranglerError
from runbook.errors import BLOCKED


@dataclass(eq=False)
class Paused(StranglerError):
    """A person has paused the capability."""

    capability: str
    actor: str
    since: str
    reason: str
    exit_code: ClassVar[int] = BLOCKED
    says: ClassVar[str] = "{self.capability} was paused by {self.actor} at {self.since:.16}: {self.reason}."
    advises: ClassVar[str] = "strangler resume {self.capability}; strangler back {self.capability} is allowed meanwhile"


@dataclass(eq=False)
class PromotionStopped(StranglerError):
    """Automatic promotion went no further. The reason is a sentence without its full stop."""

    capability: str
    stage: str
    reason: str
    exit_code: ClassVar[int] = BLOCKED
    says: ClassVar[str] = "{self.capability} stays in stage {self.stage}: {self.reason}."
    advises: ClassVar[str] = (
        "strangler report {self.capability} shows the verdict; run the same command again when it is mended"
    )

    def __post_init__(self) -> None:
        self.reason = self.reason.rstrip(".")


@dataclass(eq=False)
class StreamsRun(StranglerError):
    """A process still reads the slots of a capability that is to be abandoned."""

    capability: str
    database: str
    says: ClassVar[str] = "A process still reads the slot of {self.capability} in {self.database}."
    advises: ClassVar[str] = "Stop `strangler sync run {self.capability}` and run the same command again."


@dataclass(eq=False)
class WaiverTooLong(StranglerError):
    """A waiver was asked for that lasts no time, or so long that nobody would remember it."""

    asked: str
    longest: str
    exit_code: ClassVar[int] = USAGE
    says: ClassVar[str] = "A waiver lasts more than nothing and at most {self.longest}, not {self.asked}."


@dataclass(eq=False)
class NeedsTwoPeople(StranglerError):
    """A waiver was asked for by one person alone, or an approval by nobody."""

    what: str
    exit_code: ClassVar[int] = USAGE
    says: ClassVar[str] = "{self.what} needs two different people."


@dataclass(eq=False)
class OwnPlan(StranglerError):
    """An approval of a plan by the one who made it."""

    author: str
    plan_hash: str
    exit_code: ClassVar[int] = USAGE
    says: ClassVar[str] = "{self.author} made plan {self.plan_hash:.12}, and nobody approves a plan of their own."
    advises: ClassVar[str] = "Another person reads it and approves it; its author may reject it."


@dataclass(eq=False)
class UnknownGate(StranglerError):
    """A waiver or a question named a gate that does not exist."""

    gate: str
    known: tuple[str, ...]
    exit_code: ClassVar[int] = USAGE
    says: ClassVar[str] = "There is no gate {self.gate!r}."

    @property
    def hint(self) -> str:
        """The names that exist."""
        return f"Known: {', '.join(self.known)}."
