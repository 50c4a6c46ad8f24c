"""What a walk over two trees has found so far: differences, what was let pass and by which rule, ids that met."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any, Literal, NamedTuple

from config.paths import Path
from shadow.correspondence import Meeting
from shadow.rules import Rules

Kind = Literal["missing", "extra", "type", "value", "order", "length"]

DIFFERENCES_MAX = 200

NOTHING: Any = type("Nothing", (), {"__repr__": lambda _: "nothing"})()
"""The side of a difference that has no value there."""


class HeadPlace(str):
    """A place in the head, such as `status` or `header:location`: it is no member of a body that has that name."""

    __slots__ = ()


class Found(NamedTuple):
    """One difference by its concrete path, with both values as they are: never to leave the process unredacted. A
    difference of the heads has a path of one HeadPlace."""

    path: Path
    kind: Kind
    control: Any
    candidate: Any


class Enough(Exception):
    """DIFFERENCES_MAX were found; more would add nothing."""


@dataclass(slots=True)
class Walk:
    """What a walk found: differences that count, `notes` on what was let pass (`key_order`, `ignored`, ...), and the
    names of the rules that let it pass. `ids` knows which ids belong together; without it an id is a value."""

    rules: Rules
    skips_equal: bool = False
    legacy_is_control: bool = True
    found: list[Found] = field(default_factory=list)
    notes: set[str] = field(default_factory=set)
    used: set[str] = field(default_factory=set)
    ids: Meeting | None = None

    def add(self, path: Path, kind: Kind, control: Any, candidate: Any) -> None:
        """Take down a difference, unless a rule hides it."""
        if not self.rules.is_empty and self._is_excused(path, kind, control, candidate):
            return
        self.found.append(Found(path, kind, control, candidate))
        if len(self.found) >= DIFFERENCES_MAX:
            raise Enough

    def _is_excused(self, path: Path, kind: Kind, control: Any, candidate: Any) -> bool:
        excuse = self.rules.here(path).excuse(
            kind, control, candidate, legacy_is_control=self.legacy_is_control, nothing=NOTHING
        )
        if excuse is None or self._hides_protected(path, control, candidate):
            return False
        self.notes.add(excuse.note)
        self.used.update(excuse.names)
        return True

    def let_pass(self, note: str, rule: str) -> None:
        """Note that a rule made a difference none."""
        self.notes.add(note)
        self.used.add(rule)

    def _hides_protected(self, path: Path, control: Any, candidate: Any) -> bool:
        # A whole branch that is on one side only takes its protected fields with it: no rule may hide that.
        if not self.rules.has_protected:
            return False
        below = (leaf for side in (control, candidate) for leaf in paths_below(path, side))
        return any(self.rules.protects(leaf) for leaf in below)


def paths_below(path: Path, value: Any) -> Iterator[Path]:
    """The path itself and all paths below it."""
    pending = [(path, value)]
    while pending:
        place, branch = pending.pop()
        yield place
        if isinstance(branch, dict):
            pending.extend(((*place, name), member) for name, member in branch.items())
        elif isinstance(branch, list | tuple):
            pending.extend(((*place, index), member) for index, member in enumerate(branch))
