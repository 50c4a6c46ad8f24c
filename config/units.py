"""Durations, sizes and shares as people write them: `250ms`, `64KiB`, `5%`."""

from __future__ import annotations

import re

SECONDS = {"ms": 0.001, "s": 1.0, "m": 60.0, "h": 3600.0, "d": 86400.0}
BYTES = {"": 1, "B": 1, "KiB": 1 << 10, "MiB": 1 << 20, "GiB": 1 << 30}
NUMBER_WITH_UNIT = re.compile(r"(\d+(?:\.\d+)?)\s*([A-Za-z%]*)\Z")


def _split(text: str) -> tuple[float, str]:
    found = NUMBER_WITH_UNIT.match(text.strip())
    if not found:
        raise ValueError(f"{text!r} is not a number with a unit")
    return float(found[1]), found[2]


def seconds(value: object) -> float:
    """`250ms`, `30s`, `10m`, `2h`, `1d` (or a number of seconds) as seconds."""
    if isinstance(value, bool):
        raise ValueError("expected a duration such as 250ms, 30s or 10m")
    if isinstance(value, int | float):
        return float(value)
    number, unit = _split(str(value))
    if unit not in SECONDS:
        raise ValueError(f"expected a duration such as 250ms, 30s or 10m, not {value!r}")
    return number * SECONDS[unit]


def size_bytes(value: object) -> int:
    """`64KiB`, `1MiB` (or a number of bytes) as bytes."""
    if isinstance(value, bool):
        raise ValueError("expected a size such as 64KiB or 1MiB")
    if isinstance(value, int):
        return value
    number, unit = _split(str(value))
    if unit not in BYTES:
        raise ValueError(f"expected a size such as 64KiB or 1MiB, not {value!r}")
    return int(number * BYTES[unit])


def share(value: object) -> float:
    """`5%` or `0.05` as a share between 0 and 1."""
    if isinstance(value, bool):
        raise ValueError("expected a share such as 5% or 0.05")
    if isinstance(value, int | float):
        number = float(value)
    else:
        number, unit = _split(str(value))
        if unit not in ("", "%"):
            raise ValueError(f"expected a share such as 5% or 0.05, not {value!r}")
        number = number / 100 if unit == "%" else number
    if not 0 <= number <= 1:
        raise ValueError(f"expected a share between 0% and 100%, not {value!r}")
    return number
