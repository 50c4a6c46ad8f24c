"""A mapping of a made-up table and the layout of its relation, for tests that need no file and no server."""

from __future__ import annotations

from pathlib import Path

from cdc.mapping import Mapping, SourceColumn, TargetColumn
from cdc.streaming import pgoutput
from cdc.streaming.copy_rows import Layout
from tests.support import pgoutput_encoder as encode

RELATION_ID = 4711
INT4, TEXT_OID = 23, 25
COLUMNS = (("unread", TEXT_OID, -1, False), ("id", INT4, -1, True), ("body", TEXT_OID, -1, False))


def small_mapping(where: str | None = None) -> Mapping:
    """item(unread, id, body) to thing(number, text)."""
    return Mapping(
        file=Path("thing.sql"),
        source_table="item",
        target_table="thing",
        key=("number",),
        source_key=("id",),
        reads=(SourceColumn("id", "integer"), SourceColumn("body", "text")),
        columns=(
            TargetColumn("number", "integer", "lossless", ("id",), "number", None, expression="id"),
            TargetColumn("text", "text", "lossless", ("body",), "text", None, expression="body"),
        ),
        where=where,
    )


def small_layout(columns: tuple[tuple[str, int, int, bool], ...] = COLUMNS) -> Layout:
    return Layout(small_mapping(), pgoutput.relation(encode.relation(RELATION_ID, "item", columns)))


def key(number: int) -> bytes:
    return number.to_bytes(4, "big")
