"""A route's match: METHOD and path pattern, parsed and ordered by how specific it is."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Literal

METHOD = re.compile(r"[A-Z][A-Z0-9!#$%&'*+.^_`|~-]*\Z")
PARAMETER = re.compile(r"\{([A-Za-z_][A-Za-z0-9_]*)(\.\.\.)?\}\Z")

Kind = Literal["literal", "name", "rest"]
_RANK: dict[Kind, int] = {"literal": 2, "name": 1, "rest": 0}


@dataclass(frozen=True)
class Segment:
    """One part of a path pattern: a literal, `{name}` (one segment) or `{name...}` (the rest)."""

    kind: Kind
    text: str


@dataclass(frozen=True)
class Match:
    """The parsed form of `GET|HEAD /accounts/{account_id}`; `methods` is None for `*`."""

    methods: frozenset[str] | None
    segments: tuple[Segment, ...]

    @property
    def specificity(self) -> tuple[object, ...]:
        """Sorts the most specific route highest: literal over name over rest, longer over shorter, method over `*`."""
        ranks = tuple(_RANK[segment.kind] for segment in self.segments)
        return (ranks, len(ranks), self.methods is not None)

    @property
    def shape(self) -> tuple[tuple[Kind, str], ...]:
        """The pattern without the names of its parameters: two routes of one shape match the same paths."""
        return tuple((s.kind, s.text if s.kind == "literal" else "") for s in self.segments)

    @property
    def parameters(self) -> tuple[str, ...]:
        """The names in braces, in order."""
        return tuple(segment.text for segment in self.segments if segment.kind != "literal")


def parse_match(text: str) -> Match:
    """Parse `METHOD /path`. Raises ValueError with a sentence when it is not one."""
    method_text, _, path = text.partition(" ")
    path = path.strip()
    if not path.startswith("/"):
        raise ValueError("expected a method, a space and a path that begins with /")
    return Match(_methods(method_text), _segments(path))


def _methods(text: str) -> frozenset[str] | None:
    if text == "*":
        return None
    methods = text.split("|")
    for method in methods:
        if not METHOD.match(method):
            raise ValueError(f"{method!r} is not a method in capitals, nor *")
    return frozenset(methods)


def _segments(path: str) -> tuple[Segment, ...]:
    segments: list[Segment] = []
    parts = path[1:].split("/")
    for index, part in enumerate(parts):
        found = PARAMETER.match(part)
        if found and found[2]:
            if index != len(parts) - 1:
                raise ValueError(f"{part} takes the rest of the path, so it must come last")
            segments.append(Segment("rest", found[1]))
        elif found:
            segments.append(Segment("name", found[1]))
        elif "{" in part or "}" in part:
            raise ValueError(f"{part!r} mixes text and a parameter; a parameter is a whole segment, {{name}}")
        else:
            segments.append(Segment("literal", part))
    names = [s.text for s in segments if s.kind != "literal"]
    if len(names) != len(set(names)):
        raise ValueError("a parameter's name occurs twice")
    return tuple(segments)
