"""Numbers as people read them."""

from __future__ import annotations

import math
from datetime import UTC, datetime

DECIMALS_MAX = 9


def count(number: int) -> str:
    """12,345."""
    return f"{number:,}"


def percent(share: float) -> str:
    """A share of 0 to 1 with three digits of what it is away from the nearer end: 0.153 %; 99.985 % is not 100 %."""
    away = min(share, 1 - share) * 100
    if away <= 0:
        return f"{share * 100:.0f} %"
    decimals = min(DECIMALS_MAX, max(0, 2 - math.floor(math.log10(away))))
    text = f"{share * 100:.{decimals}f}"
    return f"{text.rstrip('0').rstrip('.') if '.' in text else text} %"


def milliseconds(seconds: float) -> str:
    """12.3 ms."""
    return f"{seconds * 1000:.3g} ms" if seconds < 1 else f"{seconds:.3g} s"


def duration(seconds: float) -> str:
    """45 s, 12 min, 3.5 h, 2 days."""
    for size, name in ((86400.0, "days"), (3600.0, "h"), (60.0, "min")):
        if seconds >= size * (2 if name == "days" else 1):
            return f"{seconds / size:.1f} {name}"
    return f"{seconds:.0f} s"


def moment(at: float | None) -> str:
    """A time in UTC to the second; a dash for none."""
    return datetime.fromtimestamp(at, UTC).strftime("%Y-%m-%d %H:%M:%S UTC") if at else "-"


def ratio(number: float | None) -> str:
    """1.23 x; a question mark for what is not known."""
    return "?" if number is None else f"{number:.2f} x"
