"""What a rule does to two values: bring both to one form, or let them be a little apart.

A treatment never looks at where a value is, only at what it is. Numbers are exact; nothing here rounds.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import UTC, datetime
from decimal import Context, Decimal, Inexact, InvalidOperation, Overflow
from functools import lru_cache
from typing import TYPE_CHECKING, Any
from zoneinfo import ZoneInfo

if TYPE_CHECKING:
    from config.comparing import Rule, Tolerance

Normal = Callable[[Any, bool], Any]
"""A value, and whether legacy said it, to the same value in the form that both sides share."""

TEXT_CHARACTERS_MAX = 64
LOCAL_TIME_CHARACTERS_MIN = len("2026-01-01T00:00:00")
# An exact result or none: a difference of numbers that does not fit is never called small.
_EXACT = Context(prec=600, Emax=999_999, Emin=-999_999, traps=[InvalidOperation, Inexact, Overflow])
_NUMBER = re.compile(r"[+-]?(?:\d+(?:\.\d*)?|\.\d+)\Z", re.ASCII)
_LOCAL_TIME = re.compile(r"\d{4}-\d\d-\d\d[T ]\d\d:\d\d:\d\d(\.\d{1,6})?\Z")
_INSTANT = re.compile(r"\d{4}-\d\d-\d\d[T ]\d\d:\d\d:\d\d(\.\d{1,6})?(Z|[+-]\d\d:?\d\d)\Z")


def same(control: Any, candidate: Any) -> bool:
    """Whether two treated leaves are one value; true is not 1."""
    return isinstance(control, bool) is isinstance(candidate, bool) and bool(control == candidate)


def normals_of(rule: Rule) -> tuple[Normal, ...]:
    """What brings both values to one form, in the order in which it is done."""
    return tuple(make(rule) for name, make in _NORMALS if getattr(rule, name) is not None)


def _trim(_: Rule) -> Normal:
    return lambda value, _: value.strip() if isinstance(value, str) else value


def _codes(rule: Rule) -> Normal:
    codes = dict(rule.codes or {})

    def coded(value: Any, is_legacy: bool) -> Any:
        if not is_legacy or isinstance(value, bool) or not isinstance(value, str | int):
            return value
        return codes.get(str(value), value)

    return coded


def _case(_: Rule) -> Normal:
    return lambda value, _: value.casefold() if isinstance(value, str) else value


def _number(rule: Rule) -> Normal:
    if rule.number == "strict":
        return lambda value, _: value
    return lambda value, _: number_of(value, value)


def number_of(value: Any, otherwise: Any = None) -> Any:
    """The number that a value is or spells; another thing where it is none."""
    if isinstance(value, int | Decimal) and not isinstance(value, bool):
        return value
    if isinstance(value, str) and len(value) <= TEXT_CHARACTERS_MAX and _NUMBER.match(value):
        return Decimal(value)
    return otherwise


def _minor_unit(rule: Rule) -> Normal:
    decimals = rule.minor_unit or {}

    def in_major_units(value: Any, is_legacy: bool) -> Any:
        number = number_of(value)
        if number is None:
            return value
        return Decimal(number).scaleb(-decimals.get("legacy" if is_legacy else "modern", 0), _EXACT)

    return in_major_units


def _date(rule: Rule) -> Normal:
    forms = rule.date or ()
    return lambda value, _: _day(str(value), forms) or value if isinstance(value, str | int) else value


@lru_cache(maxsize=2048)
def _day(text: str, forms: tuple[str, ...]) -> str | None:
    if len(text) > TEXT_CHARACTERS_MAX:
        return None
    for form in forms:
        try:
            return datetime.strptime(text, form).date().isoformat()  # noqa: DTZ007 - a day has no time zone
        except ValueError:
            continue
    return None


def _time(rule: Rule) -> Normal:
    if rule.time == "strict":
        return lambda value, _: value
    zone = ZoneInfo(rule.time or "UTC")
    return lambda value, _: instant_of(value, zone) or value


def instant_of(value: Any, zone: ZoneInfo | None = None) -> datetime | None:
    """The instant that a text names, with the zone for times that name none; None where it is no instant."""
    if not isinstance(value, str) or len(value) < LOCAL_TIME_CHARACTERS_MIN:
        return None
    if not (_INSTANT.match(value) or (zone and _LOCAL_TIME.match(value))):
        return None
    try:
        found = datetime.fromisoformat(value)
        return (found if found.tzinfo else found.replace(tzinfo=zone)).astimezone(UTC)
    except (ValueError, OverflowError):
        return None


_NORMALS: tuple[tuple[str, Callable[[Rule], Normal]], ...] = (
    ("trim", _trim), ("codes", _codes), ("case", _case), ("number", _number), ("minor_unit", _minor_unit),
    ("date", _date), ("time", _time),
)  # fmt: skip


def is_within(tolerance: Tolerance, control: Any, candidate: Any) -> bool:
    """Whether two numbers are no further apart than the tolerance allows; its edge is inside."""
    ours, theirs = number_of(control), number_of(candidate)
    if ours is None or theirs is None:
        return False
    try:
        apart = _EXACT.abs(_EXACT.subtract(Decimal(ours), Decimal(theirs)))
        return bool(apart <= _allowed(tolerance, Decimal(ours), Decimal(theirs)))
    except (InvalidOperation, Inexact, Overflow):
        return False


def _allowed(tolerance: Tolerance, control: Decimal, candidate: Decimal) -> Decimal:
    if tolerance.absolute is not None:
        return tolerance.absolute
    if tolerance.minor_units is not None:
        return Decimal(tolerance.minor_units).scaleb(-tolerance.decimals, _EXACT)
    largest = max(_EXACT.abs(control), _EXACT.abs(candidate))
    return _EXACT.multiply(largest, Decimal(str(tolerance.relative)))
