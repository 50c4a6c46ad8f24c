"""Rendered SQL to its statements, each with its line, and with strings and bodies blanked so that rules can read it."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

_PIECE = re.compile(
    r"(?P<comment>--[^\n]*|/\*.*?\*/)|(?P<body>\$(\w*)\$.*?\$\3\$)|(?P<string>[eE]?'(?:[^'\\]|''|\\.)*')"
    r'|(?P<name>"(?:[^"]|"")+")|(?P<end>;)|(?P<space>\s+)|(?P<other>[^\s;\'"$\-/]+|.)',
    re.DOTALL,
)


@dataclass(frozen=True)
class SqlStatement:
    """One statement: `words` in upper case with single blanks, strings as '' and bodies as $$; `line` from 1."""

    words: str
    line: int
    text: str = ""


def sql_statements(rendered: str) -> Iterator[SqlStatement]:
    """The statements of a script, without their semicolons."""
    parts: list[str] = []
    start, line, begin = 1, 1, 0
    for piece in _PIECE.finditer(rendered):
        kind, text = piece.lastgroup, piece.group()
        if kind == "end":
            if "".join(parts).strip():
                yield SqlStatement(_words(parts), start, rendered[begin : piece.start()].strip())
            parts, begin = [], piece.end()
        elif kind in ("comment", "space"):
            parts.append(" ")
        else:
            if not "".join(parts).strip():
                start = line
            parts.append({"string": "''", "body": "$$"}.get(kind or "", text))
        line += text.count("\n")
    if "".join(parts).strip():
        yield SqlStatement(_words(parts), start, rendered[begin:].strip())


def _words(parts: list[str]) -> str:
    return " ".join("".join(parts).split()).upper()
