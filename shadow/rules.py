"""Path patterns that say what a comparison may ignore, and what it never may.

A pattern is a small JSONPath: `$.a`, `$.items[*].amount`, `$.items[0]`, `$['odd name']`, `$.*`, `$..name`. A pattern
covers what it names and everything below it. `protect` overrules `ignore`. A concrete path is a tuple of member names
and list indexes, from the root.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING, ClassVar

from config.errors import USAGE, StranglerError

if TYPE_CHECKING:
    from config.model import Compare

Path = tuple[str | int, ...]

STEPS_MAX = 64
ANSWERS_KEPT_MAX = 4096

_STEP = re.compile(
    r"""(?P<deep>\.\.)(?P<deep_name>[^.\[\]'"\s]+)
      | \.(?P<name>[^.\[\]'"\s]+)
      | \[(?P<index>\d+|\*)\]
      | \[(?P<quote>['"])(?P<quoted>(?:(?!(?P=quote)).)*)(?P=quote)\]""",
    re.VERBOSE,
)


@dataclass(eq=False)
class RuleInvalid(StranglerError):
    """A path pattern in `compare` that cannot be read."""

    pattern: str
    position: int
    exit_code: ClassVar[int] = USAGE

    @property
    def sentence(self) -> str:
        """The pattern and the place in it."""
        return f"{self.pattern!r} is not a path pattern (character {self.position + 1})."

    @property
    def hint(self) -> str:
        """What a pattern looks like."""
        return "Write it like $.account.amount, $.items[*].amount or $..updated_at."


@dataclass(frozen=True, slots=True)
class Step:
    """One step of a pattern: a name, an index, or any child (`key` is None); `deep` also matches further down."""

    key: str | int | None
    deep: bool = False

    def fits(self, child: str | int) -> bool:
        """Whether the step may lead to that child."""
        return self.key is None or (self.key == child and type(self.key) is type(child))


def parse_pattern(pattern: str) -> tuple[Step, ...]:
    """The steps after `$`. Raises RuleInvalid."""
    if not pattern.startswith("$"):
        raise RuleInvalid(pattern, 0)
    steps: list[Step] = []
    position = 1
    while position < len(pattern):
        found = _STEP.match(pattern, position)
        if found is None or len(steps) == STEPS_MAX:
            raise RuleInvalid(pattern, position)
        steps.append(_step(found))
        position = found.end()
    return tuple(steps)


def _step(found: re.Match[str]) -> Step:
    if found["deep"]:
        return Step(None if found["deep_name"] == "*" else found["deep_name"], deep=True)
    if found["name"] is not None:
        return Step(None if found["name"] == "*" else found["name"])
    if found["index"] is not None:
        return Step(None if found["index"] == "*" else int(found["index"]))
    return Step(found["quoted"])


def covers(steps: Sequence[Step], path: Path) -> bool:
    """Whether the pattern matches the path or one of its ancestors."""
    places = {0}
    for child in path:
        if len(steps) in places:
            return True
        places = {after for place in places for after in _advance(steps, place, child)}
        if not places:
            return False
    return len(steps) in places


def _advance(steps: Sequence[Step], place: int, child: str | int) -> Iterable[int]:
    step = steps[place]
    if step.deep:
        yield place
    if step.fits(child):
        yield place + 1


class Rules:
    """The compiled rules of one route; `may_ignore` remembers its answers, up to a bounded number of paths."""

    def __init__(self, ignore: Iterable[str] = (), protect: Iterable[str] = ()) -> None:
        self.ignore = tuple(parse_pattern(pattern) for pattern in ignore)
        self.protect = tuple(parse_pattern(pattern) for pattern in protect)
        names_an_index = any(isinstance(step.key, int) for steps in (*self.ignore, *self.protect) for step in steps)
        self._keep_indexes = names_an_index
        self._answer = lru_cache(maxsize=ANSWERS_KEPT_MAX)(self._decide)

    @classmethod
    def of(cls, compare: Compare) -> Rules:
        """The rules of a route's `compare` section. Raises RuleInvalid."""
        return cls(compare.ignore, compare.protect)

    def may_ignore(self, path: Path) -> bool:
        """Whether a difference at that path is hidden: an ignore pattern covers it and no protect pattern does."""
        if not self.ignore:
            return False
        return self._answer(path if self._keep_indexes else tuple(0 if type(step) is int else step for step in path))

    def protects(self, path: Path) -> bool:
        """Whether a protect pattern covers the path."""
        return any(covers(steps, path) for steps in self.protect)

    def _decide(self, path: Path) -> bool:
        return any(covers(steps, path) for steps in self.ignore) and not self.protects(path)


NO_RULES = Rules()
