"""A mapping's file with a residue for each lossy column: which columns want one, their types, and the changed text.

Pure. The author's words stay as they are: the new outputs are put behind the last one, before FROM, and repeat the
expression as it stands in the file.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

import sqlglot
from sqlglot.tokenizer_core import Token, TokenType

from cdc.translation.draft import Draft, Output, source_key_of
from cdc.translation.inverse import Lens, NoWay
from cdc.translation.refusals import Refusal

NAME_BYTES_MAX = 63
_OPENS, _CLOSES = (TokenType.L_PAREN, TokenType.CASE), (TokenType.R_PAREN, TokenType.END)


@dataclass(frozen=True)
class Residue:
    """A column to add: `of` is the column of `table` whose loss it keeps, `type` and `source` are the source's."""

    table: str
    of: str
    name: str
    type: str
    source: str
    reason: str

    @property
    def comment(self) -> str:
        """What the column is for, to be stored with it."""
        return f"What {self.of} does not say of {self.source}; NULL where it says all. Written by the stream alone."


def residues_of(draft: Draft) -> tuple[Residue, ...]:
    """The lossy columns whose source's value no other column gives back, in the order of the SELECT."""
    has = {one.residue_of for one in draft.outputs}
    found: list[Residue] = []
    for output in draft.outputs:
        way = output.term.way
        if isinstance(way, NoWay) and way.kind == "lossy" and output.column.name not in has:
            found += _residue(draft, output, way.reason)
    return tuple(found)


def _residue(draft: Draft, output: Output, reason: str) -> Iterator[Residue]:
    (name,) = output.term.columns
    column = draft.source.column(name)
    told = {one.term.way.column for one in draft.outputs if isinstance(one.term.way, Lens)}
    given = {one.alias_or_name.lower() for one in draft.parsed.reverse.expressions} if draft.parsed.reverse else set()
    if (
        column is None
        or column.is_generated
        or name in told
        or name.lower() in given
        or name in source_key_of(draft.source)
    ):
        return
    own = f"{output.column.name}_residue"
    if len(own.encode()) > NAME_BYTES_MAX:
        raise Refusal(f"{own} is too long for a column's name", "Write strangler.residue with a shorter name.")
    source = f"{draft.source.name}.{name}"
    yield Residue(draft.target.name, output.column.name, own, column.type, source, reason)


def with_residues(text: str, draft: Draft, residues: tuple[Residue, ...]) -> str:
    """The text of the mapping's file with an output for each residue. Raises Refusal where DB2 has no such call."""
    dialect = draft.parsed.dialect
    if dialect == "db2":
        raise Refusal("a mapping in the subset of DB2 has no residue", "Write the mapping in another dialect.")
    tokens = sqlglot.tokenize(text, read=dialect)
    places = list(_outputs(tokens))
    by_name = dict(zip((output.column.name for output in draft.outputs), places, strict=True))
    last = tokens[places[-1][1]].end + 1
    lines = []
    for one in residues:
        first, end = by_name[one.of]
        expression = _expression(text, tokens[first : end + 1])
        (column,) = next(output.term.columns for output in draft.outputs if output.column.name == one.of)
        lines.append(f"strangler.residue({_written(column, dialect)}, {expression}) AS {one.name}")
    comment = re.compile(r"[ \t]*--[^\n]*").match(text, last)
    end = comment.end() if comment else last
    return text[:last] + "," + text[last:end] + "\n       " + ",\n       ".join(lines) + text[end:]


def _outputs(tokens: list[Token]) -> Iterator[tuple[int, int]]:
    """First and last token of each output of the first SELECT."""
    begin = next(at for at, token in enumerate(tokens) if token.token_type == TokenType.SELECT) + 1
    depth, first = 0, begin
    for at in range(begin, len(tokens)):
        kind = tokens[at].token_type
        depth += (kind in _OPENS) - (kind in _CLOSES)
        if depth == 0 and kind in (TokenType.COMMA, TokenType.FROM):
            yield first, at - 1
            first = at + 1
        if depth == 0 and kind == TokenType.FROM:
            return


def _expression(text: str, tokens: list[Token]) -> str:
    """The words of an output without its name; comments are left where they are."""
    named = next((at for at in range(len(tokens) - 1, 0, -1) if tokens[at].token_type == TokenType.ALIAS), None)
    words = tokens[: named if named is not None else len(tokens) - 1]
    spaced = [words[0].start, *(word.start for word in words[1:])]
    pieces = [text[word.start : word.end + 1] for word in words]
    gaps = [spaced[at + 1] - words[at].end - 1 for at in range(len(words) - 1)]
    return "".join(piece + (" " if gap else "") for piece, gap in zip(pieces, [*gaps, 0], strict=True))


def _written(column: str, dialect: str) -> str:
    if re.fullmatch(r"[a-z_][a-z0-9_]*", column):
        return column.upper() if dialect == "oracle" else column
    return sqlglot.exp.to_identifier(column, quoted=True).sql(dialect=dialect)
