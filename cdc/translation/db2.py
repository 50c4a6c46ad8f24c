"""DB2's SELECT as standard SQL: a small subset, read word by word; everything outside of it is refused by name.

No parser we have reads DB2: what it does not know becomes something else in silence (`D + 1 MONTH` an alias). So every
word must be on the list, as a name of a column, or as a function that means the same everywhere.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from cdc.translation.refusals import NOWHERE, Place, Refusal

_PIECE = re.compile(
    r"(?P<skip>\s+|--[^\n]*)|(?P<string>'(?:[^']|'')*')|(?P<quoted>\"(?:[^\"]|\"\")+\")|(?P<number>\d+(?:\.\d*)?|\.\d+)"
    r"|(?P<word>[A-Za-z_#@$][\w#@$]*)|(?P<mark>\|\||<>|<=|>=|[-+*/=<>(),.])"
)
_SYNTAX = "SELECT FROM WHERE AS CASE WHEN THEN ELSE END AND OR NOT IN BETWEEN IS NULL LIKE CAST"
_KINDS = "DECIMAL DEC NUMERIC SMALLINT INTEGER INT BIGINT CHAR CHARACTER VARCHAR DATE TIMESTAMP"
_WORDS, _TYPES = frozenset(_SYNTAX.split()), frozenset(_KINDS.split())
# Functions that mean the same everywhere, and DB2's other names for some of them.
_SAME = "COALESCE NULLIF TRIM LTRIM RTRIM UPPER LOWER SUBSTR LENGTH REPLACE ABS ROUND MOD YEAR MONTH DAY"
_OTHER_NAMES = {"VALUE": "COALESCE", "UCASE": "UPPER", "LCASE": "LOWER", "STRIP": "TRIM", "ABSVAL": "ABS"}
_FUNCTIONS = {name: name for name in _SAME.split()} | _OTHER_NAMES
_DURATIONS = re.compile(r"^(YEAR|MONTH|DAY|HOUR|MINUTE|SECOND|MICROSECOND)S?$")
_NAMED = {
    "CURRENT": (
        "a special register (CURRENT ...)",
        "Map a column: the same row must give the same result at any time.",
    ),
    "CONCAT": ("CONCAT between its operands", "Write ||."),
    "FETCH": ("FETCH FIRST", "Filter rows with WHERE."),
    "WITH": ("WITH (an isolation level or a table expression)", "Leave it out."),
    "FOR": ("FOR", "Leave it out."),
    "NEXT": ("NEXT VALUE FOR", "Map a column."),
    "PREVIOUS": ("PREVIOUS VALUE FOR", "Map a column."),
    "DIGITS": ("DIGITS", "Use CAST and LPAD in another dialect, or map the number."),
    "DAYS": ("DAYS", "Map the date."),
}
_REMEDY = "Use COALESCE, NULLIF, CASE, CAST, TRIM, UPPER, LOWER, SUBSTR, LENGTH, REPLACE, + - * / and ||."


def standard(text: str) -> str:
    """The statement in words that every dialect reads, line by line as it was. Raises Refusal."""
    pieces = list(_pieces(text))
    return "".join(_written(pieces, at) for at in range(len(pieces)))


Piece = tuple[str, str, Place]
"""Kind, text, and where it stands."""


def _pieces(text: str) -> Iterator[Piece]:
    at = 0
    while at < len(text):
        match = _PIECE.match(text, at)
        if match is None:
            if text[at:].strip(" \n;") == "":
                return
            raise Refusal(f"{text[at]!r} is outside of the subset of DB2 that is translated", _REMEDY, _place(text, at))
        yield match.lastgroup or "", match.group(), _place(text, at)
        at = match.end()


def _place(text: str, at: int) -> Place:
    return Place(text.count("\n", 0, at) + 1, at - text.rfind("\n", 0, at))


def _written(pieces: list[Piece], at: int) -> str:
    kind, text, place = pieces[at]
    if kind != "word":
        return text
    word = text.upper()
    before, after = _beside(pieces, at, -1), _beside(pieces, at, 1)
    if _DURATIONS.match(word) and before[0] in ("number", "word") and after[1] != "(":
        raise Refusal("a labelled duration is outside of the subset of DB2", "Map the date as it is.", place)
    if after[1] == "(" and word not in _WORDS and word not in _TYPES:
        function = _FUNCTIONS.get(word)
        if function is None:
            raise Refusal(f"{text} is outside of the subset of DB2 that is translated", _REMEDY, place)
        return function
    if after[1] == "(" and word in _TYPES and before[1].upper() != "AS":
        raise Refusal(
            f"{text}(...) as a function is outside of the subset of DB2", f"Write CAST(... AS {word}).", place
        )
    if word in _NAMED and before[1] != "." and before[1].upper() != "AS":
        what, remedy = _NAMED[word]
        raise Refusal(f"{what} is outside of the subset of DB2 that is translated", remedy, place)
    if before[0] == "word" and before[1].upper() not in _WORDS and word not in _WORDS:
        # Two names in a row: an alias without AS, or a word that we do not know.
        raise Refusal(f"{before[1]} {text} is outside of the subset of DB2", "Write AS before an alias.", place)
    return text


def _beside(pieces: list[Piece], at: int, step: int) -> Piece:
    at += step
    while 0 <= at < len(pieces):
        if pieces[at][0] != "skip":
            return pieces[at]
        at += step
    return ("", "", NOWHERE)
