"""A finding: something that is not as it should be, where, and what to do about it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal


@dataclass(frozen=True)
class Finding:
    """One finding; an `error` stops a stream or a cutover, a `warning` is worth knowing before."""

    severity: Literal["error", "warning"]
    where: str
    text: str
    remedy: str = ""


def error(where: str, text: str, remedy: str = "") -> Finding:
    """A finding that stops a stream."""
    return Finding("error", where, text, remedy)


def warning(where: str, text: str, remedy: str = "") -> Finding:
    """A finding that does not."""
    return Finding("warning", where, text, remedy)
