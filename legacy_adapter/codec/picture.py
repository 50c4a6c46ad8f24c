"""PICTURE strings: X, A, 9, S and V with repetition; anything else is refused by name."""

import re
from dataclasses import dataclass

_REPEATED = re.compile(r"(.)\((\d{1,7})\)")
_TEXT = re.compile(r"[XA]+")
_NUMBER = re.compile(r"(S?)(9*)(?:V(9*))?")


@dataclass(frozen=True)
class Picture:
    """What a PICTURE says: characters of a text, or digits and scale of a number."""

    is_number: bool
    size: int
    scale: int = 0
    is_signed: bool = False


def parse_picture(text: str) -> Picture | None:
    """The picture, or None where it is not one of the forms that this product reads."""
    expanded = _expand(text.upper())
    if expanded is None:
        return None
    if _TEXT.fullmatch(expanded):
        return Picture(is_number=False, size=len(expanded))
    number = _NUMBER.fullmatch(expanded)
    if number is None:
        return None
    before, after = number[2], number[3] or ""
    size = len(before) + len(after)
    return Picture(is_number=True, size=size, scale=len(after), is_signed=bool(number[1])) if size else None


def _expand(text: str) -> str | None:
    longest = 1_000_000  # a picture this long is a mistake, and expanding it would be an attack
    if sum(int(count) for _, count in _REPEATED.findall(text)) > longest:
        return None
    return _REPEATED.sub(lambda match: match[1] * int(match[2]), text)
