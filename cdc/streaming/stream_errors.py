"""What stops a stream, as errors that name the stream, the place and what to do."""

from __future__ import annotations

from dataclasses import dataclass

import psycopg

from config.errors import StranglerError


@dataclass(eq=False)
class StreamError(StranglerError):
    """A stream that must not go on; the reason is stored in `strangler.stream`."""

    stream: str


@dataclass(eq=False)
class ChangesLost(StreamError):
    """The slot has been confirmed past the checkpoint: what lies between will never be sent again."""

    slot: str
    checkpoint: str
    confirmed: str

    @property
    def sentence(self) -> str:
        """Both positions."""
        return (
            f"The stream {self.stream} has applied {self.checkpoint}, but its slot {self.slot!r} starts at "
            f"{self.confirmed}: the changes between are lost."
        )

    @property
    def hint(self) -> str:
        """The two ways in which this happens, and the one way on."""
        return (
            "The target was restored from a backup, or the slot was dropped and made anew. Drop the slot and the row "
            "of strangler.stream in the target; the next `sync run` makes a new backfill."
        )


@dataclass(eq=False)
class SlotGone(StreamError):
    """The slot does not exist, or PostgreSQL has removed the log that it needs."""

    slot: str
    reason: str

    @property
    def sentence(self) -> str:
        """Which slot, and why it cannot be used."""
        return f"The stream {self.stream} cannot go on: its slot {self.slot!r} {self.reason}."

    @property
    def hint(self) -> str:
        """A new backfill."""
        return "Delete the stream's row of strangler.stream in the target; the next `sync run` makes a new backfill."


@dataclass(eq=False)
class OtherSource(StreamError):
    """The source is not the database server that the checkpoint was made against."""

    expected: str
    found: str

    @property
    def sentence(self) -> str:
        """System identifier and timeline, expected and found."""
        return f"The stream {self.stream} was made against {self.expected}, but its source is now {self.found}."

    @property
    def hint(self) -> str:
        """Point at the right server, or begin anew."""
        return (
            "Correct the source's url in routes.yaml. After a failover of the source, verify, then delete the stream's "
            "row of strangler.stream in the target for a new backfill."
        )


@dataclass(eq=False)
class SourceWentBack(StreamError):
    """The source's log ends before the checkpoint: it is older than what was already taken from it."""

    checkpoint: str
    end: str

    @property
    def sentence(self) -> str:
        """Both positions."""
        return (
            f"The stream {self.stream} has applied {self.checkpoint}, but the source's log ends at {self.end}: the "
            "source was restored to an older state."
        )

    @property
    def hint(self) -> str:
        """Only a person knows which side is right."""
        return (
            "The target has changes that the source has lost. Decide which side is right (`strangler sync verify` names"
            " the rows), then delete the stream's row of strangler.stream in the target for a new backfill."
        )


@dataclass(eq=False)
class SecondApplier(StreamError):
    """Another process applies this stream."""

    @property
    def sentence(self) -> str:
        """Which stream."""
        return f"Another process applies the stream {self.stream}."

    @property
    def hint(self) -> str:
        """One process a capability."""
        return "Run `strangler sync run` once for each capability; stop the other process first."


@dataclass(eq=False)
class SourceNotReady(StreamError):
    """The source cannot be streamed from as it is set up."""

    problem: str
    remedy: str

    @property
    def sentence(self) -> str:
        """What is missing."""
        return f"The stream {self.stream} cannot be made: {self.problem}."

    @property
    def hint(self) -> str:
        """What to change."""
        return self.remedy


@dataclass(eq=False)
class RelationChanged(StreamError):
    """A table that a mapping reads is not what the mapping was compiled for."""

    table: str
    problem: str

    @property
    def sentence(self) -> str:
        """Which table, and what changed."""
        return f"The stream {self.stream} stops at a changed table: {self.table} {self.problem}."

    @property
    def hint(self) -> str:
        """Adapt and start again."""
        return (
            "Adapt the mapping or the table, look at `strangler sync check`, and start `sync run` again. Rows "
            "that were written with another type need a new backfill."
        )


@dataclass(eq=False)
class ValueMissing(StreamError):
    """A row cannot be computed, because a large value that did not change is not in the log."""

    table: str
    key: str
    column: str

    @property
    def sentence(self) -> str:
        """Which row and column."""
        return (
            f"The stream {self.stream} cannot compute {self.column} of {self.table} for the source row {self.key}: "
            "a large value that it is computed from did not change and is not in the log."
        )

    @property
    def hint(self) -> str:
        """Replica identity full sends it."""
        return f"ALTER TABLE {self.table} REPLICA IDENTITY FULL on the source, then make a new backfill."


@dataclass(eq=False)
class RowRefused(StreamError):
    """The target refuses one row, also when it is applied alone and in its place."""

    table: str
    key: str
    target: str
    reason: str

    @property
    def sentence(self) -> str:
        """The row by its key, and the target's reason without values."""
        return (
            f"The stream {self.stream} stops: {self.target} refuses the change of {self.table} with key {self.key}: "
            f"{self.reason}."
        )

    @property
    def hint(self) -> str:
        """Nothing is skipped."""
        return "Correct the row in the target or the mapping, and start `strangler sync run` again: it goes on here."


@dataclass(eq=False)
class ForeignRows(StreamError):
    """The target has rows that a backfill would have to remove, although no backfill of ours has put them there."""

    table: str
    rows: int

    @property
    def sentence(self) -> str:
        """Which table, and how many."""
        return (
            f"The stream {self.stream} cannot begin: {self.table} has {self.rows} row{'' if self.rows == 1 else 's'} "
            "that the source does not have."
        )

    @property
    def hint(self) -> str:
        """Remove them by hand."""
        return f"Empty {self.table} in the target, or remove these rows; a backfill removes only what it wrote."


@dataclass(eq=False)
class BackfillRefused(StreamError):
    """The source's rows cannot be made rows of the target."""

    table: str
    reason: str

    @property
    def sentence(self) -> str:
        """Which table, and the database's reason without values."""
        return f"The backfill of {self.stream} stops: rows for {self.table} are refused: {self.reason}."

    @property
    def hint(self) -> str:
        """Find the rows."""
        return "Look at `strangler sync check`, correct the rows or the mapping, and start again: it begins anew."


@dataclass(eq=False)
class DatabaseRefused(StreamError):
    """A database refuses a statement that the stream needs, and trying again would not help."""

    reason: str

    @property
    def sentence(self) -> str:
        """The database's reason."""
        return f"The stream {self.stream} stops: {self.reason}."

    @property
    def hint(self) -> str:
        """Look at both databases."""
        return "Look at `strangler sync check`: a table, a column or a privilege has changed since the setup."


@dataclass(eq=False)
class TableNotMapped(StreamError):
    """A table was named that no mapping of the capability fills."""

    table: str
    tables: tuple[str, ...]

    @property
    def sentence(self) -> str:
        """Which table."""
        return f"The stream {self.stream} does not fill a table {self.table!r}."

    @property
    def hint(self) -> str:
        """Those that there are."""
        return f"Name one of {', '.join(self.tables)}."


@dataclass(eq=False)
class RepairRefused(StreamError):
    """A batch of a repair was given up before it changed anything."""

    reason: str

    @property
    def sentence(self) -> str:
        """Why."""
        return f"The repair of {self.stream} stopped: {self.reason}. The batch changed nothing."

    @property
    def hint(self) -> str:
        """What a repair needs."""
        return "See that `strangler sync run` runs and the row fits the target, and repair again: it looks anew."


def reason_of(error: psycopg.Error) -> str:
    """What the server refused, from its facts alone: its sentence about a row may quote values."""
    facts = error.diag
    place = facts.constraint_name or facts.column_name
    name = "".join(f" {letter.lower()}" if letter.isupper() else letter for letter in type(error).__name__).strip()
    return f"{name} ({place})" if place else name


@dataclass(eq=False)
class FenceNotRaised(StranglerError):
    """The write fence could not be installed or changed, because writers held the tables."""

    tables: tuple[str, ...]
    seconds: float

    @property
    def sentence(self) -> str:
        """Which tables, and how long it waited."""
        return f"The fence on {', '.join(self.tables)} had to wait longer than {self.seconds:g} s for open writers."

    @property
    def hint(self) -> str:
        """Look for the writer."""
        return "Look for open transactions that write these tables (pg_locks, pg_stat_activity) and try again."
