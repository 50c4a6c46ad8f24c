"""The type of a column as it is written, with its arguments and the words that belong to it."""

from __future__ import annotations

from migrations.importing.tokens import Cursor, split, words
from migrations.importing.type_policy import LegacyType

_TYPE_WORDS = {
    "DOUBLE": ("PRECISION",),
    "CHARACTER": ("VARYING",),
    "LONG": ("RAW",),
    "NATIONAL": ("CHARACTER", "VARYING"),
}


def type_of(cursor: Cursor) -> LegacyType:
    """The type that comes next, with its arguments and the words that belong to it."""
    first = cursor.take()
    name = first.name.upper()
    if cursor.skip("."):  # SYS.XMLTYPE, [sys].[sysname]
        name = cursor.take().name.upper()
    for word in _TYPE_WORDS.get(name, ()):
        if cursor.skip(word):
            name += f" {word}"
    arguments: tuple[str, ...] = ()
    if name == "INTERVAL":
        return _interval(cursor)
    if cursor.sees("("):
        arguments = tuple(words(part) for part in split(cursor.group()))
    if name == "TIMESTAMP" and cursor.skip("WITH", "LOCAL", "TIME", "ZONE"):
        name += " WITH LOCAL TIME ZONE"
    elif name == "TIMESTAMP" and cursor.skip("WITH", "TIME", "ZONE"):
        name += " WITH TIME ZONE"
    if cursor.skip("UNSIGNED"):
        name += " UNSIGNED"
    cursor.skip("ZEROFILL")
    return LegacyType({"DOUBLE PRECISION": "DOUBLE", "CHARACTER VARYING": "VARCHAR"}.get(name, name), arguments)


def _interval(cursor: Cursor) -> LegacyType:
    parts, arguments = ["INTERVAL"], []
    while (token := cursor.peek()) is not None and token.upper in ("YEAR", "MONTH", "DAY", "SECOND", "TO"):
        parts.append(cursor.take().upper)
        if cursor.sees("("):
            arguments = [words(cursor.group())]
    name = " ".join(parts)
    return LegacyType(name, tuple(arguments) if name.endswith("SECOND") and parts[-1] == "SECOND" else ())
