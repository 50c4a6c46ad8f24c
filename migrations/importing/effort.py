"""What is left to do by hand, in minutes per object: weights to plan with, no promise."""

from __future__ import annotations

from collections.abc import Iterable

from migrations.importing.model import Object

# Minutes for one object of a type that is left out or refused; logic costs by its lines on top.
_LEFT_OUT = {
    "trigger": 60,
    "package body": 240,
    "procedure": 90,
    "function": 60,
    "type": 60,
    "type body": 60,
    "event": 45,
    "view": 30,
    "materialized view": 60,
    "database link": 240,
    "synonym": 5,
    "partition": 0,
    "temporary table": 30,
    "fulltext index": 120,
    "spatial index": 120,
    "grant": 2,
    "table": 45,
    "index": 10,
    "foreign key": 15,
    "alteration": 0,
    "block": 10,
    "call": 5,
}
_LOGIC_PER_LINE = 2
_LOGIC = frozenset(["trigger", "package body", "procedure", "function", "type body", "event"])
# Minutes to look at one finding of a translated object.
_FINDING = {"storage": 0, "length": 0, "type": 5, "float": 10, "primary key": 30, "partitions": 60, "check": 15}
_OTHER_FINDING = 5


def minutes(found: Object) -> int:
    """The minutes of one object."""
    if found.confidence in ("left_out", "refused"):
        logic = found.lines * _LOGIC_PER_LINE if found.type in _LOGIC else 0
        return _LEFT_OUT.get(found.type, 0) + logic
    return sum(_FINDING.get(finding.rule, _OTHER_FINDING) for finding in found.findings)


def by_type(objects: Iterable[Object]) -> dict[str, tuple[int, int]]:
    """For each type of object: how many there are, and their minutes."""
    totals: dict[str, tuple[int, int]] = {}
    for found in objects:
        count, spent = totals.get(found.type, (0, 0))
        totals[found.type] = (count + 1, spent + minutes(found))
    return totals
