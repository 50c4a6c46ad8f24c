"""Dates between text and values: strict, by fixed formats, and undone by the same format."""

from __future__ import annotations

from sqlglot import exp

from cdc.sql_types import DATE, SqlType, literal
from cdc.translation.expressions.casts import written_number
from cdc.translation.expressions.texts import text_term
from cdc.translation.formats import Format, digits_of, fixed_format
from cdc.translation.inverse import formatted_back, parsed_back
from cdc.translation.refusals import Refusal
from cdc.translation.terms import Scope, Term, lost

# Of T-SQL's CONVERT: those that write the year with four digits and the month as a number.
_STYLES = {
    "23": "%Y-%m-%d",
    "101": "%m/%d/%Y",
    "102": "%Y.%m.%d",
    "103": "%d/%m/%Y",
    "104": "%d.%m.%Y",
    "105": "%d-%m-%Y",
    "110": "%m-%d-%Y",
    "111": "%Y/%m/%d",
    "112": "%Y%m%d",
    "120": "%Y-%m-%d %H:%M:%S",
}
_ORACLE_WORDS = {"YYYY": "%Y", "MM": "%m", "DD": "%d", "HH24": "%H", "MI": "%M", "SS": "%S", "FF6": "%f"}
TIMESTAMP = SqlType("timestamp")


def parsed(node: exp.Expression, scope: Scope) -> Term:
    """TO_DATE, TO_TIMESTAMP, STR_TO_DATE with a format. A format without time gives a date, else a timestamp."""
    if node.args.get("format") is None:
        raise Refusal("the date has no format, so the session would decide", "Give the format.")
    if scope.dialect == "postgres" and isinstance(node, exp.StrToTime):
        raise Refusal("TO_TIMESTAMP gives a time with zone in PostgreSQL", "Declare the dialect oracle for this file.")
    return _parsed(text_term(node.this, scope), _format(node), isinstance(node, exp.StrToTime))


def _parsed(inner: Term, form: Format, is_timestamp: bool) -> Term:
    name = "timestamp" if is_timestamp or form.has_time else "date"
    sql = f"strangler.parse_{name}({inner.sql}, {literal(form.text)})"
    test = f"strangler.is_{name}({inner.sql}, {literal(form.text)})"
    if inner.nullable:
        test = f"({test}) IS NOT FALSE"
    way = formatted_back(inner.way, form.text, test, form.limits, form.width)
    return Term(sql, DATE if name == "date" else TIMESTAMP, way, inner.nullable, inner.columns)


def converted(node: exp.Expression, scope: Scope) -> Term:
    """T-SQL's CONVERT with a style, between text and dates."""
    style = node.args.get("style")
    pattern = _STYLES.get(style.name) if isinstance(style, exp.Literal) else None
    kind = node.this.sql(dialect="postgres").upper()
    if node.args.get("safe"):
        raise Refusal("TRY_CONVERT leaves out what CONVERT fails on", "Use CASE with the values that occur.")
    if style is None:
        return scope.term(exp.Cast(this=node.expression.copy(), to=node.this.copy()))
    if pattern is None:
        raise Refusal(f"CONVERT is translated with the styles {', '.join(_STYLES)}", "Use CAST or one of these styles.")
    inner = scope.term(node.expression)
    form = fixed_format(pattern)
    if inner.type.family == "text" and kind.startswith(("DATE", "TIMESTAMP")):
        if (kind == "DATE") == form.has_time:
            raise Refusal("the style and the type of CONVERT do not say the same", "Use 112 for dates, 120 for times.")
        return _parsed(inner, form, form.has_time)
    if inner.type.family in ("date", "timestamp") and kind.startswith(("VARCHAR", "CHAR", "TEXT")):
        return _formatted(inner, form)
    raise Refusal("CONVERT is translated between text and dates only", "Use CAST.")


def formatted(node: exp.Expression, scope: Scope) -> Term:
    """TO_CHAR and DATE_FORMAT of a date or timestamp."""
    subject = node.this
    if isinstance(subject, exp.TsOrDsToTimestamp | exp.TsOrDsToDate | exp.TimeStrToTime):
        subject = subject.this
    inner = scope.term(subject)
    if inner.type.family == "number" and node.args.get("format") is None:
        return written_number(inner)
    if inner.type.family not in ("date", "timestamp"):
        raise Refusal(
            f"TO_CHAR of a value of type {inner.type.base} is not translated",
            "Use it with a date or a timestamp without time zone.",
        )
    if node.args.get("format") is None:
        raise Refusal("TO_CHAR has no format, so the session would decide", "Give the format.")
    return _formatted(inner, _format(node)) if _is_whole_format(node) else _partly_formatted(inner, node)


def _is_whole_format(node: exp.Expression) -> bool:
    return all(part in _pattern(node) for part in ("%Y", "%m", "%d"))


def _partly_formatted(inner: Term, node: exp.Expression) -> Term:
    """A format that says less than the day, such as YYYYMM: the same text, and no way back."""
    form = digits_of(_pattern(node))
    sql = f"to_char(CAST({inner.sql} AS timestamp), {literal(form)})"
    way = lost(inner.columns, "the format says a part of the date only")
    return Term(sql, SqlType("text", length=len(form)), way, inner.nullable, inner.columns)


def _formatted(inner: Term, form: Format) -> Term:
    name = "date" if inner.type.family == "date" else "timestamp"
    limits = [limit for limit in form.limits(inner.sql) if name == "timestamp" or "date_trunc" not in limit]
    if name == "timestamp" and not form.has_time:
        limits.append(f"{inner.sql} = date_trunc('day', {inner.sql})")
    guard = " AND ".join(limits)
    way = parsed_back(
        inner.way, f"parse_{name}", form.text, f"({guard}) IS NOT FALSE" if inner.nullable else guard, inner.type
    )
    sql = f"to_char(CAST({inner.sql} AS timestamp), {literal(form.text)})"
    return Term(sql, SqlType("text", length=form.width), way, inner.nullable, inner.columns)


def _format(node: exp.Expression) -> Format:
    return fixed_format(_pattern(node))


def _pattern(node: exp.Expression) -> str:
    given = node.args["format"]
    if not isinstance(given, exp.Literal):
        raise Refusal("the date format is not a constant", "Write the format.")
    pattern = given.name
    if isinstance(node, exp.ToChar):  # the one function whose format sqlglot leaves in Oracle's words
        for word, token in _ORACLE_WORDS.items():
            pattern = pattern.replace(word, token)
    return pattern
