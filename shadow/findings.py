"""What is to be said about the rules of a route: those that hide too much, that are over, that name nothing.

A finding is not a verdict. It tells the owner of a rule that it does not do what it was written for.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date
from typing import TYPE_CHECKING

from config.paths import covers, parse_pattern
from shadow.figures import percent
from shadow.rules import Rules
from shadow.summary import RouteSummary

if TYPE_CHECKING:
    from config.comparing import Compare

PAIRS_MIN = 100
"""Below that many pairs a rule that has met nothing may only have had bad luck."""


@dataclass(frozen=True)
class RuleFinding:
    """A rule and what is the matter with it."""

    route: str
    rule: str
    text: str


def findings_of(route: RouteSummary, compare: Compare, today: date) -> tuple[RuleFinding, ...]:
    """Everything there is to say about a route's rules."""
    said = [
        *_over(compare, today),
        *_overruled(compare),
        *_hiding(route, compare),
        *_naming_nothing(route, compare, today),
    ]
    return tuple(RuleFinding(route.route, rule, text) for rule, text in said)


def _over(compare: Compare, today: date) -> list[tuple[str, str]]:
    dated = [(f"ignore {one.path}", one.until) for one in compare.ignore]
    dated += [(f"{'+'.join(one.treatments)} {one.path}", one.until) for one in compare.rules]
    dated += [(f"declared {one.name}", one.until) for one in compare.declared]
    return [
        (rule, f"its last day was {until}; it hides nothing any more")
        for rule, until in dated
        if until and until < today
    ]


def _overruled(compare: Compare) -> list[tuple[str, str]]:
    """Rules that can hide nothing, because a protected path covers all that they name."""
    protected = [parse_pattern(path) for path in compare.protect]
    named = [(f"ignore {one.path}", one.path) for one in compare.ignore if one.path.startswith("$")]
    named += [(f"{'+'.join(one.treatments)} {one.path}", one.path) for one in compare.rules]
    found = []
    for rule, path in named:
        steps = parse_pattern(path)
        place = tuple(0 if step.is_index and step.key is None else step.key or "*" for step in steps)
        if not any(step.deep for step in steps) and any(covers(pattern, place) for pattern in protected):
            found.append((rule, "a protected path covers it, so it can hide nothing"))
    return found


def _hiding(route: RouteSummary, compare: Compare) -> list[tuple[str, str]]:
    compared = route.accounting.comparable
    if compared < PAIRS_MIN:
        return []
    return [
        (
            rule,
            f"it hides differences in {percent(count / compared)} of all pairs, more than {percent(compare.hides_max)}",
        )
        for rule, count in route.rules.items()
        if count / compared > compare.hides_max and not rule.startswith(("declared ", "id "))  # an id hides nothing
    ]


def _naming_nothing(route: RouteSummary, compare: Compare, today: date) -> list[tuple[str, str]]:
    if route.reached.get("", 0) < PAIRS_MIN or route.accounting.comparable < PAIRS_MIN:
        return []
    names = Rules.of(compare, today).names
    known = set(route.reached) | set(route.rules)
    return [(rule, "no answer so far has anything at its path") for rule in names if rule not in known]
