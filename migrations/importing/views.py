"""Views of a script: read as they are written, and made of SELECTs that somebody else translates."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise

from migrations.importing.model import Object, Table, folded, quoted
from migrations.importing.script import Statement
from migrations.importing.tokens import Cursor, Token

Columns = Sequence[tuple[str, str, bool]]
TranslateView = Callable[[str, str, Sequence[str], Mapping[str, Columns]], tuple[str, str]]
"""Of a SELECT, its dialect, the view's own names of columns and the tables there are: PostgreSQL's, or a reason."""
_UNDERSTOOD = (("WITH", "READ", "ONLY"), ("WITH", "NO", "SCHEMA", "BINDING"))
_OPTIONS = ("SCHEMABINDING", "VIEW_METADATA")


@dataclass
class View:
    """A view as it is written; `columns` are the names that stand before AS."""

    name: str
    columns: tuple[str, ...]
    select: str
    object: Object


def read_view(statement: Statement, found: Object, dialect: str) -> View:
    """Read CREATE VIEW. Raises NotUnderstood."""
    cursor = Cursor(statement.tokens)
    while not cursor.skip("VIEW"):
        cursor.take()
    cursor.skip("IF", "NOT", "EXISTS")
    name = cursor.take().name
    while cursor.skip("."):
        name = cursor.take().name
    columns = tuple(folded(token.name) for token in cursor.group() if token.text != ",") if cursor.sees("(") else ()
    while cursor.skip("WITH") or cursor.skip(",") or any(cursor.skip(option) for option in _OPTIONS):
        pass
    cursor.expect("AS")
    rest = list(cursor.rest())
    for words in _UNDERSTOOD:
        if tuple(token.upper for token in rest[-len(words) :]) == words:
            rest = rest[: -len(words)]
            found.note("view", "it was read only; PostgreSQL lets a plain view be written to")
    found.name = folded(name)
    return View(found.name, columns, _text(rest, dialect), found)


def _text(tokens: Sequence[Token], dialect: str) -> str:
    """What the tokens are, with a blank where something stood between them.

    Tokens have MySQL's strings without its escapes; whoever reads the text as MySQL's needs them again.
    """
    texts = [
        token.text.replace("\\", "\\\\") if token.kind == "string" and dialect == "mysql" else token.text
        for token in tokens
    ]
    gaps = (other.at > token.at + len(token.text) for token, other in pairwise(tokens))
    return "".join(text + (" " if gap else "") for text, gap in zip(texts, [*gaps, False], strict=True))


def translated(
    views: Sequence[View], tables: Mapping[str, Table], dialect: str, translate: TranslateView
) -> Iterator[tuple[Object, str]]:
    """The views that can be made, with the statement that does; the others are left out with the reason."""
    columns = {
        table.name: [(column.name, column.kind, column.not_null) for column in table.columns]
        for table in tables.values()
    }
    for view in views:
        select, reason = translate(view.select, dialect, view.columns, columns)
        if not select:
            view.object.confidence = "left_out"
            view.object.note("left out", f"the view is not translated: {reason}")
            continue
        view.object.sql = f"CREATE VIEW public.{quoted(view.name)} AS {select}"
        yield view.object, view.object.sql
