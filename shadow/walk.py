"""Two trees to their differences: where, of which kind, and which spellings of one value were met on the way.

Kinds: `missing` (only the control has it), `extra` (only the candidate has it), `type`, `value`, `order` (the same
members in another order), `length` (lists of different length). Lists are compared member by member; where that fails,
as multisets by a canonical form; where a rule says so, as sets or by a key. The work stays linear in the size of the
answers. In markup (XML, forms) a name that occurs once is its value and one that occurs more often a list of values,
so there one value and a list of one are the same.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from contextlib import suppress
from decimal import Decimal
from itertools import compress, count
from operator import is_not, ne
from typing import Any

from config.paths import Path
from shadow.alignment import Side, align
from shadow.correspondence import Meeting, is_id
from shadow.found import NOTHING, Enough, Found, Walk
from shadow.json_model import canonical
from shadow.markup import Element, Repeated, as_element
from shadow.rules import Here, Listing, Rules
from shadow.treatments import instant_of, same

Members = list[Any] | tuple[Any, ...]

DEPTH_MAX = 128
LIST_MEMBERS_AS_SET_MAX = 2000


class TooDeep(Exception):
    """The trees are nested deeper than DEPTH_MAX."""


def walk(
    control: Any,
    candidate: Any,
    rules: Rules,
    *,
    has_truth_values: bool = True,
    legacy_is_control: bool = True,
    ids: Meeting | None = None,
) -> Walk:
    """All differences of two trees, up to DIFFERENCES_MAX, and if there are none, the notes. Raises TooDeep.

    Python's own equality is ten times as quick as looking at every leaf, but it takes 1 for true, 1.0 for 1.00, and
    any order of names for the same. So it may skip a branch only where there are no truth values and no rule that
    makes a difference of equal values, and only until no difference has been found: then a second walk looks at
    everything, and its notes say what was let pass.
    """
    if not (has_truth_values or rules.is_strict):
        state = _walked(control, candidate, Walk(rules, skips_equal=True, legacy_is_control=legacy_is_control))
        if state.found or state.notes:
            return state
    return _walked(control, candidate, Walk(rules, legacy_is_control=legacy_is_control, ids=ids))


def _walked(control: Any, candidate: Any, state: Walk) -> Walk:
    if state.skips_equal and control == candidate:
        return state
    with suppress(Enough):
        _values(control, candidate, (), state)
    return state


def _values(control: Any, candidate: Any, path: Path, state: Walk) -> None:
    """Compare two values. Whoever calls this while equal branches are skipped has seen that these two are not equal."""
    if type(control) in _ONE_SPELLING and type(candidate) in _ONE_SPELLING:
        _leaves(control, candidate, path, state)
    elif isinstance(control, dict) and isinstance(candidate, dict):
        _objects(control, candidate, path, state)
    elif isinstance(control, list | tuple) and isinstance(candidate, list | tuple):
        _lists(control, candidate, path, state)
    elif isinstance(control, Repeated) or isinstance(candidate, Repeated):
        _lists(_repeated(control), _repeated(candidate), path, state)
    elif isinstance(control, Element) or isinstance(candidate, Element):
        _objects(as_element(control), as_element(candidate), path, state)
    else:
        _leaves(control, candidate, path, state)


def _repeated(value: Any) -> Members:
    return value if isinstance(value, Repeated) else Repeated([value])


def _objects(control: dict[str, Any], candidate: dict[str, Any], path: Path, state: Walk) -> None:
    if len(path) >= DEPTH_MAX:
        raise TooDeep
    extra = [] if list(control) == list(candidate) else _extra_names(control, candidate, state)
    if type(control) is Element and type(candidate) is Element and control.differs_in_order(candidate):
        _reordered(control, candidate, path, state)
    skips_equal, is_lenient = state.skips_equal, not state.rules.is_strict
    for name, ours in control.items():
        theirs = candidate.get(name, NOTHING)
        kind = type(ours)
        may_skip = (
            is_lenient and kind is type(theirs) and (kind in _ONE_SPELLING or (skips_equal and kind is not Decimal))
        )
        if may_skip and ours == theirs:
            continue
        if theirs is NOTHING:
            state.add((*path, name), "missing", ours, NOTHING)
        else:
            _values(ours, theirs, (*path, name), state)
    for name in extra:
        state.add((*path, name), "extra", NOTHING, candidate[name])


def _reordered(control: Element, candidate: Element, path: Path, state: Walk) -> None:
    listing = state.rules.here(path).listing
    if listing is not None:
        state.let_pass("order", listing.name)
    else:
        state.add(path, "order", control, candidate)


def _extra_names(control: dict[str, Any], candidate: dict[str, Any], state: Walk) -> list[str]:
    if not isinstance(control, Element) and [name for name in control if name in candidate] != [
        name for name in candidate if name in control
    ]:
        state.notes.add("key_order")
    return [name for name in candidate if name not in control]


_ONE_SPELLING = frozenset({str, int, bool, type(None)})


def _leaves(control: Any, candidate: Any, path: Path, state: Walk) -> None:
    if state.rules.is_strict and _is_settled(control, candidate, path, state):
        return
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


def _is_settled(control: Any, candidate: Any, path: Path, state: Walk) -> bool:
    """Whether a rule has said everything: that what looks like one value here is none (its scale, its zone, its unit),
    or whether two ids belong together."""
    here = state.rules.here(path)
    if here.is_protected or not any(treatment.is_strict for treatment in here.treatments):
        return False
    return _settled_by_ids(control, candidate, path, state, here) or _settled_strictly(
        control, candidate, path, state, here
    )


def _settled_by_ids(control: Any, candidate: Any, path: Path, state: Walk, here: Here) -> bool:
    rule = next((one for one in here.treatments if one.rule.id is not None), None)
    if rule is None or rule.rule.id is None or state.ids is None or here.ignored_by is not None:
        return False
    if not (is_id(control) and is_id(candidate)):
        return False
    legacy, modern = (control, candidate) if state.legacy_is_control else (candidate, control)
    if not state.ids.belong(rule.rule.id.name, legacy, modern):
        state.found.append(Found(path, "value", control, candidate))
    elif control != candidate:
        state.let_pass("id", rule.name)
    return True


def _settled_strictly(control: Any, candidate: Any, path: Path, state: Walk, here: Here) -> bool:
    rules = [treatment.rule for treatment in here.treatments]
    if any(rule.minor_unit is not None for rule in rules):
        ours = here.treated(control, is_legacy=state.legacy_is_control)
        theirs = here.treated(candidate, is_legacy=not state.legacy_is_control)
        if same(control, candidate) and not same(ours, theirs):
            state.found.append(Found(path, "value", control, candidate))
            return True
    is_number = _kind_of(control) == _kind_of(candidate) == "number"
    if is_number and str(control) != str(candidate) and any(rule.number == "strict" for rule in rules):
        state.found.append(Found(path, "value", control, candidate))
        return True
    if any(rule.time == "strict" for rule in rules) and control != candidate and _same_instant(control, candidate):
        state.found.append(Found(path, "value", control, candidate))
        return True
    return False


_KINDS: dict[type, str] = {
    str: "string", int: "number", Decimal: "number", bool: "boolean", type(None): "null",
    dict: "object", list: "array", tuple: "array", bytes: "bytes", Element: "object", Repeated: "array",
}  # fmt: skip


def _kind_of(value: Any) -> str:
    return _KINDS.get(type(value)) or type(value).__name__


def _same_instant(control: Any, candidate: Any) -> bool:
    ours = instant_of(control)
    return ours is not None and ours == instant_of(candidate)


def _lists(control: Members, candidate: Members, path: Path, state: Walk) -> None:
    if len(path) >= DEPTH_MAX:
        raise TooDeep
    if state.rules.has_listings:
        here = state.rules.here(path)
        if here.listing is not None and not here.is_protected:
            _aligned(control, candidate, path, (state, here.listing))
            return
    if len(control) != len(candidate):
        _lists_of_different_length(control, candidate, path, state)
        return
    known = len(state.found)
    differing: list[int] = []
    for index in _to_be_compared(control, candidate, state):
        before = len(state.found)
        _values(control[index], candidate[index], (*path, index), state)
        if len(state.found) > before:
            differing.append(index)
    if len(differing) > 1 and _same_members(*([side[index] for index in differing] for side in (control, candidate))):
        del state.found[known:]
        state.add(path, "order", control, candidate)


def _to_be_compared(control: Members, candidate: Members, state: Walk) -> Iterator[int]:
    """The indexes of the members that may differ."""
    if state.skips_equal:
        return compress(count(), map(ne, control, candidate))
    if state.rules.is_strict:
        return iter(range(len(control)))
    return compress(count(), map(is_not, control, candidate))


def _aligned(control: Members, candidate: Members, path: Path, by: tuple[Walk, Listing]) -> None:
    """Compare two lists as their rule says: members without a partner are missing or extra, wherever they stand."""
    state, listing = by
    aligned = align(
        Side(control, path, state.rules, state.legacy_is_control),
        Side(candidate, path, state.rules, not state.legacy_is_control),
        listing,
    )
    if aligned.is_reordered:
        state.let_pass("order", listing.name)
    for mine, other in aligned.pairs:
        if state.skips_equal and control[mine] == candidate[other]:
            continue
        _values(control[mine], candidate[other], (*path, mine), state)
    for mine in aligned.missing:
        state.add((*path, mine), "missing", control[mine], NOTHING)
    for other in aligned.extra:
        state.add((*path, other), "extra", NOTHING, candidate[other])


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
    if len(control) > LIST_MEMBERS_AS_SET_MAX:
        return False
    return Counter(map(canonical, control)) == Counter(map(canonical, candidate))
