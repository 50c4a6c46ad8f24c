"""Text of DDL to tokens with their place: the words, names, strings and marks of Oracle, T-SQL and MySQL."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import ClassVar, Literal

from config.errors import USAGE, StranglerError

Kind = Literal["word", "quoted", "string", "number", "mark"]
DIALECTS = ("oracle", "tsql", "mysql")

_QUOTED = {"oracle": r'"(?:[^"]|"")+"', "tsql": r'\[(?:[^\]]|\]\])+\]|"(?:[^"]|"")+"', "mysql": r"`(?:[^`]|``)+`"}
_STRING = {
    "oracle": r"[nN]?[qQ]'\[.*?\]'|[nN]?[qQ]'\{.*?\}'|[nN]?[qQ]'\(.*?\)'|[nN]?'(?:[^']|'')*'",
    "tsql": r"[nN]?'(?:[^']|'')*'",
    "mysql": r"(?:_[a-z0-9]+\s*)?'(?:[^'\\]|\\.|'')*'|\"(?:[^\"\\]|\\.|\"\")*\"",
}
# MySQL's /*!40101 ... */ is not a comment: what stands in it is read like everything else.
_SKIP = {
    "oracle": r"\s+|--[^\n]*|/\*.*?\*/",
    "tsql": r"\s+|--[^\n]*|/\*.*?\*/",
    "mysql": r"\s+|--(?=\s)[^\n]*|\#[^\n]*|/\*!\d*|\*/|/\*.*?\*/",
}
_REST = (
    r"(?P<number>0[xX][0-9A-Fa-f]+|(?:\d+(?:\.\d*)?|\.\d+)(?:[eE][+-]?\d+)?)|(?P<word>[^\W\d][\w$#@]*|@@?\w+)"
    r"|(?P<mark>\|\||<>|!=|<=|>=|:=|=>|::|.)"
)
_PATTERNS = {
    dialect: re.compile(
        f"(?P<skip>{_SKIP[dialect]})|(?P<string>{_STRING[dialect]})|(?P<quoted>{_QUOTED[dialect]})|{_REST}", re.DOTALL
    )
    for dialect in DIALECTS
}


@dataclass(frozen=True, slots=True)
class Token:
    """One token; `line` and `column` count from 1, `at` is its place in the text."""

    kind: Kind
    text: str
    line: int
    column: int
    at: int

    @property
    def upper(self) -> str:
        """A word in upper case; names in quotes and strings are no words."""
        return self.text.upper() if self.kind in ("word", "mark") else ""

    @property
    def name(self) -> str:
        """A name without its quotes, as it was written."""
        if self.kind != "quoted":
            return self.text
        closing = self.text[-1]
        return self.text[1:-1].replace(closing * 2, closing)

    @property
    def value(self) -> str:
        """The characters of a string."""
        text = self.text
        if text[:1] in "qQ" or text[:2] in ("nq", "nQ", "Nq", "NQ"):
            return text[text.index("'") + 2 : -2]
        quote = "'" if "'" in text else '"'
        return text[text.index(quote) + 1 : -1].replace(quote * 2, quote)

    @property
    def is_name(self) -> bool:
        """Whether it may be the name of an object."""
        return self.kind in ("word", "quoted")


@dataclass(eq=False)
class NotUnderstood(StranglerError):
    """A token that the importer does not understand where it stands."""

    token: Token
    problem: str
    file: str = ""
    exit_code: ClassVar[int] = USAGE

    @property
    def sentence(self) -> str:
        """File, line, column, the token, and what is wrong with it."""
        place = f"line {self.token.line}, column {self.token.column}"
        return f"{f'{self.file}, ' if self.file else ''}{place}: {self.token.text[:60]!r} {self.problem}"


def tokenize(text: str, dialect: str) -> Iterator[Token]:
    """All tokens of a script."""
    line, line_start = 1, 0
    for found in _PATTERNS[dialect].finditer(text):  # the last alternative matches every character, so none is left out
        kind, at = found.lastgroup, found.start()
        if kind != "skip":
            written = _standard(found[0]) if kind == "string" and dialect == "mysql" else found[0]
            yield Token(kind, written, line, at - line_start + 1, at)  # type: ignore[arg-type]  # the groups' names
        if kind not in _ON_ONE_LINE and (breaks := text.count("\n", at, found.end())):
            line += breaks
            line_start = text.rindex("\n", at, found.end()) + 1


_ON_ONE_LINE = ("word", "number", "mark")
_ESCAPED = re.compile(r"\\(.)", re.DOTALL)
_ESCAPES = {"n": "\n", "t": "\t", "r": "\r", "0": "", "b": "\b", "Z": "\x1a"}


def _standard(text: str) -> str:
    """A string of MySQL, with its backslashes or double quotes, as standard SQL writes it."""
    quote = text[-1]
    inner = text[text.index(quote) + 1 : -1].replace(quote * 2, quote)
    plain = _ESCAPED.sub(lambda found: _ESCAPES.get(found[1], found[1]), inner)
    return "'" + plain.replace("'", "''") + "'"


class Cursor:
    """Tokens read one after the other."""

    def __init__(self, tokens: Sequence[Token]) -> None:
        self._tokens, self.at = tokens, 0

    @property
    def is_at_end(self) -> bool:
        """Whether nothing is left."""
        return self.at >= len(self._tokens)

    def peek(self, ahead: int = 0) -> Token | None:
        """The next token, if there is one."""
        place = self.at + ahead
        return self._tokens[place] if place < len(self._tokens) else None

    def take(self) -> Token:
        """The next token. Raises NotUnderstood at the end."""
        token = self.peek()
        if token is None:
            raise NotUnderstood(self._tokens[-1], "ends the statement too early")
        self.at += 1
        return token

    def sees(self, *words: str) -> bool:
        """Whether exactly these words come next."""
        return all((token := self.peek(n)) is not None and token.upper == word for n, word in enumerate(words))

    def skip(self, *words: str) -> bool:
        """Take the words if exactly they come next."""
        if not self.sees(*words):
            return False
        self.at += len(words)
        return True

    def expect(self, *words: str) -> None:
        """Take the words. Raises NotUnderstood."""
        for word in words:
            token = self.take()
            if token.upper != word:
                raise NotUnderstood(token, f"stands where {word} is expected")

    def group(self) -> list[Token]:
        """The tokens between the parentheses that open here, without them. Raises NotUnderstood."""
        self.expect("(")
        depth, start = 1, self.at
        while depth:
            token = self.take()
            depth += {"(": 1, ")": -1}.get(token.text, 0) if token.kind == "mark" else 0
        return list(self._tokens[start : self.at - 1])

    def between(self, start: int) -> list[Token]:
        """What was taken since the cursor stood at `start`."""
        return list(self._tokens[start : self.at])

    def rest(self) -> list[Token]:
        """Everything that is left."""
        left = list(self._tokens[self.at :])
        self.at = len(self._tokens)
        return left


def split(tokens: Sequence[Token], mark: str = ",") -> list[list[Token]]:
    """The parts between the marks that stand outside of parentheses."""
    parts: list[list[Token]] = [[]]
    depth = 0
    for token in tokens:
        if token.kind == "mark":
            depth += {"(": 1, ")": -1}.get(token.text, 0)
            if token.text == mark and depth == 0:
                parts.append([])
                continue
        parts[-1].append(token)
    return [part for part in parts if part]


def words(tokens: Sequence[Token]) -> str:
    """The tokens as text, for a person."""
    return " ".join(token.text for token in tokens)
