"""What a log touched is told by key, old and new, and nothing is left out that cannot be told."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from cdc.streaming.pgoutput import KIND
from cdc.verification.touched import Touched, touched
from tests.support import pgoutput_encoder as encode

KEYS = {"item": ("id", "part"), "other": ("id",)}
COLUMNS = [("part", 25, -1, True), ("note", 25, -1, False), ("id", 25, -1, True)]


def look(*messages: bytes) -> dict[str, Touched]:
    """As a function that peeks gives them: without what a walsender puts before a message."""
    return touched([message[KIND:] for message in messages], KEYS)


def row(key: str, part: str = "p") -> list[bytes]:
    return [part.encode(), b"note", key.encode()]


@given(st.lists(st.tuples(st.sampled_from("IUDK"), st.text(max_size=4), st.text(max_size=4))))
def test_every_row_that_a_change_names_is_touched(changes: list[tuple[str, str, str]]) -> None:
    messages, wanted = [encode.relation(1, "item", COLUMNS)], set()
    for kind, key, other in changes:
        wanted.add((key, "p"))
        if kind == "K":
            wanted.add((other, "p"))
        make = {
            "I": lambda key=key: encode.insert(1, row(key)),
            "U": lambda key=key: encode.update(1, row(key)),
            "D": lambda key=key: encode.delete(1, row(key)),
            "K": lambda key=key, other=other: encode.update(1, row(key), row(other)),
        }
        messages.append(make[kind]())
    found = look(*messages)
    assert found.get("item", Touched()).keys == wanted
    assert not found.get("item", Touched()).is_all


def test_an_emptied_table_is_touched_whole_and_one_that_nobody_compares_is_left_out() -> None:
    found = look(
        encode.relation(1, "item", COLUMNS),
        encode.relation(2, "unmapped", [("id", 25, -1, True)]),
        encode.insert(2, [b"1"]),
        encode.truncate(1, 2),
    )
    assert found == {"item": Touched(set(), is_all=True)}


def test_a_key_that_the_log_does_not_tell_touches_the_table_whole() -> None:
    found = look(encode.relation(1, "item", COLUMNS), encode.update(1, [b"p", b"note", encode.UNCHANGED]))
    assert found["item"].is_all
