"""Names in routes.yaml that lead nowhere: one table, checked on the document, so that no other mistake hides them."""

from __future__ import annotations

from collections.abc import Iterator
from difflib import get_close_matches
from typing import Any

from config.errors import Problem

REFERENCES = (
    ("default", "upstreams"),
    ("capabilities.*.legacy", "upstreams"),
    ("capabilities.*.modern", "upstreams"),
    ("capabilities.*.sync.source", "databases"),
    ("capabilities.*.sync.target", "databases"),
    ("routes.*.capability", "capabilities"),
    ("routes.*.upstream", "upstreams"),
    ("routes.*.shadow.sandbox", "upstreams"),
    ("routes.*.shadow.verify_by_read", "routes"),
)
"""Where a name may stand, and the part of the file that must have it."""


def name_problems(document: dict[str, Any]) -> Iterator[Problem]:
    """Every name that its part of the file does not have; what is no text there is somebody else's problem."""
    for pattern, kind in REFERENCES:
        known = _names(document.get(kind))
        for where, name in _values(document, pattern.split("."), ""):
            if isinstance(name, str) and name not in known:
                near = get_close_matches(name, known, n=1)
                example = near[0] if near else next(iter(known), f"a name under {kind}")
                yield Problem(where, f"{name!r} is not one of the {kind} of this file", example)


def _names(part: Any) -> list[str]:
    """The keys of a mapping; of a list of routes their names, which are their matches where they have none."""
    if isinstance(part, dict):
        return [str(key) for key in part]
    entries = part if isinstance(part, list) else []
    return [str(one.get("name") or one.get("match")) for one in entries if isinstance(one, dict)]


def _values(node: Any, pattern: list[str], where: str) -> Iterator[tuple[str, Any]]:
    """Everything that stands at a pattern of keys, with its path; `*` is every key or every index."""
    if not pattern:
        yield where, node
        return
    first, rest = pattern[0], pattern[1:]
    if isinstance(node, list) and first == "*":
        for index, one in enumerate(node):
            yield from _values(one, rest, f"{where}[{index}]")
    elif isinstance(node, dict):
        for key in node if first == "*" else {first} & node.keys():
            yield from _values(node[key], rest, f"{where}.{key}".lstrip("."))
