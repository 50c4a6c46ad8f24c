"""Fixed formats of dates and timestamps: which ones have one reading only, and what their text looks like."""

from __future__ import annotations

import re
from dataclasses import dataclass

from cdc.translation.refusals import Refusal

_TOKENS = {"%Y": "YYYY", "%m": "MM", "%d": "DD", "%H": "HH24", "%M": "MI", "%S": "SS", "%f": "US", "FF3": "MS"}
_WIDTHS = {"YYYY": 4, "MM": 2, "DD": 2, "HH24": 2, "MI": 2, "SS": 2, "US": 6, "MS": 3}
_PIECE = re.compile(r"%Y|%m|%d|%H|%M|%S|%f|FF3|[-./: _]")
_REMEDY = "Use YYYY, MM, DD, HH24, MI, SS, FF6 or FF3, each once, with - . / : _ or blanks between them."
_TIME = ("HH24", "MI", "SS")
_STEPS = {"HH24": "hour", "MI": "minute", "SS": "second", "MS": "milliseconds"}


@dataclass(frozen=True)
class Format:
    """A format of digits and punctuation, in PostgreSQL's words, and the parts it has in their order."""

    text: str
    parts: tuple[str, ...]

    @property
    def has_time(self) -> bool:
        """Whether it says more than the day."""
        return len(self.parts) > 3

    @property
    def width(self) -> int:
        """The characters of every text in this format."""
        digits = sum(_WIDTHS[part] for part in self.parts)
        return digits + len(self.text) - sum(map(len, self.parts))

    def limits(self, value: str) -> tuple[str, ...]:
        """What must hold for a date or timestamp so that its text in this format says all of it."""
        guards = [f"{value} >= '0001-01-01'", f"{value} < '10000-01-01'"]
        finest = [part for part in ("HH24", "MI", "SS", "MS") if part in self.parts]
        if self.has_time and "US" not in self.parts:
            guards.append(f"{value} = date_trunc('{_STEPS[finest[-1]]}', {value})")
        return tuple(guards)


def fixed_format(pattern: str) -> Format:
    """Read a format in strftime's notation, as sqlglot gives it for every dialect.

    Raises Refusal for what has more than one reading (two-digit years, names of months) or is incomplete.
    """
    pieces = _pieces(pattern)
    parts = tuple(piece for piece in pieces if piece in _WIDTHS)
    if len(set(parts)) != len(parts) or not {"YYYY", "MM", "DD"} <= set(parts):
        raise Refusal("the date format does not say year, month and day exactly once", _REMEDY)
    times = [part for part in _TIME if part in parts]
    fractions = [part for part in ("MS", "US") if part in parts]
    if times != list(_TIME[: len(times)]) or len(fractions) > 1 or (fractions and len(times) < 3):
        raise Refusal("the date format has a smaller part of the time without the larger one", _REMEDY)
    form = Format("".join(pieces), parts)
    if not _stand_where_they_are_found(pieces, form.text):
        raise Refusal("two parts of the date format read as another part where they meet", _REMEDY)
    return form


def digits_of(pattern: str) -> str:
    """A format that need not be complete, in PostgreSQL's words; for writing only. Raises Refusal."""
    return "".join(_pieces(pattern))


def _pieces(pattern: str) -> list[str]:
    pieces, at = [], 0
    while at < len(pattern):
        match = _PIECE.match(pattern, at)
        if match is None:
            raise Refusal("the date format is not made of digits and punctuation only", _REMEDY)
        pieces.append(_TOKENS.get(match[0], match[0]))
        at = match.end()
    return pieces


def _stand_where_they_are_found(pieces: list[str], text: str) -> bool:
    # strangler.parse_* look a part up by its name: MM before SS would hide an MS.
    at = 0
    for piece in pieces:
        if piece in _WIDTHS and text.find(piece) != at:
            return False
        at += len(piece)
    return "MS" in pieces or "MS" not in text
