"""Copybook text as statements: columns, comments and literals dealt with, line numbers kept."""

import re
from dataclasses import dataclass

_FIXED = re.compile(r"(?: {6}|\d{6})[ *\-/Dd]")
_TOKEN = re.compile(r"""'[^']*'|"[^"]*"|[^\s'"]+""")
_COMMENT_MARKS = ("*", "/")


@dataclass(frozen=True)
class Word:
    """One word and the line it stands on."""

    text: str
    line: int

    @property
    def upper(self) -> str:
        """COBOL does not tell cases apart."""
        return self.text.upper()


def statements(text: str) -> list[list[Word]]:
    """The data description entries, each without its closing period; the last may lack one."""
    lines = [line.expandtabs(8).rstrip() for line in text.splitlines()]
    is_fixed = all(_FIXED.match(line) for line in lines if line.strip())
    found: list[list[Word]] = [[]]
    for number, line in enumerate(lines, 1):
        for token in _TOKEN.findall(_code(line, is_fixed=is_fixed)):
            ends = token.endswith(".")
            word = token.rstrip(".").rstrip(",;") if token[0] not in "'\"" else token
            if word:
                found[-1].append(Word(word, number))
            if ends:
                found.append([])
    return [statement for statement in found if statement]


def _code(line: str, *, is_fixed: bool) -> str:
    if is_fixed:
        # Columns 1-6 number the lines, column 7 says comment, 73-80 are for the programmer.
        line = "" if line[6:7] in _COMMENT_MARKS else line[6:72]
    elif line.lstrip()[:1] in _COMMENT_MARKS:
        line = ""
    return line.split("*>", 1)[0]
