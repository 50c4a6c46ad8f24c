"""The checker finds nothing on whole books, and every kind of damage by the invariant that it breaks."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal

import pytest

from tests.kill.books import Books, Born, Row
from tests.kill.checker import Entry, Facts, Seen, Stop, chained, check, gaps
from tests.kill.history import Line, Operation

START = datetime(2026, 11, 25, 12, 0, tzinfo=UTC)
REFERENCES = [f"0000000{n}-0000-4000-8000-000000000000" for n in range(6)]


def posting(number: int, account: str, drcr: str, after: str, reference: str) -> Row:
    at = f"2026-11-25.12.00.{number:02}.000000"
    return (
        "20261125",
        str(number),
        account,
        reference,
        "XFER",
        drcr,
        "1.00",
        after,
        "B" if account == "A" else "A",
        at,
        None,
    )


def two_transfers() -> list[Row]:
    """A pays B one unit, twice: the first while legacy was home, the second on modern."""
    return [
        posting(1, "A", "D", "9.00", REFERENCES[0]),
        posting(2, "B", "C", "1.00", REFERENCES[0]),
        posting(3, "A", "D", "8.00", REFERENCES[1]),
        posting(4, "B", "C", "2.00", REFERENCES[1]),
    ]


def books(side: str, rows: list[Row] | None = None, balances: tuple[str, str] = ("8.00", "2.00")) -> Books:
    accounts: list[Row] = [
        (name, "c", "C", "EUR", balance, "00", "20200101", "1") for name, balance in zip("AB", balances, strict=True)
    ]
    born = {
        ("20261125", str(number)): Born(START + timedelta(seconds=number), (number <= 2) == (side == "legacy"))
        for number in (1, 2, 3, 4)
    }
    tables = {"account": accounts, "posting": rows if rows is not None else two_transfers()}
    return Books(side, tables, born, 9, side == "modern", (side == "modern",) * 2)


def operation(number: int, what: str = "ok", **facts: object) -> list[Operation]:
    write = Line("invoke", REFERENCES[number], number * 1000, "transfer", "s", "A", "B", "1.00")
    read = Line("invoke", f"read {number}", number * 1000 + 10, "own", "s", "A")
    seen = tuple(reversed(REFERENCES[: number + 1]))
    return [
        Operation(write, Line(what, write.id, write.ns + 5, **facts)),  # type: ignore[arg-type]
        Operation(read, Line("ok", read.id, read.ns + 5, seen=seen)),
    ]


def journal(*kinds: tuple[str, str]) -> list[Entry]:
    entries: list[Entry] = []
    for seq, (kind, run) in enumerate(kinds, start=1):
        previous = entries[-1].hash if entries else "0" * 64
        stored = (previous, "now", "olivia", kind, "accounts", run, "{}")
        entries.append(Entry(seq, previous, chained(seq, stored), *stored[1:]))
    return entries


def whole() -> Facts:
    entries = journal(("run.begun", "r1"), ("run.committed", "r1"), ("run.done", "r1"))
    return Facts(
        operations=[*operation(0), *operation(1)],
        legacy=books("legacy"),
        modern=books("modern"),
        money={"EUR": Decimal("10.00")},
        journal=entries,
        head=(3, entries[-1].hash),
        stage="modern",
        wanted_stage="modern",
        looks=[Seen("modern", {"EUR": Decimal("10.00")}, ())],
        acknowledged_runs=["r1"],
    )


def with_books(facts: Facts, side: str, **changes: object) -> Facts:
    changed = replace(getattr(facts, side), **changes)
    return replace(facts, legacy=changed) if side == "legacy" else replace(facts, modern=changed)


def with_rows(facts: Facts, side: str, rows: list[Row]) -> Facts:
    tables = dict(getattr(facts, side).tables) | {"posting": rows}
    return with_books(facts, side, tables=tables)


def read_that_saw(facts: Facts, *seen: str) -> Facts:
    *before, last = facts.operations
    assert last.outcome
    outcome = Line("ok", last.invoked.id, last.outcome.ns, seen=seen)
    return replace(facts, operations=[*before, Operation(last.invoked, outcome)])


def born_elsewhere(facts: Facts) -> Facts:
    """The transfers of modern and of legacy took turns, although there was one cutover."""
    later = {
        key: Born(one.at + timedelta(minutes=key[1] == "1"), one.is_local) for key, one in facts.legacy.born.items()
    }
    return with_books(facts, "legacy", born=later)


def end(facts: Facts, *kinds: str) -> Facts:
    entries = journal(*((kind, "r1") for kind in kinds))
    return replace(facts, journal=entries, head=(len(entries), entries[-1].hash), acknowledged_runs=[])


T = two_transfers
DAMAGE: dict[str, tuple[str, Callable[[Facts], Facts]]] = {
    "money appears": ("I1", lambda f: replace(f, modern=books("modern", balances=("8.00", "3.00")))),
    "one leg": ("I1", lambda f: with_rows(f, "modern", T()[:3])),
    "a reader saw money vanish": ("I1", lambda f: replace(f, looks=[Seen("legacy", {"EUR": Decimal(9)}, ())])),
    "a transfer is lost": ("I2", lambda f: with_rows(f, "legacy", T()[:2])),
    "a transfer is doubled": ("I3", lambda f: with_rows(f, "modern", [*T(), posting(5, "A", "D", "7.00", REFERENCES[1]), posting(6, "B", "C", "3.00", REFERENCES[1])])),
    "nobody asked": ("I4", lambda f: with_rows(f, "legacy", [*T(), posting(5, "A", "D", "7.00", REFERENCES[5])])),
    "refused and posted": ("I4", lambda f: replace(f, operations=[*operation(0), *operation(1, "fail")])),
    "unknown and half there": ("I5", lambda f: with_rows(replace(f, operations=[*operation(0), *operation(1, "unknown")]), "modern", T()[:3])),
    "two homes took turns": ("I6", born_elsewhere),
    "both accept writes": ("I6", lambda f: with_books(f, "legacy", accepts_writes=True)),
    "own write not read": ("I7", lambda f: read_that_saw(f, REFERENCES[0])),
    "a statement forgets": ("I7", lambda f: read_that_saw(replace(f, operations=[*f.operations, *operation(2)]), REFERENCES[2], REFERENCES[0])),
    "an account's order": ("I8", lambda f: with_rows(f, "modern", [posting(1, "A", "D", "8.00", REFERENCES[0]), T()[1], posting(3, "A", "D", "9.00", REFERENCES[1]), T()[3]])),
    "a row differs": ("I9", lambda f: with_rows(f, "legacy", [*T()[:3], (*T()[3][:10], "note")])),
    "numbers come again": ("I9", lambda f: with_books(f, "modern", last_number=3)),
    "torn": ("I10", lambda f: replace(f, looks=[Seen("modern", f.money, (REFERENCES[0],))])),
    "a failure in a clean run": ("I11", lambda f: replace(f, clean=True, operations=[*operation(0), *operation(1), *operation(4, "fail")])),
    "a wait without end": ("I11", lambda f: replace(f, operations=[*f.operations, Operation(Line("invoke", "x", 0), Line("ok", "x", 30 * 10**9))])),
    "the other stage": ("I12", lambda f: replace(f, wanted_stage="canary")),
    "nobody accepts": ("I12", lambda f: with_books(f, "modern", accepts_writes=False)),
    "one table accepts": ("I12", lambda f: with_books(f, "legacy", refusals=(True, False))),
    "the home refused between commands": ("I12", lambda f: replace(f, stops=[Stop("canary", (False, False), (False, False))])),
    "both took writes between commands": ("I12", lambda f: replace(f, stops=[Stop("modern", (True, True), (True, True))])),
    "a run without end": ("I12", lambda f: end(f, "run.begun", "run.committed")),
    "undone after the point of no return": ("I12", lambda f: end(f, "run.begun", "run.committed", "run.undone")),
    "it never came back": ("I13", lambda f: with_books(f, "legacy", born={k: v for k, v in f.legacy.born.items() if k[1] < "3"})),
    "an entry was changed": ("I14", lambda f: replace(f, journal=[replace(f.journal[0], actor="x"), *f.journal[1:]])),
    "the tail was cut": ("I14", lambda f: replace(f, journal=f.journal[:2])),
    "an unwritten end": ("I14", lambda f: replace(f, acknowledged_runs=["r1", "r2"])),
    "another's answer": ("I15", lambda f: replace(f, operations=[*operation(0), *operation(1, wrong_answer=True)])),
    "the mirror posts": ("I17", lambda f: with_books(f, "legacy", born={k: Born(v.at, True) for k, v in f.legacy.born.items()})),
}  # fmt: skip


def test_whole_books_have_no_violation() -> None:
    assert check(whole()) == []


@pytest.mark.parametrize(("invariant", "damage"), DAMAGE.values(), ids=DAMAGE)
def test_each_damage_is_found_by_its_invariant(invariant: str, damage: Callable[[Facts], Facts]) -> None:
    assert invariant in {name for name, _ in check(damage(whole()))}


def test_a_stop_at_which_the_home_alone_takes_writes_is_no_violation() -> None:
    stops = [Stop("canary", (True, True), (False, False)), Stop("modern", (False, False), (True, True))]
    assert check(replace(whole(), stops=stops)) == []


def test_a_stream_that_is_behind_has_no_gap_and_one_that_jumped_has() -> None:
    home = books("legacy")

    def other(*numbers: str) -> Books:
        return replace(books("modern"), born={key: one for key, one in home.born.items() if key[1] in numbers})

    assert gaps(home, other("1", "2")) == []
    assert gaps(home, other()) == []
    assert gaps(home, other("1", "4")) == ["20261125/2", "20261125/3"]
