from hypothesis import given
from hypothesis import strategies as st

from cdc.streaming.batch import Part, collapse, frame
from cdc.streaming.pgoutput import INSERT, KIND, TUPLE, UPDATE, read_tuple
from tests.support import pgoutput_encoder as encode
from tests.support.small_mapping import RELATION_ID, key, small_layout

LAYOUTS = {RELATION_ID.to_bytes(4, "big"): small_layout()}
KEYS = st.integers(0, 3)
STEPS = st.lists(st.tuples(st.sampled_from(["insert", "update", "touch", "delete"]), KEYS, st.binary(max_size=3)))


def history(steps: list[tuple[str, int, bytes]], before: dict[int, bytes]) -> tuple[list[bytes], dict[int, bytes]]:
    """The changes that a source would send for those steps that are possible, and the rows it has then."""
    rows = dict(before)
    changes = []
    for step, number, body in steps:
        if step == "insert" and number not in rows:
            rows[number] = body
            changes.append(encode.insert(RELATION_ID, (b"", key(number), body)))
        elif step == "update" and number in rows:
            rows[number] = body
            changes.append(encode.update(RELATION_ID, (b"", key(number), body)))
        elif step == "touch" and number in rows:
            changes.append(encode.update(RELATION_ID, (b"", key(number), encode.UNCHANGED)))
        elif step == "delete" and number in rows:
            del rows[number]
            changes.append(encode.delete(RELATION_ID, (None, key(number), None)))
    return changes, rows


@given(STEPS, st.dictionaries(KEYS, st.binary(max_size=3)))
def test_the_collapsed_changes_give_the_rows_that_the_source_has(
    steps: list[tuple[str, int, bytes]], before: dict[int, bytes]
) -> None:
    changes, expected = history(steps, before)
    rows = dict(before)
    for table in collapse(changes, LAYOUTS):
        assert not table.inserted.keys() & table.changed.keys()
        for message in table.changed.values():
            (_, number, body), _ = read_tuple(message, TUPLE)
            assert isinstance(number, bytes)
            if message[KIND] not in (INSERT, UPDATE):
                rows.pop(int.from_bytes(number, "big"), None)
            elif isinstance(body, bytes):
                rows[int.from_bytes(number, "big")] = body
            else:
                assert int.from_bytes(number, "big") in before  # a missing value is in the target
        for message in table.only_inserted or table.inserted.values():
            (_, number, body), _ = read_tuple(message, TUPLE)
            assert isinstance(number, bytes)
            assert isinstance(body, bytes)
            assert int.from_bytes(number, "big") not in before  # what is inserted was not there
            rows[int.from_bytes(number, "big")] = body
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
