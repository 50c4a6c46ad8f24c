"""Whether two names are one person's."""

from __future__ import annotations


def same_person(name: str) -> str:
    """Return a name as it is compared: `Alice ` is alice."""
    return " ".join(name.split()).casefold()
