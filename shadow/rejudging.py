"""Stored pairs under other rules: what each verdict would have been, by route, and what would still differ."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from shadow.compare import Verdict
from shadow.correspondence import Belonging, Correspondence
from shadow.keeper import Kept
from shadow.redact import Redactor
from shadow.rules import NO_RULES, Rules
from shadow.snapshot import judge_again

DIFFERENCES_SHOWN_MAX = 50


@dataclass
class Group:
    """The stored pairs of one route and verdict: how many pairs they stand for, and how many have which verdict now."""

    route: str
    before: str
    stands_for: int
    after: Counter[str] = field(default_factory=Counter)


@dataclass
class Rejudged:
    """Every stored pair judged anew. `unreadable` counts pairs whose key is gone; `differences` are what would differ
    still, by route, path and kind."""

    groups: dict[tuple[str, str], Group] = field(default_factory=dict)
    differences: Counter[tuple[str, str, str]] = field(default_factory=Counter)
    unreadable: int = 0

    @property
    def differs(self) -> bool:
        """Whether any stored pair would differ under these rules."""
        return any(group.after["different"] for group in self.groups.values())

    def to_json(self) -> dict[str, object]:
        """As plain values."""
        return {
            "unreadable": self.unreadable,
            "groups": [
                {"route": one.route, "before": one.before, "stands_for": one.stands_for, "after": dict(one.after)}
                for one in self.groups.values()
            ],
            "differences": [
                {"route": route, "path": path, "kind": kind, "pairs": count}
                for (route, path, kind), count in self.differences.most_common(DIFFERENCES_SHOWN_MAX)
            ],
        }


def rejudge(
    kept: Iterable[Kept | None], seen: Mapping[tuple[str, str], int], rules: Mapping[str, Rules], redactor: Redactor
) -> Rejudged:
    """Judge stored pairs by the rules of their routes; a route that has none is judged without. Which ids belong
    together is learned anew from the pairs themselves."""
    result = Rejudged()
    ids = Correspondence()
    for one in kept:
        if one is None:
            result.unreadable += 1
            continue
        place = one.route, one.verdict
        group = result.groups.setdefault(place, Group(*place, seen.get(place, 0)))
        verdict = judge_again(one.snapshot, rules.get(one.route, NO_RULES), redactor, ids)
        ids.put(Belonging(*met, one.snapshot.at) for met in verdict.learned)
        group.after[_kind(verdict)] += 1
        if verdict.kind == "different" and not verdict.race:
            result.differences.update({(one.route, found.path, found.kind) for found in verdict.differences})
    return result


def _kind(verdict: Verdict) -> str:
    return "race" if verdict.race else verdict.kind
