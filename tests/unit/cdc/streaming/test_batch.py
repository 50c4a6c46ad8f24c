from collections.abc import Mapping

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cdc.streaming.batch import Part, collapse, frame
from cdc.streaming.copy_rows import Layout
from cdc.streaming.pgoutput import INSERT, KIND, TUPLE, UPDATE, Value, read_tuple
from tests.support import pgoutput_encoder as encode
from tests.support.small_mapping import COLUMNS, RELATION_ID, key, small_layout

KEY_BEHIND = {RELATION_ID.to_bytes(4, "big"): small_layout()}
KEY_FIRST = {RELATION_ID.to_bytes(4, "big"): small_layout((COLUMNS[1], COLUMNS[0], COLUMNS[2]))}
LAYOUTS = KEY_BEHIND
KEYS = st.integers(0, 3)
BODIES = st.binary(max_size=3) | st.just(b"u")  # which is also how the log marks a value that it lacks
STEPS = st.lists(st.tuples(st.sampled_from(["insert", "update", "touch", "delete"]), KEYS, BODIES))
UPDATES = st.lists(st.tuples(st.sampled_from(["update", "touch"]), KEYS, BODIES), min_size=1)
Row = tuple[encode.Value, encode.Value, encode.Value]


def tuple_of(layouts: Mapping[bytes, Layout], number: int, body: encode.Value, unread: encode.Value = b"") -> Row:
    return (key(number), unread, body) if layouts is KEY_FIRST else (unread, key(number), body)


def key_and_body(layouts: Mapping[bytes, Layout], message: bytes) -> tuple[int, Value]:
    values, _ = read_tuple(message, TUPLE)
    number = values[0 if layouts is KEY_FIRST else 1]
    assert isinstance(number, bytes)
    return int.from_bytes(number, "big"), values[2]


def history(
    layouts: Mapping[bytes, Layout], steps: list[tuple[str, int, bytes]], before: dict[int, bytes]
) -> tuple[list[bytes], dict[int, bytes]]:
    """The changes that a source would send for those steps that are possible, and the rows it has then."""
    rows = dict(before)
    changes = []
    for step, number, body in steps:
        if step == "insert" and number not in rows:
            rows[number] = body
            changes.append(encode.insert(RELATION_ID, tuple_of(layouts, number, body)))
        elif step == "update" and number in rows:
            rows[number] = body
            changes.append(encode.update(RELATION_ID, tuple_of(layouts, number, body)))
        elif step == "touch" and number in rows:
            changes.append(encode.update(RELATION_ID, tuple_of(layouts, number, encode.UNCHANGED)))
        elif step == "delete" and number in rows:
            del rows[number]
            changes.append(encode.delete(RELATION_ID, tuple_of(layouts, number, None, None)))
    return changes, rows


@pytest.mark.parametrize("layouts", [KEY_BEHIND, KEY_FIRST], ids=["key behind", "key first"])
@given(STEPS | UPDATES, st.dictionaries(KEYS, BODIES))
def test_the_collapsed_changes_give_the_rows_that_the_source_has(
    layouts: Mapping[bytes, Layout], steps: list[tuple[str, int, bytes]], before: dict[int, bytes]
) -> None:
    changes, expected = history(layouts, steps, before)
    rows = dict(before)
    for table in collapse(changes, layouts):
        assert not table.inserted.keys() & table.changed.keys()
        for message in table.changed.values():
            number, body = key_and_body(layouts, message)
            if message[KIND] not in (INSERT, UPDATE):
                rows.pop(number, None)
            elif isinstance(body, bytes):
                rows[number] = body
            else:
                assert number in before  # a missing value is in the target
        for message in table.only_inserted or table.inserted.values():
            number, body = key_and_body(layouts, message)
            assert isinstance(body, bytes)
            assert number not in before  # what is inserted was not there
            rows[number] = body
    assert rows == expected


def test_tables_that_nobody_maps_are_left_out() -> None:
    assert collapse([encode.insert(99, (key(1),))], LAYOUTS) == []


def test_each_kind_of_change_is_framed_apart() -> None:
    changes = [
        encode.insert(RELATION_ID, (b"", key(1), b"new")),
        encode.update(RELATION_ID, (b"", key(2), b"changed")),
        encode.update(RELATION_ID, (b"", key(3), encode.UNCHANGED)),
        encode.delete(RELATION_ID, (None, key(4), None)),
    ]
    (rows,) = frame(collapse(changes, LAYOUTS))
    assert (rows.inserted.count, rows.changed.count, rows.deleted.count) == (1, 1, 1)
    assert {columns: partial.count for columns, partial in rows.partial.items()} == {("body",): 1}


def test_a_part_is_prepared_for_the_applier() -> None:
    part = Part([encode.insert(RELATION_ID, (b"", key(1), b"new"))], LAYOUTS).prepare()
    assert [rows.inserted.count for rows in part.tables] == [1]
