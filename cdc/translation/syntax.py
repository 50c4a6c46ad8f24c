"""What is wrong with a statement that does not parse: the place, the word at which reading ended, and a sentence."""

from __future__ import annotations

import re
from collections.abc import Mapping

from sqlglot.errors import ParseError

from cdc.translation.refusals import Place, Refusal

_REMEDY = "Correct the statement at this word, or just before it."
_MISSING = re.compile(r"Required keyword: '(\w+)' missing for <class '[\w.]*\.(\w+)'>")
_CLOSES = {"'": "'", '"': '"', "`": "`", "[": "]", "/*": "*/"}
_OPENED = re.compile(r"--[^\n]*|/\*|'|\"|`|\[")


def unreadable(error: Exception, text: str, dialect: str) -> Refusal:
    """The refusal for what sqlglot raised while it read `text`."""
    whole = f"this is not {dialect} SQL that can be read"
    if isinstance(error, RecursionError):
        return Refusal(f"{whole}: it nests too deeply", "Write it with fewer parentheses.")
    if not isinstance(error, ParseError) or not error.errors:
        return _unclosed(text, dialect, whole)
    first = error.errors[0]
    token = str(first.get("highlight") or "")
    place = Place(int(first.get("line") or 0), max(int(first.get("col") or 0) - len(token) + 1, 0))
    return Refusal(f"{whole}, at {token!r}: {_sentence(first)}", _REMEDY, place)


def _sentence(found: Mapping[str, object]) -> str:
    description = str(found.get("description") or "it ends too early")
    missing = _MISSING.search(description)
    if missing:
        return f"a part of {missing[2].upper()} is missing before it"
    if "Unexpected token" in description:
        return "this word is not expected here"
    return description[0].lower() + description[1:] + " before it"


def _unclosed(text: str, dialect: str, whole: str) -> Refusal:
    """The quote, bracket or comment that is opened and never closed."""
    at = 0
    while found := _OPENED.search(text, at):
        mark = found.group()
        at = found.end()
        if mark.startswith("--") or (mark == "[" and dialect != "tsql"):
            continue
        end = text.find(_CLOSES[mark], at)
        if end < 0:
            before = text[: found.start()]
            place = Place(before.count("\n") + 1, found.start() - before.rfind("\n"))
            return Refusal(f"{whole}: {mark} is opened and never closed", f"Close it with {_CLOSES[mark]}", place)
        at = end + len(_CLOSES[mark])
    return Refusal(f"{whole}: it holds a character that no SQL has", _REMEDY)
