"""The options of CREATE SEQUENCE that mean the same in PostgreSQL; the others become findings."""

from __future__ import annotations

from collections.abc import Iterator

from migrations.importing.model import Object
from migrations.importing.tokens import Cursor, NotUnderstood

_BIGINT_MAX = 2**63 - 1


def sequence_options(cursor: Cursor, found: Object) -> Iterator[str]:
    """The options as SQL."""
    while not cursor.is_at_end:
        word = cursor.take().upper
        if word in ("START", "INCREMENT"):
            cursor.skip("WITH")
            cursor.skip("BY")
            yield f"{word} {'WITH' if word == 'START' else 'BY'} {_signed(cursor)}"
        elif word in ("MINVALUE", "MAXVALUE"):
            yield from _bound(word, cursor, found)
        elif word == "CYCLE":
            yield word
        elif word == "CACHE":
            _cache(cursor, found)
        elif word == "AS":
            while cursor.take() and cursor.skip("."):
                continue
        elif word:
            found.note("sequence", f"dropped: {word}")


def _bound(word: str, cursor: Cursor, found: Object) -> Iterator[str]:
    value = _signed(cursor)
    if abs(value) <= _BIGINT_MAX:
        yield f"{word} {value}"
    else:
        found.note("sequence", f"dropped: {word} beyond bigint")


def _cache(cursor: Cursor, found: Object) -> None:
    token = cursor.peek()
    if token is not None and token.kind == "number":
        cursor.take()
    found.note("sequence", "dropped: CACHE belongs to a session in PostgreSQL, numbers would leave their order")


def _signed(cursor: Cursor) -> int:
    sign = -1 if cursor.skip("-") else 1
    token = cursor.take()
    if not token.text.isdigit():
        raise NotUnderstood(token, "is not a whole number")
    return sign * int(token.text)
