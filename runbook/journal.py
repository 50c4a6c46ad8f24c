"""What happened and who did it: append-only, hash-chained over what is stored, its head kept in a second file.

An entry's hash covers the previous hash and every stored column, so a change, a removal or another order of entries
breaks the chain. A tail that was cut off leaves a whole chain; therefore the number and hash of the newest entry are
also kept outside the database. The head is written after the commit, under a file lock: a kill between the two leaves
the head behind the chain, which is allowed (the entry at the head's number must have the head's hash); a head that is
ahead of the chain is a cut tail.

Timeline of one entry: lock the head - BEGIN - the caller's own rows - the entry - COMMIT - head - unlock.
"""

from __future__ import annotations

import fcntl
import hashlib
import json
import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from runbook.control import JOURNAL, Control, now
from runbook.errors import JournalBroken
from runbook.persons import same_person

GENESIS = "0" * 64
HEAD_BYTES = 96


@dataclass(frozen=True)
class Entry:
    """One entry as it is stored; `payload` is JSON text."""

    seq: int
    prev_hash: str
    hash: str
    at: str
    actor: str
    type: str
    capability: str
    run_id: str
    payload: str

    def facts(self) -> dict[str, object]:
        """The payload as an object."""
        loaded: dict[str, object] = json.loads(self.payload)
        return loaded


@dataclass(frozen=True)
class JournalCheck:
    """What `verify` found: the number of entries, the newest hash, and every problem."""

    entries: int
    head: str
    problems: tuple[str, ...]
    approvals: int
    self_approvals: int

    @property
    def ok(self) -> bool:
        """Whether the chain is whole."""
        return not self.problems


@dataclass
class Page:
    """The transaction in which entries are written together with the rows they speak of."""

    connection: Connection
    newest: tuple[int, str]
    run_id: str = ""
    _written: list[Entry] = field(default_factory=list)

    def append(self, kind: str, actor: str, capability: str, facts: Mapping[str, object], at: str = "") -> Entry:
        """Add an entry; it is there when the transaction has ended. `at` is for what happened a moment ago."""
        seq, prev_hash = self.newest[0] + 1, self.newest[1]
        payload = json.dumps(facts, sort_keys=True, ensure_ascii=True, default=str)
        stored = (prev_hash, at or now(), actor, kind, capability, self.run_id, payload)
        entry = Entry(seq, prev_hash, hash_of(seq, stored), *stored[1:])
        self.connection.execute(sa.insert(JOURNAL).values(**vars(entry)))
        self.newest = (seq, entry.hash)
        return entry


def hash_of(seq: int, stored: tuple[str, ...]) -> str:
    """Return SHA-256 over the number and every stored text, each with its length so that none can borrow a byte."""
    digest = hashlib.sha256()
    for text in (str(seq), *stored):
        raw = text.encode()
        digest.update(len(raw).to_bytes(8, "big") + raw)
    return digest.hexdigest()


class Journal:
    """The journal of one control database."""

    def __init__(self, control: Control) -> None:
        self.control = control
        if not control.head.exists():
            _create_head(control.head, self._first_head())

    @contextmanager
    def page(self, run_id: str = "") -> Iterator[Page]:
        """Write entries and rows in one transaction. Raises JournalBroken when the stored tail does not fit the head.

        Nothing is appended to a broken journal: that would hide the break.
        """
        with _locked_head(self.control.head) as descriptor:
            with self.control.writing() as connection:
                page = Page(connection, self._checked_newest(connection, _read_head(descriptor)), run_id)
                yield page
            _write_head(descriptor, page.newest)

    def append(self, kind: str, actor: str, capability: str, facts: Mapping[str, object], *, run_id: str = "") -> Entry:
        """Write one entry by itself."""
        with self.page(run_id) as page:
            return page.append(kind, actor, capability, facts)

    def entries(self, capability: str | None = None, last: int | None = None) -> tuple[Entry, ...]:
        """Return the entries, oldest first: all of them or those of one capability, perhaps only the last few."""
        query = sa.select(JOURNAL).order_by(JOURNAL.c.seq.desc())
        if capability is not None:
            query = query.where(JOURNAL.c.capability == capability)
        if last is not None:
            query = query.limit(last)
        with self.control.reading() as connection:
            return tuple(Entry(**row) for row in reversed(connection.execute(query).mappings().all()))

    def verify(self) -> JournalCheck:
        """Compute every hash anew from what is stored, and compare the end with the head."""
        with _locked_head(self.control.head) as descriptor:
            head = _read_head(descriptor)
            entries = self.entries()
        problems = (*_chain_problems(entries), *_head_problems(entries, head))
        decisions = [entry for entry in entries if entry.type == "approval.given"]
        newest = entries[-1].hash if entries else GENESIS
        return JournalCheck(len(entries), newest, problems, len(decisions), _self_approvals(entries))

    def must_be_whole(self) -> None:
        """Raise JournalBroken with the first problem: nothing is run on a record that is not what was written."""
        found = self.verify()
        if found.problems:
            raise JournalBroken(self.control.head, found.problems[0])

    def _first_head(self) -> tuple[int, str] | None:
        """A journal in a file has its head beside it from the start, so a head that is missing was taken away.

        A journal on a server is used from several machines, and each begins its head with what it finds.
        """
        with self.control.reading() as connection:
            newest = _newest(connection)
        return newest if newest[0] == 0 or self.control.engine.dialect.name != "sqlite" else None

    def _checked_newest(self, connection: Connection, head: tuple[int, str] | None) -> tuple[int, str]:
        newest = _newest(connection)
        if head is None:
            raise JournalBroken(self.control.head, "the head cannot be read")
        if head[0] > newest[0]:
            raise JournalBroken(self.control.head, f"it ends at entry {newest[0]}, but {head[0]} were written")
        if head[0] and _hash_at(connection, head[0]) != head[1]:
            raise JournalBroken(self.control.head, f"entry {head[0]} is not the one that was written")
        return newest


def _newest(connection: Connection) -> tuple[int, str]:
    row = connection.execute(sa.select(JOURNAL.c.seq, JOURNAL.c.hash).order_by(JOURNAL.c.seq.desc()).limit(1)).first()
    return (row.seq, row.hash) if row else (0, GENESIS)


def _hash_at(connection: Connection, seq: int) -> str | None:
    found: str | None = connection.execute(sa.select(JOURNAL.c.hash).where(JOURNAL.c.seq == seq)).scalar()
    return found


def _chain_problems(entries: tuple[Entry, ...]) -> Iterator[str]:
    previous = GENESIS
    for position, entry in enumerate(entries, start=1):
        if entry.seq != position:
            yield f"entry {position} is missing or out of place (found {entry.seq})"
            return
        if entry.prev_hash != previous:
            yield f"entry {entry.seq} does not follow entry {entry.seq - 1}"
        stored = (entry.prev_hash, entry.at, entry.actor, entry.type, entry.capability, entry.run_id, entry.payload)
        if hash_of(entry.seq, stored) != entry.hash:
            yield f"entry {entry.seq} was changed after it was written"
        previous = entry.hash


def _self_approvals(entries: tuple[Entry, ...]) -> int:
    """Approvals by who made the plan, by the entries of both, not by what the approval says of itself."""
    authors: dict[object, str] = {}
    own = 0
    for entry in entries:
        plan = entry.facts().get("plan") if entry.type in ("plan.made", "run.begun", "approval.given") else None
        if entry.type in ("plan.made", "run.begun"):
            authors.setdefault(plan, same_person(entry.actor))
        elif plan is not None:
            own += authors.get(plan) == entry.actor
    return own


def _head_problems(entries: tuple[Entry, ...], head: tuple[int, str] | None) -> Iterator[str]:
    if head is None:
        yield "the head cannot be read"
    elif head[0] > len(entries):
        yield f"the tail was cut: {len(entries)} entries of {head[0]} are there"
    elif head[0] and entries[head[0] - 1].hash != head[1]:
        yield f"entry {head[0]} is not the one that the head names"


@contextmanager
def _locked_head(path: Path) -> Iterator[int]:
    descriptor = os.open(path, os.O_RDWR)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield descriptor
    finally:
        os.close(descriptor)


def _create_head(path: Path, newest: tuple[int, str] | None) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    content = _head_line(newest) if newest else b"?".ljust(HEAD_BYTES)
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT, 0o600)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        if os.fstat(descriptor).st_size == 0:
            os.pwrite(descriptor, content, 0)
            os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _head_line(newest: tuple[int, str]) -> bytes:
    return f"{newest[0]} {newest[1]}\n".encode().ljust(HEAD_BYTES)


def _write_head(descriptor: int, newest: tuple[int, str]) -> None:
    # In place and of one size within a sector: it needs no rename, and what a power cut may lose is only its newness.
    os.pwrite(descriptor, _head_line(newest), 0)


def _read_head(descriptor: int) -> tuple[int, str] | None:
    fields = os.pread(descriptor, HEAD_BYTES, 0).split()
    if len(fields) != 2 or not fields[0].isdigit() or len(fields[1]) != 64:
        return None
    return int(fields[0]), fields[1].decode("ascii", "replace")
