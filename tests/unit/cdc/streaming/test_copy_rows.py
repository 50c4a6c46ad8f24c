from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cdc.streaming.copy_rows import HEADER, TRAILER, frame_keys, frame_partial, frame_rows, missing_columns
from cdc.streaming.pgoutput import NotBinary
from tests.support import pgoutput_encoder as encode
from tests.support.small_mapping import COLUMNS, RELATION_ID, TEXT_OID, key, small_layout

values = st.one_of(st.binary(max_size=300), st.none())


def copied(*rows: tuple[bytes | None, ...]) -> bytes:
    """The COPY BINARY data of these rows, written from the page sql-copy."""
    data = b"PGCOPY\n\xff\r\n\0" + bytes(8)
    for row in rows:
        data += len(row).to_bytes(2, "big")
        for value in row:
            data += b"\xff\xff\xff\xff" if value is None else len(value).to_bytes(4, "big") + value
    return data + b"\xff\xff"


@given(st.lists(st.tuples(values, st.integers(0, 9), values)))
def test_rows_are_framed_without_the_columns_that_nobody_reads(
    rows: list[tuple[bytes | None, int, bytes | None]],
) -> None:
    layout = small_layout()
    messages = [encode.insert(RELATION_ID, (unread, key(number), body)) for unread, number, body in rows]
    framed, partial = frame_rows(layout, messages)
    assert layout.columns == ("id", "body")
    assert framed.data == copied(*((key(number), body) for _, number, body in rows))
    assert (framed.count, partial) == (len(rows), [])
    assert framed.data.startswith(HEADER)
    assert framed.data.endswith(TRAILER)


def test_rows_with_a_missing_large_value_stand_apart() -> None:
    layout = small_layout()
    whole = encode.update(RELATION_ID, (encode.UNCHANGED, key(1), b"here"))  # what nobody reads may be missing
    lacking = encode.update(RELATION_ID, (b"x", key(2), encode.UNCHANGED))
    framed, partial = frame_rows(layout, [whole, lacking])
    assert framed.data == copied((key(1), b"here"))
    assert partial == [lacking]
    assert missing_columns(layout, lacking) == ("body",)
    assert frame_partial(layout, partial).data == copied((key(2), None))


def test_only_keys_of_deleted_rows_are_framed() -> None:
    assert frame_keys(small_layout(), [encode.delete(RELATION_ID, (None, key(5), None))]).data == copied((key(5),))


@pytest.mark.parametrize(
    "columns",
    [
        COLUMNS,
        tuple(reversed(COLUMNS)),
        (("id", 23, -1, True), ("body", TEXT_OID, -1, False)),
        (("id", 23, -1, True), ("unread", TEXT_OID, -1, False), ("body", TEXT_OID, -1, False), ("more", 25, -1, False)),
    ],
)
def test_the_key_is_found_wherever_it_stands(columns: tuple[tuple[str, int, int, bool], ...]) -> None:
    layout = small_layout(columns)

    def row(number: int, body: bytes) -> list[bytes | None]:
        return [key(number) if column[0] == "id" else body for column in columns]

    first = layout.key_of(encode.insert(RELATION_ID, row(1, b"a")))
    assert first == layout.key_of(encode.update(RELATION_ID, row(1, b"bbb")))
    assert first == layout.key_of(
        encode.delete(RELATION_ID, [key(1) if column[0] == "id" else None for column in columns])
    )
    assert first != layout.key_of(encode.insert(RELATION_ID, row(2, b"a")))


def test_a_value_in_text_is_refused() -> None:
    message = encode.insert(RELATION_ID, (None, key(1), b"x")).replace(b"b\0\0\0\1x", b"t\0\0\0\1x")
    with pytest.raises(NotBinary):
        frame_rows(small_layout(), [message])


def test_where_the_stream_is_text_a_row_is_framed_from_texts() -> None:
    layout = replace(small_layout(), is_text=True)
    message = encode.insert(RELATION_ID, (None, b"17", b"x")).replace(b"b\0\0", b"t\0\0")
    framed, partial = frame_rows(layout, [message])
    assert framed.data == copied((b"17", b"x"))
    assert partial == []
    assert layout.key_place is None
    assert layout.key_of(message) != layout.key_of(message.replace(b"17", b"18"))
