"""Calls of the library in schema `strangler`: what each function takes, what it gives, and how it is undone."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from decimal import Decimal

from sqlglot import exp

from cdc.sql_types import BOOLEAN, DATE, SqlType, literal, numeric
from cdc.translation.inverse import NoWay, Way, read_back
from cdc.translation.refusals import Refusal
from cdc.translation.terms import Scope, Term, exact, lost

_BYTES = SqlType("bytea")


@dataclass(frozen=True)
class Call:
    """A call whose first argument is an expression and whose others are constants, as SQL in `rest`."""

    inner: Term
    constants: tuple[str | Decimal, ...]
    rest: str

    def whole(self, place: int) -> int:
        """A constant that must be a whole number."""
        value = self.constants[place]
        if not isinstance(value, Decimal) or value != int(value) or not 0 <= value <= 38:
            raise Refusal("an argument is not a whole number from 0 to 38", "Write the number.")
        return int(value)

    def text(self, place: int) -> str:
        """A constant that must be text."""
        value = self.constants[place]
        if not isinstance(value, str):
            raise Refusal("an argument is not a text", "Write it in quotes.")
        return value


Typing = Callable[[Call], tuple[SqlType, Way]]


def _blank_to_null(call: Call) -> tuple[SqlType, Way]:
    inner = call.inner
    test = exact(f"{inner.sql} ~ '[^ ]'", inner)
    return inner.type, read_back(inner.way, lambda y: y, inner.type, test, lambda y: f"({y} ~ '[^ ]') IS NOT FALSE")


def _date_or_null(call: Call) -> tuple[SqlType, Way]:
    form, sql = literal(call.text(0)), call.inner.sql
    test = exact(f"strangler.is_date({sql}, {form})", call.inner)
    back = lambda y: f"to_char(CAST({y} AS timestamp), {form})"  # noqa: E731 - written where it is used
    limits = lambda y: f"({y} >= '0001-01-01' AND {y} < '10000-01-01') IS NOT FALSE"  # noqa: E731
    return DATE, read_back(call.inner.way, back, SqlType("text", is_tight=True), test, limits)


def _short_date(call: Call) -> tuple[SqlType, Way]:
    form, pivot, sql = call.text(0), int(call.constants[1]), call.inner.sql
    if form not in ("YYMMDD", "DDMMYY", "MMDDYY") or not 0 <= pivot <= 99:
        raise Refusal("short_date takes YYMMDD, DDMMYY or MMDDYY, and a pivot from 0 to 99", "Write one of them.")
    first, end = f"{1900 + pivot}-01-01", f"{2000 + pivot}-01-01"
    test = exact(f"strangler.is_short_date({sql}, {literal(form)})", call.inner)
    back = lambda y: f"to_char(CAST({y} AS timestamp), {literal(form)})"  # noqa: E731 - written where it is used
    window = lambda y: f"({y} >= '{first}' AND {y} < '{end}' AND {y} <> '2000-02-29') IS NOT FALSE"  # noqa: E731
    return DATE, read_back(call.inner.way, back, SqlType("text", length=6, is_tight=True), test, window)


def _decimal(reads: str, kind: SqlType) -> Typing:
    def typing(call: Call) -> tuple[SqlType, Way]:
        digits, scale = call.whole(0), call.whole(1)
        sql, sizes = call.inner.sql, f"{digits}, {scale}"
        writes = f"strangler.to_{reads}"
        again = f"{writes}(strangler.{reads}({sql}, {sizes}), {sizes}) = {sql}"
        test = f"CASE WHEN strangler.is_{reads}({sql}, {digits}) THEN {again} ELSE {sql} IS NULL END"
        most = Decimal(10**digits - 1).scaleb(-scale)
        fits = lambda y: f"({y} = round({y}, {scale}) AND abs({y}) <= {most:f}) IS NOT FALSE"  # noqa: E731
        way = read_back(call.inner.way, lambda y: f"{writes}({y}, {sizes})", kind, exact(test, call.inner), fits)
        return numeric(digits, scale), way

    return typing


def _flag(call: Call) -> tuple[SqlType, Way]:
    yes, no = literal(call.text(0)), literal(call.text(1))
    if yes == no:
        raise Refusal("both codes of the flag are the same", "Write two codes.")
    test = exact(f"{call.inner.sql} IN ({yes}, {no})", call.inner)
    back = lambda y: f"CASE {y} WHEN true THEN {yes} WHEN false THEN {no} END"  # noqa: E731 - written where it is used
    kind = SqlType("some text", length=max(len(call.text(0)), len(call.text(1))), is_tight=True)
    return BOOLEAN, read_back(call.inner.way, back, kind, test, lambda _: "true")


# Name: family or type of the first argument, number of constants, typing.
_CALLS: dict[str, tuple[str, int, Typing]] = {
    "blank_to_null": ("text", 0, _blank_to_null),
    "date_or_null": ("text", 1, _date_or_null),
    "short_date": ("text", 2, _short_date),
    "packed": ("bytea", 2, _decimal("packed", _BYTES)),
    "zoned": ("text", 2, _decimal("zoned", SqlType("text", is_tight=True))),
    "flag": ("text", 2, _flag),
}


def called(node: exp.Expression, scope: Scope) -> Term:
    """strangler.NAME(column, constants...)."""
    function = node.expression
    name = function.name.lower() if isinstance(function, exp.Anonymous) else ""
    if node.this.name.lower() != "strangler" or name not in _CALLS:
        known = ", ".join(f"strangler.{known}" for known in sorted(_CALLS))
        raise Refusal(f"{node.sql()[:60]} is not a function of the library", f"The library has {known}.")
    family, count, typing = _CALLS[name]
    inner, *others = (scope.term(found) for found in function.expressions)
    constants = tuple(found.value for found in others if found.value is not None)
    if len(others) != count or len(constants) != count:
        raise Refusal(f"strangler.{name} takes one column and {count} constants", "See docs/library.md.")
    if family not in (inner.type.family, inner.type.base):
        raise Refusal(f"strangler.{name} is given a value of type {inner.type.base}", f"It takes {family}.")
    call = Call(inner, constants, "".join(f", {found.sql}" for found in others))
    kind, way = typing(call)
    sql = f"strangler.{name}({inner.sql}{call.rest})"
    nullable = inner.nullable or name in ("blank_to_null", "date_or_null", "flag")
    return Term(
        sql, kind, lost((), "") if isinstance(way, NoWay) and not inner.columns else way, nullable, inner.columns
    )
