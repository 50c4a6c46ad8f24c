"""A script's tokens to its statements, as its own client would send them: `/` and `;`, `GO`, `DELIMITER`."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from migrations.importing.tokens import Token, tokenize

# What SQL*Plus reads for itself, to the end of the line.
_SQLPLUS = {"PROMPT", "REM", "REMARK", "SPOOL", "WHENEVER", "DEFINE", "UNDEFINE", "CONNECT", "EXIT", "QUIT", "COLUMN"}
_NOT_SQLPLUS = {"TRANSACTION", "ROLE", "CONSTRAINT", "CONSTRAINTS"}
_ROUTINES = {"TRIGGER", "FUNCTION", "PROCEDURE", "PACKAGE", "TYPE", "LIBRARY", "JAVA"}
_BATCHES = {"TRIGGER", "FUNCTION", "PROCEDURE", "PROC", "VIEW"}
_T_SQL_STARTS = {
    "CREATE",
    "ALTER",
    "SET",
    "EXEC",
    "EXECUTE",
    "USE",
    "INSERT",
    "GRANT",
    "DENY",
    "DROP",
    "PRINT",
    "DECLARE",
}


@dataclass(frozen=True)
class Statement:
    """One statement of the script, without its terminator."""

    tokens: tuple[Token, ...]

    @property
    def line(self) -> int:
        """The line that it begins on."""
        return self.tokens[0].line

    def words(self, count: int = 8) -> list[str]:
        """Its first words in upper case; names in quotes are left out."""
        return [token.upper for token in self.tokens[:count] if token.upper]


def statements(text: str, dialect: str) -> Iterator[Statement]:
    """The statements of a script."""
    tokens = list(tokenize(text, dialect))
    split = {"oracle": _oracle, "tsql": _tsql, "mysql": _mysql}[dialect]
    for found in split(tokens):
        if found:
            yield Statement(tuple(found))


def _is_alone(tokens: list[Token], at: int) -> bool:
    """Whether a token is the only one on its line."""
    line = tokens[at].line
    before = at == 0 or tokens[at - 1].line != line
    return before and (at + 1 == len(tokens) or tokens[at + 1].line != line)


def _oracle(tokens: list[Token]) -> Iterator[list[Token]]:
    found: list[Token] = []
    for at, token in enumerate(tokens):
        if found and token.line != found[0].line and _is_for_the_client(found):
            yield found
            found = []
        ends_block = token.text == "/" and _is_alone(tokens, at)
        if ends_block or (token.text == ";" and not _is_block(found) and not _is_for_the_client(found)):
            yield found
            found = []
        else:
            found.append(token)
    yield found


def _is_for_the_client(found: list[Token]) -> bool:
    first = found[0].upper if found else ""
    if first == "SET":
        return len(found) < 2 or found[1].upper not in _NOT_SQLPLUS
    return first in _SQLPLUS or first == "@"


def _is_block(found: list[Token]) -> bool:
    if not found:
        return False
    if found[0].upper in ("BEGIN", "DECLARE"):
        return True
    return found[0].upper == "CREATE" and any(token.upper in _ROUTINES for token in found[1:6] if token.kind == "word")


def _tsql(tokens: list[Token]) -> Iterator[list[Token]]:
    found: list[Token] = []
    depth = 0
    for at, token in enumerate(tokens):
        is_whole = _is_whole_batch(found)
        is_go = token.upper == "GO" and (_is_alone(tokens, at) or _is_counted_go(tokens, at))
        if _is_count_of_go(tokens, at):
            continue
        if is_go or (token.text == ";" and not is_whole):
            yield found
            found, depth = [], 0
            continue
        starts_line = at == 0 or tokens[at - 1].line != token.line
        if found and not is_whole and depth == 0 and starts_line and token.upper in _T_SQL_STARTS:
            yield found
            found = []
        found.append(token)
        depth += {"(": 1, ")": -1}.get(token.text, 0) if token.kind == "mark" else 0
    yield found


def _is_whole_batch(found: list[Token]) -> bool:
    """Whether a statement goes on to the next GO, whatever stands in it."""
    if not found or found[0].upper == "IF":
        return bool(found)
    return found[0].upper in ("CREATE", "ALTER") and any(token.upper in _BATCHES for token in found[1:4])


def _is_counted_go(tokens: list[Token], at: int) -> bool:
    return at + 1 < len(tokens) and _is_count_of_go(tokens, at + 1)


def _is_count_of_go(tokens: list[Token], at: int) -> bool:
    """The 2 of `GO 2`."""
    before = tokens[at - 1] if at else None
    is_beside_go = before is not None and before.upper == "GO" and before.line == tokens[at].line
    return is_beside_go and tokens[at].kind == "number"


def _mysql(tokens: list[Token]) -> Iterator[list[Token]]:
    found: list[Token] = []
    delimiter, at = [";"], 0
    while at < len(tokens):
        token = tokens[at]
        if not found and token.upper == "DELIMITER":
            line = token.line
            at += 1
            delimiter = []
            while at < len(tokens) and tokens[at].line == line:
                delimiter.append(tokens[at].text)
                at += 1
        elif [other.text for other in tokens[at : at + len(delimiter)]] == delimiter:
            yield found
            found = []
            at += len(delimiter)
        else:
            found.append(token)
            at += 1
    yield found
