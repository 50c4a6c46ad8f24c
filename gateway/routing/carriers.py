"""Where the requests of a route carry ids that each side assigns itself: compiled from the rules of its capability."""

from __future__ import annotations

from dataclasses import dataclass

from config.match import Match
from config.model import Routes
from config.paths import Pattern, parse_pattern


@dataclass(frozen=True, slots=True)
class Carriers:
    """Each place with the name of the id that it carries: a segment of the path by its index, a parameter of the query,
    a member of a JSON body."""

    segments: tuple[tuple[int, str], ...]
    parameters: dict[bytes, str]
    members: tuple[tuple[Pattern, str], ...]


def carriers_of(capability: str, match: Match, routes: Routes) -> Carriers | None:
    """What the rules of a capability say about requests of one of its routes; None if they carry no id."""
    carried = {
        (place, rule.id.name)
        for route in routes.routes
        if route.capability == capability
        for rule in route.compare.rules
        if rule.id is not None
        for place in rule.id.carried
    }
    where = [(*place.partition(":")[::2], name) for place, name in sorted(carried)]
    at = {segment.text: index for index, segment in enumerate(match.segments) if segment.kind == "name"}
    segments = tuple((at[text], name) for kind, text, name in where if kind == "path" and text in at)
    parameters = {text.encode(): name for kind, text, name in where if kind == "query"}
    members = tuple((parse_pattern(text), name) for kind, text, name in where if kind == "body")
    return Carriers(segments, parameters, members) if segments or parameters or members else None
