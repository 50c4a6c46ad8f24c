"""Arithmetic of dates: the parts of a date, its first and last day, moved and counted by days, months and years."""

from __future__ import annotations

from dataclasses import replace
from datetime import date
from decimal import Decimal

from sqlglot import exp

from cdc.sql_types import DATE, INTEGER, literal
from cdc.translation.inverse import NoWay, Way, moved
from cdc.translation.refusals import Refusal
from cdc.translation.terms import Scope, Term, joined, lost

_ORACLE_UNITS = (
    dict.fromkeys(("DD", "DDD", "J"), "day")
    | dict.fromkeys(("MM", "MON", "MONTH"), "month")
    | dict.fromkeys(("YYYY", "YYY", "YY", "Y", "YEAR", "SYYYY"), "year")
    | dict.fromkeys(("HH", "HH12", "HH24"), "hour")
    | {"Q": "quarter", "MI": "minute", "IW": "week"}
)
_PARTS = ("year", "month", "day", "hour", "minute")
_NODE_PARTS: dict[type[exp.Expression], str] = {
    exp.Year: "year",
    exp.Month: "month",
    exp.DayOfMonth: "day",
    exp.Day: "day",
}
_EXACT_STEPS = {"DAY": "day", "WEEK": "week", "HOUR": "hour", "MINUTE": "minute", "SECOND": "second"}
_CLAMPED_STEPS = {"MONTH": "month", "QUARTER": "quarter", "YEAR": "year"}
# SQL Server counts the boundaries that lie between two times; `a` is the later argument.
_BOUNDARIES = {
    "DAY": "CAST({a} AS date) - CAST({b} AS date)",
    "MONTH": "(EXTRACT(year FROM {a}) - EXTRACT(year FROM {b})) * 12 + EXTRACT(month FROM {a})"
    " - EXTRACT(month FROM {b})",
    "QUARTER": "(EXTRACT(year FROM {a}) - EXTRACT(year FROM {b})) * 4 + EXTRACT(quarter FROM {a})"
    " - EXTRACT(quarter FROM {b})",
    "YEAR": "EXTRACT(year FROM {a}) - EXTRACT(year FROM {b})",
} | {
    unit: f"EXTRACT(epoch FROM date_trunc('{name}', CAST({{a}} AS timestamp)) - date_trunc('{name}', "
    f"CAST({{b}} AS timestamp))) / {seconds}"
    for unit, name, seconds in (("HOUR", "hour", 3600), ("MINUTE", "minute", 60), ("SECOND", "second", 1))
}


def day_literal(node: exp.Expression, _: Scope) -> Term:
    """DATE '2026-01-31'."""
    try:
        day = date.fromisoformat(node.this.name).isoformat()
    except ValueError:
        raise Refusal("a date literal is no date", "Write DATE 'YYYY-MM-DD'.") from None
    way = NoWay("constant", "it is the same in every row")
    return Term(f"CAST({literal(day)} AS date)", DATE, way, value=day)


def truncated(node: exp.Expression, scope: Scope) -> Term:
    """TRUNC of a date: to the day, or by a format of Oracle that PostgreSQL has a unit for."""
    inner = _moment(node.this, scope)
    unit = node.args.get("unit")
    name = _ORACLE_UNITS.get(unit.name.upper()) if unit is not None else "day"
    if name is None or (scope.dialect != "oracle" and name != "day"):
        raise Refusal(f"TRUNC of a date by {unit.name if unit else ''!r}", "Use one of YYYY, Q, MM, IW, DD, HH24, MI.")
    sql = f"date_trunc('{name}', {_stamp(inner)})"
    return _like(inner, sql, lost(inner.columns, "the rest of the date is dropped"))


def months_added(node: exp.Expression, scope: Scope) -> Term:
    """ADD_MONTHS: the last day of a month stays a last day, as Oracle has it."""
    inner, months = _moment(node.this, scope), _whole(node.expression, scope)
    sql = f"strangler.add_months({_stamp(inner)}, {months.sql})"
    return _like(inner, sql, lost(joined(inner, months), "different days become the last day of a month"), months)


def last_day(node: exp.Expression, scope: Scope) -> Term:
    """LAST_DAY and EOMONTH; Oracle keeps the time of day."""
    inner = _moment(_bare(node.this), scope)
    first = f"date_trunc('month', {_stamp(inner)}) + interval '1 month - 1 day'"
    reason = lost(inner.columns, "the day is dropped")
    if scope.dialect == "oracle" and inner.type.family == "timestamp":
        return _like(inner, f"({first} + ({inner.sql} - date_trunc('day', {inner.sql})))", reason)
    return Term(f"CAST({first} AS date)", DATE, reason, inner.nullable, inner.columns)


def part(node: exp.Expression, scope: Scope) -> Term:
    """EXTRACT, DATEPART, YEAR, MONTH, DAY: parts that are whole numbers everywhere."""
    name = _NODE_PARTS.get(type(node)) or node.this.name.lower()
    if name not in _PARTS:
        raise Refusal(f"EXTRACT of {name} differs between the dialects", f"Use one of {', '.join(_PARTS)}.")
    inner = _moment(_bare(node.expression if isinstance(node, exp.Extract) else node.this), scope)
    sql = f"CAST(EXTRACT({name} FROM {inner.sql}) AS integer)"
    return Term(sql, INTEGER, lost(inner.columns, "the rest of the date is dropped"), inner.nullable, inner.columns)


def difference(node: exp.Expression, scope: Scope) -> Term:
    """DATEDIFF: the boundaries between two times in T-SQL, days in MySQL."""
    later, earlier = _moment(_bare(node.this), scope), _moment(_bare(node.expression), scope)
    unit = node.args.get("unit")
    pattern = _BOUNDARIES.get(unit.name.upper() if unit is not None else "DAY")
    if pattern is None or scope.dialect not in ("tsql", "mysql"):
        raise Refusal(f"a difference of dates in {unit} is not translated", f"Use one of {', '.join(_BOUNDARIES)}.")
    columns = joined(later, earlier)
    return Term(
        f"CAST({pattern.format(a=later.sql, b=earlier.sql)} AS integer)",
        INTEGER,
        lost(columns, "only the distance is kept"),
        later.nullable or earlier.nullable,
        columns,
    )


def shifted(node: exp.Expression, scope: Scope) -> Term:
    """DATEADD, DATE_ADD, DATE_SUB by a constant: exact for days and smaller, clamped to the month's end for months."""
    inner, amount = _moment(_bare(node.this), scope), _constant(node.expression)
    unit = node.args["unit"].name.upper() if node.args.get("unit") is not None else "DAY"
    step = _EXACT_STEPS.get(unit) or _CLAMPED_STEPS.get(unit)
    if step is None or (inner.type.family == "date" and unit in ("HOUR", "MINUTE", "SECOND")):
        raise Refusal(f"a date moved by {unit} is not translated", "CAST it to a timestamp, or use DAY, MONTH, YEAR.")
    if step == "quarter":
        amount, step = amount * 3, "month"
    return _stepped(inner, -amount if isinstance(node, exp.DateSub) else amount, step, unit in _EXACT_STEPS)


def days_added(inner: Term, days: Term, sign: int) -> Term:
    """Oracle's date plus a whole number of days."""
    if not isinstance(days.value, Decimal) or days.value != int(days.value):
        raise Refusal("a date is moved by something else than a constant number of days", "Write the number.")
    return _stepped(inner, sign * int(days.value), "day", True)


def _stepped(inner: Term, amount: int, step: str, is_exact: bool) -> Term:
    interval = f"interval '{amount} {step}'"
    way: Way = lost(inner.columns, "different days become the last day of a month")
    if is_exact:
        base = "timestamp" if inner.type.family == "timestamp" else "date"
        way = moved(inner.way, lambda y: f"CAST({y} - {interval} AS {base})", inner.type)
    return _like(inner, f"({inner.sql} + {interval})", way)


def _like(inner: Term, sql: str, way: Way, *others: Term) -> Term:
    """A moment of the same type as another one."""
    text = f"CAST({sql} AS date)" if inner.type.family == "date" else sql
    nullable = any(term.nullable for term in (inner, *others))
    return replace(inner, sql=text, way=way, nullable=nullable, columns=joined(inner, *others), value=None)


def _stamp(inner: Term) -> str:
    # date_trunc of a date would give a time with zone.
    return inner.sql if inner.type.family == "timestamp" else f"CAST({inner.sql} AS timestamp)"


def _moment(node: exp.Expression, scope: Scope) -> Term:
    term = scope.term(node)
    if term.type.family not in ("date", "timestamp"):
        raise Refusal(
            f"a function of dates is given a value of type {term.type.base}",
            "Give it a date or a timestamp without time zone; TO_DATE or CONVERT make one of text.",
        )
    return term


def _bare(node: exp.Expression) -> exp.Expression:
    """The argument without what sqlglot wraps around it, which we know from its type."""
    wrappers = (exp.TsOrDsToDate, exp.TimeStrToTime, exp.TsOrDsToTimestamp)
    return node.this if isinstance(node, wrappers) else node


def _whole(node: exp.Expression, scope: Scope) -> Term:
    term = scope.term(node)
    if term.type.family != "number" or term.type.scale != 0:
        raise Refusal("the number of months is not a whole number", "Write a whole number.")
    return replace(term, sql=f"CAST({term.sql} AS integer)")


def _constant(node: exp.Expression) -> int:
    sign = -1 if isinstance(node, exp.Neg) else 1
    inner = node.this if isinstance(node, exp.Neg) else node
    if not isinstance(inner, exp.Literal) or not inner.name.lstrip("-").isdigit():
        raise Refusal("a date is moved by something else than a constant", "Write the number.")
    return sign * int(inner.name)
