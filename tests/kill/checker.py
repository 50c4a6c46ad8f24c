"""The invariants I1 to I18 (reference: reliability, 4.4), checked on facts alone: histories, both books, journal, file.

Nothing here knows how strangler works. A violation is a sentence; no violation is an empty list. Two of the eighteen
cannot be seen in a state at rest and have runs of their own: I16 (a slot is lost) and I18 (k differences are k).
"""

from __future__ import annotations

import hashlib
import json
import sqlite3
from collections import Counter, defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from itertools import pairwise
from pathlib import Path

from tests.kill.books import Books, Posting
from tests.kill.history import Operation

ANSWER_SECONDS_MAX = 20.0
CLEAN_PAUSE_SECONDS_MAX = 2.5
NAMED = 3
OVERLAP = timedelta(milliseconds=100)
MODERN = ("modern", "retired")
LONG_AGO = datetime(1970, 1, 1, tzinfo=UTC)


@dataclass(frozen=True)
class Entry:
    """One entry of the journal as it is stored."""

    seq: int
    prev_hash: str
    hash: str
    at: str
    actor: str
    type: str
    capability: str
    run_id: str
    payload: str


@dataclass(frozen=True)
class Seen:
    """A look at a database while the run went on: what a reader saw there in one snapshot."""

    side: str
    money: Mapping[str, Decimal]
    torn: tuple[str, ...]  # references of which one leg was visible without the other


@dataclass(frozen=True)
class Stop:
    """A moment at which no run was open and no command ran: which tables of each side took writes."""

    stage: str
    legacy: tuple[bool, ...]
    modern: tuple[bool, ...]

    @property
    def problem(self) -> str:
        """What is wrong with it: the home takes writes to all of its tables, and the other side to none."""
        home, other = (self.modern, self.legacy) if self.stage in MODERN else (self.legacy, self.modern)
        if all(home) and not any(other):
            return ""
        return (
            f"between two commands the stage was {self.stage}, the home took writes to {sum(home)} of {len(home)} "
            f"tables, and the other side to {sum(other)} of {len(other)}"
        )


@dataclass(frozen=True)
class Facts:
    """Everything that one check looks at."""

    operations: Sequence[Operation]
    legacy: Books
    modern: Books
    money: Mapping[str, Decimal]  # by currency, at the start of the world
    journal: Sequence[Entry]
    head: tuple[int, str] | None
    stage: str
    wanted_stage: str
    looks: Sequence[Seen] = ()
    stops: Sequence[Stop] = ()
    clean: bool = False  # whether nothing was killed in this run
    since: int = 0  # time.monotonic_ns of the start of the run
    is_at_rest: bool = True  # whether both sides became equal in time
    acknowledged_runs: Sequence[str] = ()  # runs of which a command said that they are done
    before: frozenset[str] = frozenset()  # references that were there before the first client came
    entries_before: int = 0  # of the journal, when the run began
    last_commit_before: datetime = LONG_AGO  # of a transfer, when the run began

    @property
    def home(self) -> Books:
        return self.modern if self.stage in MODERN else self.legacy

    @property
    def other(self) -> Books:
        return self.legacy if self.home is self.modern else self.modern


def check(facts: Facts) -> list[tuple[str, str]]:
    """Every violation, as (invariant, sentence)."""
    return [(name, sentence) for name, find in INVARIANTS.items() for sentence in find(facts)]


def _named(what: str, found: Sequence[object]) -> Iterator[str]:
    if found:
        more = f" and {len(found) - NAMED} more" if len(found) > NAMED else ""
        yield f"{len(found)} {what}: {', '.join(map(str, found[:NAMED]))}{more}"


def _i1_conservation(facts: Facts) -> Iterator[str]:
    for books in (facts.legacy, facts.modern):
        money: Counter[str] = Counter()
        for currency, balance in books.balances.values():
            money[currency] += balance  # type: ignore[assignment]
        if dict(money) != dict(facts.money):
            yield f"the money on {books.side} is {dict(money)}, not {dict(facts.money)}"
        sums: defaultdict[str, Decimal] = defaultdict(Decimal)
        for one in books.postings:
            sums[one.reference] += one.amount if one.drcr == "C" else -one.amount
        yield from _named(f"references unbalanced on {books.side}", [ref for ref, total in sums.items() if total])
    for look in facts.looks:
        if dict(look.money) != dict(facts.money):
            yield f"a reader of {look.side} saw {dict(look.money)}, not {dict(facts.money)}"
            return


def _transfers(facts: Facts) -> list[Operation]:
    return [one for one in facts.operations if one.invoked.kind in ("transfer", "refused")]


def _legs(books: Books) -> dict[str, Counter[tuple[str, str, Decimal]]]:
    found: defaultdict[str, Counter[tuple[str, str, Decimal]]] = defaultdict(Counter)
    for one in books.postings:
        found[one.reference][one.account, one.drcr, one.amount] += 1
    return found


def _wanted(one: Operation) -> Counter[tuple[str, str, Decimal]]:
    line = one.invoked
    return Counter({(line.account, "D", Decimal(line.amount)): 1, (line.payee, "C", Decimal(line.amount)): 1})


def _i2_acknowledged_is_there(facts: Facts) -> Iterator[str]:
    for books in (facts.legacy, facts.modern):
        legs = _legs(books)
        lost = [one.invoked.id for one in _transfers(facts) if one.what == "ok" and _wanted(one) - legs[one.invoked.id]]
        yield from _named(f"acknowledged transfers lost on {books.side}", lost)


def _i3_no_key_twice(facts: Facts) -> Iterator[str]:
    for books in (facts.legacy, facts.modern):
        twice = [ref for ref, legs in _legs(books).items() if _is_transfer(ref) and sum(legs.values()) > 2]
        yield from _named(f"transfers posted twice on {books.side}", twice)


def _is_transfer(reference: str) -> bool:
    return len(reference) == 36 and reference.count("-") == 4


def _i4_no_phantom(facts: Facts) -> Iterator[str]:
    invoked = {one.invoked.id: one for one in _transfers(facts)}
    for books in (facts.legacy, facts.modern):
        legs = _legs(books)
        unknown = [ref for ref in legs if _is_transfer(ref) and ref not in invoked and ref not in facts.before]
        yield from _named(f"postings on {books.side} that nobody asked for", unknown)
        refused = [one.invoked.id for one in _transfers(facts) if one.what == "fail" and one.invoked.id in legs]
        yield from _named(f"refused transfers posted on {books.side}", refused)


def _i5_unknown_is_all_or_nothing(facts: Facts) -> Iterator[str]:
    for books in (facts.legacy, facts.modern):
        legs = _legs(books)
        unknown = [one for one in _transfers(facts) if one.what == "unknown" and one.invoked.id in legs]
        half = [one.invoked.id for one in unknown if legs[one.invoked.id] != _wanted(one)]
        yield from _named(f"transfers of unknown outcome that are there in part on {books.side}", half)


def _i6_one_writer(facts: Facts) -> Iterator[str]:
    """By the commit timestamps of the databases: homes follow one another, and change only where the journal says so."""
    local: list[tuple[datetime, str]] = []
    for key, here in facts.legacy.born.items():
        there = facts.modern.born.get(key)
        if there is None:
            continue  # I9 says so
        if here.is_local == there.is_local:
            yield f"posting {key[0]}/{key[1]} was written by {'both sides' if here.is_local else 'streams alone'}"
        local.append((here.at, "legacy") if here.is_local else (there.at, "modern"))
    recent = sorted(one for one in local if one[0] > facts.last_commit_before)
    changes = sum(before[1] != after[1] for before, after in pairwise(recent))
    moves = sum(1 for entry in facts.journal[facts.entries_before :] if entry.type == "run.committed")
    if changes > moves:
        yield f"the home of writes changed {changes} times by the commits, {moves} times by the journal"
    if facts.home.accepts_writes == facts.other.accepts_writes:
        yield f"both sides {'accept' if facts.home.accepts_writes else 'refuse'} writes"


def _i7_sessions(facts: Facts) -> Iterator[str]:
    """Who has written reads it; a statement grows at its front alone, and never becomes shorter."""
    last_written: dict[str, str] = {}
    last_seen: dict[str, tuple[str, ...]] = {}
    stale, torn = [], []
    for one in facts.operations:
        session = one.invoked.session
        if one.invoked.kind == "transfer":
            last_written[session] = one.invoked.id if one.what == "ok" else ""
        if one.invoked.kind != "own" or one.what != "ok" or not one.outcome:
            continue
        seen = one.outcome.seen
        if last_written.get(session) and last_written[session] not in seen:
            stale.append(last_written[session])
        before = last_seen.get(session, ())
        rest = [reference for reference in seen if reference in before]
        if rest != list(before[: len(rest)]) or len(seen) < len(before):
            torn.append(one.invoked.id)
        last_seen[session] = seen
    yield from _named("reads did not show what the session had just written", stale)
    yield from _named("statements are no continuation of the one before", torn)


def _i8_order(facts: Facts) -> Iterator[str]:
    """Each account's balances follow one another in the order of its postings' time, on both sides."""
    for books in (facts.legacy, facts.modern):
        by_account: defaultdict[str, list[Posting]] = defaultdict(list)
        for one in books.postings:
            by_account[one.account].append(one)
        broken = []
        for account, postings in by_account.items():
            postings.sort(key=lambda one: (one.at, one.number))
            for before, after in pairwise(postings):
                if after.code == "XFER" and before.after + _signed(after) != after.after:
                    broken.append(account)
                    break
            if postings[-1].after != books.balances.get(account, ("", postings[-1].after))[1]:
                broken.append(account)
        yield from _named(f"accounts whose balances do not follow their postings on {books.side}", broken)


def _signed(one: Posting) -> Decimal:
    return one.amount if one.drcr == "C" else -one.amount


def _i9_equal(facts: Facts) -> Iterator[str]:
    for table, rows in facts.legacy.tables.items():
        mine, others = set(rows), set(facts.modern.tables[table])
        yield from _named(f"rows of {table} are on legacy alone", sorted(str(row[:2]) for row in mine - others))
        yield from _named(f"rows of {table} are on modern alone", sorted(str(row[:2]) for row in others - mine))
    if not facts.is_at_rest:
        yield "both sides did not become equal in time"
    highest = max((one.number for one in facts.home.postings), default=0)
    if facts.home.last_number < highest:
        yield f"{facts.home.side} will give out number {facts.home.last_number}, but {highest} is used"


def _i10_all_at_once(facts: Facts) -> Iterator[str]:
    torn = sorted({reference for look in facts.looks for reference in look.torn})
    yield from _named("transfers were visible with one leg", torn)


def _i11_bounded(facts: Facts) -> Iterator[str]:
    recent = [one for one in facts.operations if one.invoked.ns >= facts.since]
    slow = [f"{one.invoked.id} ({one.seconds:.1f} s)" for one in recent if one.seconds > ANSWER_SECONDS_MAX]
    yield from _named("requests waited too long", slow)
    if facts.clean:
        wrong = [
            f"{one.invoked.kind} {one.invoked.id} ({one.outcome.detail if one.outcome else 'no answer'})"
            for one in recent
            if one.what == "unknown" or (one.what == "fail" and one.invoked.kind != "refused")
        ]
        yield from _named("requests failed though nothing was killed", wrong)
        held = [one.invoked.id for one in recent if one.seconds > CLEAN_PAUSE_SECONDS_MAX]
        yield from _named(f"requests waited more than {CLEAN_PAUSE_SECONDS_MAX} s though nothing was killed", held)


def _i12_one_side(facts: Facts) -> Iterator[str]:
    if facts.stage != facts.wanted_stage:
        yield f"the file says {facts.stage}, and {facts.wanted_stage} was asked for"
    for books in (facts.home, facts.other):
        if len(set(books.refusals)) > 1:
            yield f"{books.side} accepts writes to some tables alone"
    if not facts.home.accepts_writes:
        yield f"the home {facts.home.side} refuses writes"
    if facts.other.accepts_writes:
        yield f"{facts.other.side} accepts writes, and is not the home"
    yield from [stop.problem for stop in facts.stops if stop.problem][:1]
    yield from _runs_end_once(facts.journal)


def _runs_end_once(journal: Sequence[Entry]) -> Iterator[str]:
    ended: dict[str, str] = {}
    committed: set[str] = set()
    for entry in journal:
        if entry.type == "run.begun":
            ended[entry.run_id] = ""
        elif entry.type == "run.committed":
            committed.add(entry.run_id)
        elif entry.type in ("run.done", "run.undone"):
            if ended.get(entry.run_id, "?"):
                yield f"run {entry.run_id} ended twice, or never began"
            ended[entry.run_id] = entry.type
            if (entry.type == "run.undone") == (entry.run_id in committed):
                yield f"run {entry.run_id} is {entry.type} and {'' if entry.run_id in committed else 'not '}committed"
    yield from _named("runs have no end", [run for run, how in ended.items() if not how])


def _i13_the_way_back(facts: Facts) -> Iterator[str]:
    """What the home took reached the other side, by a stream, and nothing came back to the home as an echo."""
    lost = [key for key, born in facts.home.born.items() if born.is_local and key not in facts.other.born]
    yield from _named(f"postings of {facts.home.side} never reached {facts.other.side}", lost)


def _i14_journal(facts: Facts) -> Iterator[str]:
    previous = "0" * 64
    for number, entry in enumerate(facts.journal, start=1):
        stored = (entry.prev_hash, entry.at, entry.actor, entry.type, entry.capability, entry.run_id, entry.payload)
        if entry.seq != number or entry.prev_hash != previous or chained(entry.seq, stored) != entry.hash:
            yield f"entry {number} of the journal does not fit"
            break
        previous = entry.hash
    if facts.head is None:
        yield "the journal has no head"
    elif not (len(facts.journal) - 1 <= facts.head[0] <= len(facts.journal)):
        yield f"the head names entry {facts.head[0]} of {len(facts.journal)}"
    elif facts.head[0] and facts.journal[facts.head[0] - 1].hash != facts.head[1]:
        yield "the head names another entry"
    done = {entry.run_id for entry in facts.journal if entry.type == "run.done"}
    yield from _named(
        "runs were called done and are not in the journal", [r for r in facts.acknowledged_runs if r not in done]
    )


def _i15_pairing(facts: Facts) -> Iterator[str]:
    wrong = [one.invoked.id for one in facts.operations if one.outcome and one.outcome.wrong_answer]
    yield from _named("answers belong to another request", wrong)


def _i17_mirror(facts: Facts) -> Iterator[str]:
    """A copy of a request leaves no trace: whatever the other side holds came by a stream."""
    own = [key for key, born in facts.other.born.items() if born.is_local and _is_from_stream(facts, key)]
    yield from _named(f"postings of {facts.other.side} were made there and on {facts.home.side}", own)


def _is_from_stream(facts: Facts, key: tuple[str, str]) -> bool:
    born = facts.home.born.get(key)
    return born is None or born.is_local


INVARIANTS: dict[str, Callable[[Facts], Iterator[str]]] = {
    "I1": _i1_conservation,
    "I2": _i2_acknowledged_is_there,
    "I3": _i3_no_key_twice,
    "I4": _i4_no_phantom,
    "I5": _i5_unknown_is_all_or_nothing,
    "I6": _i6_one_writer,
    "I7": _i7_sessions,
    "I8": _i8_order,
    "I9": _i9_equal,
    "I10": _i10_all_at_once,
    "I11": _i11_bounded,
    "I12": _i12_one_side,
    "I13": _i13_the_way_back,
    "I14": _i14_journal,
    "I15": _i15_pairing,
    "I17": _i17_mirror,
}


def chained(seq: int, stored: tuple[str, ...]) -> str:
    """The hash of an entry by its published rule: SHA-256 over number and columns, each with its length before it."""
    digest = hashlib.sha256()
    for text in (str(seq), *stored):
        raw = text.encode()
        digest.update(len(raw).to_bytes(8, "big") + raw)
    return digest.hexdigest()


def gaps(home: Books, other: Books) -> list[str]:
    """What the home committed before a posting that the other side has, and the other side has not.

    A stream that is behind lacks the newest ones alone. `other` must have been read before `home`. Commits that overlap
    may be logged in another order than that of their timestamps, so the last moment does not count.
    """
    there = [home.born[key].at for key in other.born if key in home.born]
    newest = max(there, default=LONG_AGO + OVERLAP) - OVERLAP
    return [
        f"{day}/{number}"
        for (day, number), born in home.born.items()
        if born.at < newest and (day, number) not in other.born
    ]


def read_journal(control: Path) -> list[Entry]:
    """The journal from the file of its database, read without the program."""
    with sqlite3.connect(f"file:{control}?mode=ro", uri=True, timeout=10) as connection:
        columns = "seq, prev_hash, hash, at, actor, type, capability, run_id, payload"
        rows = connection.execute(f"SELECT {columns} FROM journal ORDER BY seq").fetchall()
    connection.close()
    return [Entry(*row) for row in rows]


def read_head(path: Path) -> tuple[int, str] | None:
    """The number and hash that are kept outside of the database."""
    fields = path.read_text().split() if path.exists() else []
    return (int(fields[0]), fields[1]) if len(fields) == 2 else None


def plan_of(output: str) -> str:
    """The hash of a plan in the output of `plan --json`."""
    return str(json.loads(output)["hash"])
