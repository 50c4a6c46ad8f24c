"""Oracle DDL as PostgreSQL statements, by our type policy; what it does not know it refuses by line and token.

Names fold to lower case. DATE has a time in Oracle, so it becomes timestamp(0). A length in BYTE and a NUMBER without
precision are refused, because nothing in the text says what they would have to be.
"""

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

import psycopg

from config.errors import StranglerError

SCHEMA_FILE = Path(__file__).with_name("schema.oracle.sql")

_TOKEN = re.compile(
    r"(?P<skip>\s+|--[^\n]*|/\*.*?\*/)|(?P<word>[A-Za-z][A-Za-z0-9_$#]*|\d+)|(?P<mark>[(),;])", re.DOTALL
)
_NAME = re.compile(r"[a-z][a-z0-9_]{0,62}")


@dataclass(eq=False)
class SchemaRefused(StranglerError):
    """Oracle DDL that the importer does not know, so that nothing is translated by guess."""

    line: int
    token: str
    what: str
    exit_code: ClassVar[int] = 2

    @property
    def sentence(self) -> str:
        """The line, the token and why it is refused."""
        return f"Line {self.line} of the Oracle schema: {self.token!r} {self.what}."


@dataclass(frozen=True)
class _Token:
    text: str
    line: int

    @property
    def upper(self) -> str:
        return self.text.upper()


class _Tokens:
    """The tokens of a script, read one after the other."""

    def __init__(self, script: str) -> None:
        self._tokens = list(_tokenize(script))
        self._at = 0

    @property
    def is_at_end(self) -> bool:
        return self._at >= len(self._tokens) - 1

    def peek(self) -> _Token:
        return self._tokens[self._at]

    def take(self) -> _Token:
        token = self.peek()
        if self.is_at_end:
            raise SchemaRefused(token.line, "end of file", "comes in the middle of a statement")
        self._at += 1
        return token

    def skip(self, *words: str) -> bool:
        """Take the words if exactly they come next."""
        following = [token.upper for token in self._tokens[self._at : self._at + len(words)]]
        if following != list(words):
            return False
        self._at += len(words)
        return True

    def expect(self, *words: str) -> None:
        for word in words:
            token = self.take()
            if token.upper != word:
                raise SchemaRefused(token.line, token.text, f"stands where {word} is expected")

    def name(self) -> str:
        token = self.take()
        if not _NAME.fullmatch(token.text.lower()):
            raise SchemaRefused(token.line, token.text, "is not a name")
        return token.text.lower()

    def number(self) -> int:
        token = self.take()
        if not token.text.isdecimal():
            raise SchemaRefused(token.line, token.text, "is not a number")
        return int(token.text)


def _tokenize(script: str) -> Iterator[_Token]:
    at, line = 0, 1
    while at < len(script):
        match = _TOKEN.match(script, at)
        if match is None:
            raise SchemaRefused(line, script[at], "is not known to the importer")
        if match.lastgroup != "skip":
            yield _Token(match.group(), line)
        at, line = match.end(), line + match.group().count("\n")
    yield _Token("", line)


def import_schema(script: str) -> list[str]:
    """PostgreSQL statements for an Oracle script of CREATE TABLE and CREATE SEQUENCE; raises SchemaRefused."""
    tokens, statements = _Tokens(script), []
    while not tokens.is_at_end:
        tokens.expect("CREATE")
        kind = tokens.take()
        make = {"TABLE": _table, "SEQUENCE": _sequence}.get(kind.upper)
        if make is None:
            raise SchemaRefused(kind.line, kind.text, "is not known to the importer after CREATE")
        statements.append(make(tokens))
        tokens.expect(";")
    return statements


def create_schema(conn: psycopg.Connection) -> None:
    """Create CORE/87's tables and sequences in one transaction."""
    with conn.transaction():
        for statement in import_schema(SCHEMA_FILE.read_text("utf-8")):
            # The text is ours and has passed the importer, which lets nothing through but names, types and numbers.
            conn.execute(statement)


def _table(tokens: _Tokens) -> str:
    name = tokens.name()
    tokens.expect("(")
    items = [_item(tokens)]
    while tokens.skip(","):
        items.append(_item(tokens))
    tokens.expect(")")
    return f"CREATE TABLE {name} (\n    " + ",\n    ".join(items) + "\n)"


def _item(tokens: _Tokens) -> str:
    if tokens.skip("CONSTRAINT"):
        return f"CONSTRAINT {tokens.name()} {_constraint(tokens)}"
    column = f"{tokens.name()} {_type(tokens)}"
    if tokens.skip("NOT", "NULL"):
        tokens.skip("ENABLE")
        column += " NOT NULL"
    if tokens.skip("PRIMARY", "KEY"):
        column += " PRIMARY KEY"
    return column


def _constraint(tokens: _Tokens) -> str:
    if tokens.skip("PRIMARY", "KEY"):
        text = f"PRIMARY KEY {_names(tokens)}"
    elif tokens.skip("UNIQUE"):
        text = f"UNIQUE {_names(tokens)}"
    else:
        tokens.expect("FOREIGN", "KEY")
        columns = _names(tokens)
        tokens.expect("REFERENCES")
        text = f"FOREIGN KEY {columns} REFERENCES {tokens.name()} {_names(tokens)}"
    tokens.skip("ENABLE")
    return text


def _names(tokens: _Tokens) -> str:
    tokens.expect("(")
    names = [tokens.name()]
    while tokens.skip(","):
        names.append(tokens.name())
    tokens.expect(")")
    return f"({', '.join(names)})"


def _type(tokens: _Tokens) -> str:
    token = tokens.take()
    translate = _TYPES.get(token.upper)
    if translate is None:
        raise SchemaRefused(token.line, token.text, "is a type that the importer does not know")
    return translate(tokens, token)


def _char(tokens: _Tokens, _: _Token) -> str:
    # Our CHAR columns hold one byte a character (codes, dates, numbers), so a length in bytes is one in characters.
    tokens.expect("(")
    length = tokens.number()
    tokens.skip("CHAR") or tokens.skip("BYTE")
    tokens.expect(")")
    return f"char({length})"


def _varchar(tokens: _Tokens, token: _Token) -> str:
    tokens.expect("(")
    length = tokens.number()
    if not tokens.skip("CHAR"):
        raise SchemaRefused(token.line, token.text, "has a length in bytes; give it as CHAR")
    tokens.expect(")")
    return f"varchar({length})"


def _number(tokens: _Tokens, token: _Token) -> str:
    if not tokens.skip("("):
        raise SchemaRefused(token.line, token.text, "has no precision; give one")
    precision = tokens.number()
    scale = tokens.number() if tokens.skip(",") else None
    tokens.expect(")")
    return f"numeric({precision})" if scale is None else f"numeric({precision},{scale})"


def _timestamp(tokens: _Tokens, token: _Token) -> str:
    precision = 6
    if tokens.skip("("):
        precision = tokens.number()
        tokens.expect(")")
    if precision > 6:
        raise SchemaRefused(token.line, token.text, "is finer than microseconds, which PostgreSQL cannot hold")
    if tokens.skip("WITH", "TIME", "ZONE") or tokens.skip("WITH", "LOCAL", "TIME", "ZONE"):
        return f"timestamptz({precision})"
    return f"timestamp({precision})"


_TYPES: dict[str, Callable[[_Tokens, _Token], str]] = {
    "CHAR": _char,
    "VARCHAR2": _varchar,
    "NUMBER": _number,
    "TIMESTAMP": _timestamp,
    "DATE": lambda _, __: "timestamp(0)",
    "CLOB": lambda _, __: "text",
    "BLOB": lambda _, __: "bytea",
}


def _sequence(tokens: _Tokens) -> str:
    text = f"CREATE SEQUENCE {tokens.name()}"
    while tokens.peek().text != ";":
        if tokens.skip("START", "WITH"):
            text += f" START WITH {tokens.number()}"
        elif tokens.skip("INCREMENT", "BY"):
            text += f" INCREMENT BY {tokens.number()}"
        elif tokens.skip("CACHE"):
            # Oracle's cache belongs to the instance, PostgreSQL's to the session: there, numbers would leave their
            # order, and history is read by number. So the cache is not carried over.
            tokens.number()
        elif not (tokens.skip("NOCACHE") or tokens.skip("NOCYCLE") or tokens.skip("ORDER") or tokens.skip("NOORDER")):
            token = tokens.take()
            raise SchemaRefused(token.line, token.text, "is not known to the importer in a sequence")
    return text
