"""Path patterns into an answer: a small JSONPath that routes.yaml uses for every rule of a comparison.

`$.a`, `$.items[*].amount`, `$.items[0]`, `$['odd name']`, `$.*`, `$..name`. A pattern covers what it names and
everything below it. A concrete path is a tuple of member names and list indexes, from the root.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

Path = tuple[str | int, ...]

STEPS_MAX = 64

_STEP = re.compile(
    r"""(?P<deep>\.\.)(?P<deep_name>[^.\[\]'"\s]+)
      | \.(?P<name>[^.\[\]'"\s]+)
      | \[(?P<index>\d+|\*)\]
      | \[(?P<quote>['"])(?P<quoted>(?:(?!(?P=quote)).)*)(?P=quote)\]""",
    re.VERBOSE,
)


class PatternInvalid(ValueError):
    """A path pattern that cannot be read; says where."""

    def __init__(self, pattern: str, position: int) -> None:
        super().__init__(
            f"{pattern!r} is not a path pattern (character {position + 1}); "
            "write it like $.account.amount, $.items[*].amount or $..updated_at"
        )


@dataclass(frozen=True, slots=True)
class Step:
    """One step of a pattern: a name, an index, or any child (`key` is None); `deep` also matches further down."""

    key: str | int | None
    deep: bool = False
    is_index: bool = False

    def fits(self, child: str | int) -> bool:
        """Whether the step may lead to that child."""
        return self.key is None or (self.key == child and type(self.key) is type(child))


Pattern = tuple[Step, ...]


def parse_pattern(pattern: str) -> Pattern:
    """The steps after `$`. Raises PatternInvalid."""
    if not pattern.startswith("$"):
        raise PatternInvalid(pattern, 0)
    steps: list[Step] = []
    position = 1
    while position < len(pattern):
        found = _STEP.match(pattern, position)
        if found is None or len(steps) == STEPS_MAX:
            raise PatternInvalid(pattern, position)
        steps.append(_step(found))
        position = found.end()
    return tuple(steps)


def _step(found: re.Match[str]) -> Step:
    if found["deep"]:
        return Step(None if found["deep_name"] == "*" else found["deep_name"], deep=True)
    if found["name"] is not None:
        return Step(None if found["name"] == "*" else found["name"])
    if found["index"] is not None:
        return Step(None if found["index"] == "*" else int(found["index"]), is_index=True)
    return Step(found["quoted"])


def covers(steps: Sequence[Step], path: Path) -> bool:
    """Whether the pattern matches the path or one of its ancestors."""
    places = {0}
    for child in path:
        if len(steps) in places:
            return True
        places = _after(steps, places, child)
        if not places:
            return False
    return len(steps) in places


def names(steps: Sequence[Step], path: Path) -> bool:
    """Whether the pattern matches this very path, and not only an ancestor of it."""
    places = {0}
    for child in path:
        places = _after(steps, places, child)
    return len(steps) in places


def _after(steps: Sequence[Step], places: set[int], child: str | int) -> set[int]:
    return {after for place in places if place < len(steps) for after in _advance(steps, place, child)}


def _advance(steps: Sequence[Step], place: int, child: str | int) -> Iterable[int]:
    step = steps[place]
    if step.deep:
        yield place
    if step.fits(child):
        yield place + 1


def without_indexes(steps: Pattern) -> Pattern:
    """The pattern for XML and forms, where a name that occurs once is not a list: `$.item[*].a` is `$.item.a` there."""
    return tuple(step for step in steps if not step.is_index)
