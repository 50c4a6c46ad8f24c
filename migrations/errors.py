"""What stops an upgrade: a turn that does not come, a phase not reached, an edited revision, a failed statement."""

from __future__ import annotations

from dataclasses import dataclass

from config.errors import StranglerError


@dataclass(eq=False)
class AnotherUpgradeRuns(StranglerError):
    """Somebody else upgrades the same database and did not finish in time."""

    service: str
    waited_seconds: float

    @property
    def sentence(self) -> str:
        """The service, and how long we waited."""
        return f"Another upgrade of {self.service!r} still runs after {self.waited_seconds:g} s; nothing was applied."

    @property
    def hint(self) -> str:
        """Who holds the lock."""
        return "Look for its session in pg_locks (locktype advisory), wait for it or end it, and run this again."


@dataclass(eq=False)
class ContractNotAllowed(StranglerError):
    """Contract revisions remove what legacy used, so they need the stage that allows them."""

    service: str
    why: str = "no capability says that it is retired"

    @property
    def sentence(self) -> str:
        """Why it was refused."""
        return f"Contract revisions of {self.service!r} are refused: {self.why}."

    @property
    def hint(self) -> str:
        """How it gets there."""
        return "Retire every capability whose stream ends in this database: strangler plan CAPABILITY."


@dataclass(eq=False)
class RevisionFailed(StranglerError):
    """The database refused a statement of a revision, which was rolled back as a whole."""

    service: str
    statement: str
    reason: str

    @property
    def sentence(self) -> str:
        """The first line of the statement and the server's message."""
        return f"A revision of {self.service!r} failed at {self.statement!r}: {self.reason}."

    @property
    def hint(self) -> str:
        """What is in force now."""
        return "Revisions before it stay applied; it was rolled back. Remove the cause and run the upgrade again."


@dataclass(eq=False)
class LockNotGiven(RevisionFailed):
    """A statement did not get its lock in any attempt."""

    attempts: int = 0

    @property
    def sentence(self) -> str:
        """The statement and the attempts."""
        return f"{self.statement!r} of {self.service!r} did not get its lock in {self.attempts} attempts."

    @property
    def hint(self) -> str:
        """Who is in the way."""
        return "Look for long transactions in pg_stat_activity (xact_start), end them, and run the upgrade again."


@dataclass(eq=False)
class RevisionEdited(StranglerError):
    """A revision that has run says something else now."""

    revisions: tuple[str, ...]

    @property
    def sentence(self) -> str:
        """Which ones."""
        return f"Edited after they ran: {', '.join(self.revisions)}. The database does not have what they say now."

    @property
    def hint(self) -> str:
        """What to do instead."""
        return "Restore them from version control, and say what is new in a further revision."


@dataclass(eq=False)
class IndexesInvalid(StranglerError):
    """CREATE INDEX CONCURRENTLY failed half-way before and left an index that is maintained and never used."""

    indexes: tuple[str, ...]

    @property
    def sentence(self) -> str:
        """Which ones."""
        return f"Indexes that are not valid: {', '.join(self.indexes)}."

    @property
    def hint(self) -> str:
        """How to repair them."""
        return "Run `strangler migrate upgrade --repair`: it builds them anew, concurrently."
