"""Two trees to their differences: where, of which kind, and which spellings of one value were met on the way.

Kinds: `missing` (only the control has it), `extra` (only the candidate has it), `type`, `value`, `order` (a list with
the same members in another order), `length` (lists of different length). Lists are compared member by member; where
that fails, as multisets by a canonical form, so the work stays linear in the size of the answers.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal
from typing import Any, Literal, NamedTuple

from shadow.json_model import canonical
from shadow.rules import Path, Rules

Kind = Literal["missing", "extra", "type", "value", "order", "length"]

Members = list[Any] | tuple[Any, ...]

DEPTH_MAX = 128
DIFFERENCES_MAX = 200
LIST_MEMBERS_AS_SET_MAX = 2000

NOTHING: Any = type("Nothing", (), {"__repr__": lambda _: "nothing"})()
"""The side of a difference that has no value there."""

# Beyond six digits of a second Python's datetime would cut, and two different instants would look the same.
_INSTANT = re.compile(r"\d{4}-\d\d-\d\d[T ]\d\d:\d\d:\d\d(\.\d{1,6})?(Z|[+-]\d\d:?\d\d)\Z")


class Found(NamedTuple):
    """One difference by its concrete path, with both values as they are: never to leave the process unredacted."""

    path: Path
    kind: Kind
    control: Any
    candidate: Any


class TooDeep(Exception):
    """The trees are nested deeper than DEPTH_MAX."""


class _Enough(Exception):
    """DIFFERENCES_MAX were found; more would add nothing."""


@dataclass(slots=True)
class Walk:
    """What a walk found: differences that count, and `notes` on what was let pass (`key_order`, `ignored`, ...)."""

    rules: Rules
    skips_equal: bool = False
    found: list[Found] = field(default_factory=list)
    notes: set[str] = field(default_factory=set)

    def add(self, path: Path, kind: Kind, control: Any, candidate: Any) -> None:
        """Take down a difference, unless a rule hides it."""
        if self.rules.may_ignore(path) and not self._hides_protected(path, control, candidate):
            self.notes.add("ignored")
            return
        self.found.append(Found(path, kind, control, candidate))
        if len(self.found) >= DIFFERENCES_MAX:
            raise _Enough

    def _hides_protected(self, path: Path, control: Any, candidate: Any) -> bool:
        # A whole branch that is on one side only takes its protected fields with it: `ignore` may not hide that.
        if not self.rules.protect:
            return False
        below = (leaf for side in (control, candidate) for leaf in _paths_below(path, side))
        return any(self.rules.protects(leaf) for leaf in below)


def walk(control: Any, candidate: Any, rules: Rules, *, has_truth_values: bool = True) -> Walk:
    """All differences of two trees, up to DIFFERENCES_MAX, and if there are none, the notes. Raises TooDeep.

    Python's own equality is ten times as quick as looking at every leaf, but it takes 1 for true, 1.0 for 1.00, and
    any order of names for the same. So it may skip a branch only where there are no truth values, and only until no
    difference has been found: then a second walk looks at everything, and its notes say what was let pass.
    """
    if not has_truth_values:
        state = _walked(control, candidate, Walk(rules, skips_equal=True))
        if state.found or state.notes:
            return state
    return _walked(control, candidate, Walk(rules))


def _walked(control: Any, candidate: Any, state: Walk) -> Walk:
    with suppress(_Enough):
        _values(control, candidate, (), state)
    return state


def _values(control: Any, candidate: Any, path: Path, state: Walk) -> None:
    if isinstance(control, dict) and isinstance(candidate, dict):
        _objects(control, candidate, path, state)
    elif isinstance(control, list | tuple) and isinstance(candidate, list | tuple):
        _lists(control, candidate, path, state)
    else:
        _leaves(control, candidate, path, state)


def _objects(control: dict[str, Any], candidate: dict[str, Any], path: Path, state: Walk) -> None:
    if state.skips_equal and control == candidate:
        return
    if len(path) >= DEPTH_MAX:
        raise TooDeep
    extra = [] if list(control) == list(candidate) else _extra_names(control, candidate, state)
    for name, ours in control.items():
        theirs = candidate.get(name, NOTHING)
        if type(ours) is type(theirs) and type(ours) in _ONE_SPELLING and ours == theirs:
            continue
        if theirs is NOTHING:
            state.add((*path, name), "missing", ours, NOTHING)
        else:
            _values(ours, theirs, (*path, name), state)
    for name in extra:
        state.add((*path, name), "extra", NOTHING, candidate[name])


def _extra_names(control: dict[str, Any], candidate: dict[str, Any], state: Walk) -> list[str]:
    if [name for name in control if name in candidate] != [name for name in candidate if name in control]:
        state.notes.add("key_order")
    return [name for name in candidate if name not in control]


_ONE_SPELLING = frozenset({str, int, bool, type(None)})


def _leaves(control: Any, candidate: Any, path: Path, state: Walk) -> None:
    kind = _kind_of(control)
    if kind != _kind_of(candidate):
        state.add(path, "type", control, candidate)
    elif control == candidate:
        if kind == "number" and str(control) != str(candidate):
            state.notes.add("number_scale")
    elif kind == "string" and _same_instant(control, candidate):
        state.notes.add("time_zone")
    else:
        state.add(path, "value", control, candidate)


_KINDS: dict[type, str] = {
    str: "string", int: "number", Decimal: "number", bool: "boolean", type(None): "null",
    dict: "object", list: "array", tuple: "array", bytes: "bytes",
}  # fmt: skip


def _kind_of(value: Any) -> str:
    return _KINDS.get(type(value)) or type(value).__name__


def _same_instant(control: str, candidate: str) -> bool:
    if not (_INSTANT.match(control) and _INSTANT.match(candidate)):
        return False
    try:
        return datetime.fromisoformat(control) == datetime.fromisoformat(candidate)
    except (ValueError, OverflowError):
        return False


def _lists(control: Members, candidate: Members, path: Path, state: Walk) -> None:
    if len(path) >= DEPTH_MAX:
        raise TooDeep
    if len(control) != len(candidate):
        _lists_of_different_length(control, candidate, path, state)
        return
    known, differing = len(state.found), []
    for index, (ours, theirs) in enumerate(zip(control, candidate, strict=True)):
        if state.skips_equal and ours == theirs:
            continue
        before = len(state.found)
        _values(ours, theirs, (*path, index), state)
        if len(state.found) > before:
            differing.append(index)
    if _same_members([control[index] for index in differing], [candidate[index] for index in differing]):
        del state.found[known:]
        state.add(path, "order", control, candidate)


def _lists_of_different_length(control: Members, candidate: Members, path: Path, state: Walk) -> None:
    state.add(path, "length", control, candidate)
    # A member more at the front moves all the others: only what has no partner anywhere is compared in turn.
    if max(len(control), len(candidate)) > LIST_MEMBERS_AS_SET_MAX:
        return
    ours, theirs = [canonical(member) for member in control], [canonical(member) for member in candidate]
    left = _without_partner(ours, Counter(theirs))
    right = _without_partner(theirs, Counter(ours))
    for mine, other in zip(left, right, strict=False):
        _values(control[mine], candidate[other], (*path, mine), state)


def _without_partner(members: list[bytes], others: Counter[bytes]) -> list[int]:
    alone = []
    for index, member in enumerate(members):
        if others[member]:
            others[member] -= 1
        else:
            alone.append(index)
    return alone


def _same_members(control: Members, candidate: Members) -> bool:
    if not 1 < len(control) <= LIST_MEMBERS_AS_SET_MAX:
        return False
    return Counter(map(canonical, control)) == Counter(map(canonical, candidate))


def _paths_below(path: Path, value: Any) -> Iterator[Path]:
    pending = [(path, value)]
    while pending:
        place, branch = pending.pop()
        yield place
        if isinstance(branch, dict):
            pending.extend(((*place, name), member) for name, member in branch.items())
        elif isinstance(branch, list | tuple):
            pending.extend(((*place, index), member) for index, member in enumerate(branch))
