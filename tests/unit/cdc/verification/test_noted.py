"""Of what a stream writes so much is noted as has room, in the order of the last write, and the rest is counted."""

from __future__ import annotations

from pathlib import Path

from hypothesis import given
from hypothesis import strategies as st

from cdc.mapping import Mapping, SourceColumn
from cdc.streaming import pgoutput
from cdc.streaming.batch import Part, Truncate
from cdc.streaming.copy_rows import Layout
from cdc.verification import noted
from cdc.verification.noted import SETTLED_SECONDS, Noted
from tests.support import pgoutput_encoder as encode

INT4, BYTEA = 23, 17
READS = (SourceColumn("id", "integer"), SourceColumn("part", "bytea"))
MAPPING = Mapping(Path("x.sql"), "item", "thing", ("id", "part"), ("id", "part"), READS, ())
COLUMNS = [("part", BYTEA, -1, True), ("note", 25, -1, False), ("id", INT4, -1, True)]
LAYOUT = Layout(MAPPING, pgoutput.relation(encode.relation(1, "item", COLUMNS)))


def change(number: int) -> bytes:
    return encode.insert(1, [b"\x00\xff", b"note", number.to_bytes(4, "big")])


def part(*numbers: int, first: Truncate | None = None) -> Part:
    return Part([change(number) for number in numbers], {LAYOUT.relation.id: LAYOUT}, first).prepare()


def key(number: int) -> tuple[str, str]:
    return str(number), "\\x00ff"


@given(st.lists(st.lists(st.integers(0, 9), max_size=5), max_size=10), st.integers(0, 4))
def test_a_key_is_taken_once_when_it_has_settled_oldest_first(parts: list[list[int]], most: int) -> None:
    found = Noted(["item"])
    last: dict[int, float] = {}
    for at, numbers in enumerate(parts):
        found.note(part(*numbers), float(at))
        for number in numbers:
            last.pop(number, None)
            last[number] = float(at)
    now = len(parts) / 2 + SETTLED_SECONDS
    settled = [number for number, at in last.items() if now - at >= SETTLED_SECONDS]
    assert found.take("item", most, now).keys == tuple(map(key, settled[:most]))
    assert found.take("item", 99, now).keys == tuple(map(key, settled[most:]))
    assert found.take_left_out() == 0


def test_what_was_written_since_it_was_taken_has_not_stayed() -> None:
    found = Noted(["item"])
    found.note(part(1, 2), 0.0)
    taken = found.take("item", 9, 9.0)
    found.note(part(2), 9.0)
    assert [found.has_stayed(taken, one) for one in taken.keys] == [True, False]
    found.note(part(first=Truncate((LAYOUT,))), 9.0)
    assert not found.has_stayed(taken, key(1))


def test_of_a_large_part_a_share_is_noted_and_nothing_is_sure_behind_it() -> None:
    found = Noted(["item"])
    found.note(part(0), 0.0)
    taken = found.take("item", 9, 9.0)
    found.note(part(*range(1, 251)), 9.0)
    assert len(found.take("item", 999, 99.0).keys) == 84  # every third
    assert found.take_left_out() == 166
    assert not found.has_stayed(taken, key(0))


def test_a_full_queue_leaves_out_the_oldest_and_other_tables_are_not_noted() -> None:
    found = Noted(["item"])
    for start in range(0, noted.WAITING_MAX + 50, 50):
        found.note(part(*range(start, start + 50)), 0.0)
    assert found.take_left_out() == 50
    assert found.take("item", 1, 9.0).keys == (key(50),)
    other = Noted(["another"])
    other.note(part(1), 0.0)
    assert other.take("item", 9, 9.0).keys == ()
