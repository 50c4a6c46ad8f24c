"""Which members of two lists belong together: by a key, or as sets; linear in the length of both.

The result names indexes: pairs to compare with each other, members without a partner, and whether partners stand in
another order. Nothing is compared here but keys and canonical forms.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Hashable, Sequence
from dataclasses import dataclass
from decimal import Decimal
from itertools import pairwise
from typing import Any

from config.paths import Path
from shadow.json_model import canonical
from shadow.rules import Listing, Rules

Members = list[Any] | tuple[Any, ...]

NO_MEMBER = object()


@dataclass(frozen=True, slots=True)
class Alignment:
    """Indexes into the control's and the candidate's list."""

    pairs: tuple[tuple[int, int], ...]
    missing: tuple[int, ...]
    extra: tuple[int, ...]
    is_reordered: bool


@dataclass(frozen=True, slots=True)
class Side:
    """One side's list and what is needed to read it: its path, the rules, and whether legacy said it."""

    members: Members
    path: Path
    rules: Rules
    is_legacy: bool

    def keys(self, names: tuple[str, ...]) -> list[Hashable]:
        """The key of each member; a member that is no object has none and is only like others without one."""
        return [_key(member, names) for member in self.members]

    def forms(self) -> list[Hashable]:
        """The canonical form of each member, without what is ignored in it."""
        place = (*self.path, 0)
        return [canonical(self._in_one_form(member, place)) for member in self.members]

    def _in_one_form(self, value: Any, path: Path) -> Any:
        if self.rules.is_empty:
            return value
        if isinstance(value, dict):
            kept = {name: inner for name, inner in value.items() if not self.rules.may_ignore((*path, name))}
            return {name: self._in_one_form(inner, (*path, name)) for name, inner in kept.items()}
        if isinstance(value, list | tuple):
            return [self._in_one_form(inner, (*path, 0)) for inner in value]
        here = self.rules.here(path)
        return value if here.is_protected else _spelt(here.treated(value, is_legacy=self.is_legacy))


def align(control: Side, candidate: Side, listing: Listing) -> Alignment:
    """The members of two lists by the rule for them."""
    if listing.mode == "key":
        return by_key(control.keys(listing.key), candidate.keys(listing.key))
    return as_sets(control.forms(), candidate.forms(), shows_partners=control.rules.is_strict)


def by_key(control: Sequence[Hashable], candidate: Sequence[Hashable]) -> Alignment:
    """Members with equal keys belong together, the first with the first where a key occurs more than once."""
    waiting: defaultdict[Hashable, list[int]] = defaultdict(list)
    for index in range(len(candidate) - 1, -1, -1):
        waiting[candidate[index]].append(index)
    pairs: list[tuple[int, int]] = []
    missing: list[int] = []
    for index, key in enumerate(control):
        partners = waiting.get(key)
        if partners:
            pairs.append((index, partners.pop()))
        else:
            missing.append(index)
    extra = sorted(index for partners in waiting.values() for index in partners)
    return Alignment(tuple(pairs), tuple(missing), tuple(extra), _moves([other for _, other in pairs]))


def as_sets(control: Sequence[Hashable], candidate: Sequence[Hashable], *, shows_partners: bool = False) -> Alignment:
    """Members of equal canonical form are partners that need no look, unless asked for; what is left is paired in its
    order."""
    partners = by_key(control, candidate)
    left = tuple(zip(partners.missing, partners.extra, strict=False))
    known = partners.pairs if shows_partners else ()
    return Alignment((*known, *left), partners.missing[len(left) :], partners.extra[len(left) :], partners.is_reordered)


def _moves(others: list[int]) -> bool:
    return any(first > second for first, second in pairwise(others))


def _key(member: Any, names: tuple[str, ...]) -> Hashable:
    if not isinstance(member, dict):
        return None
    return tuple([_hashable(member.get(name, NO_MEMBER)) for name in names])


def _hashable(value: Any) -> Hashable:
    return canonical(value) if isinstance(value, dict | list | tuple) else (isinstance(value, bool), value)


def _spelt(value: Any) -> Any:
    return value if value is None or isinstance(value, str | int | Decimal) else str(value)
