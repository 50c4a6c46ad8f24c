"""The expressions that mean the same in PostgreSQL, in one table: syntax node to its translation.

An allow-list: what is not in the table is refused by name. Each handler gives SQL for PostgreSQL, the type, and the
way back (cdc/translation/inverse.py), from the types of the source's catalogue; nothing is guessed from the text alone.
"""

from __future__ import annotations

from sqlglot import exp

from cdc.sql_types import BOOLEAN, NULL
from cdc.translation.expressions import calendar, cases, casts, dates, joins, looked_up, numbers, texts
from cdc.translation.expressions import library_calls as library
from cdc.translation.inverse import NoWay
from cdc.translation.refusals import Refusal
from cdc.translation.terms import Scope, Term, Translate, joined, literal_term, lost

_COMPARED: dict[type[exp.Expression], str] = {
    exp.EQ: "=",
    exp.NEQ: "<>",
    exp.LT: "<",
    exp.LTE: "<=",
    exp.GT: ">",
    exp.GTE: ">=",
}
_CONDITION = "a condition only says yes or no"


def _comparison(node: exp.Expression, scope: Scope) -> Term:
    left, right = scope.term(node.this), scope.term(node.expression)
    _comparable(left, right)
    sql = left.sql
    if not isinstance(node, exp.EQ | exp.NEQ) and left.type.family == "text":
        sql = f'({left.sql} COLLATE "C")'  # by code points, on whichever server the statement runs
    return _condition(f"{sql} {_COMPARED[type(node)]} {right.sql}", left, right)


def _between(node: exp.Expression, scope: Scope) -> Term:
    value, low, high = (scope.term(found) for found in (node.this, node.args["low"], node.args["high"]))
    _comparable(value, low)
    _comparable(value, high)
    sql = f'({value.sql} COLLATE "C")' if value.type.family == "text" else value.sql
    return _condition(f"{sql} BETWEEN {low.sql} AND {high.sql}", value, low, high)


def _among(node: exp.Expression, scope: Scope) -> Term:
    value, *listed = (scope.term(found) for found in (node.this, *node.expressions))
    if not listed:
        raise Refusal("IN without a list of literals", "List the values.")
    for found in listed:
        _comparable(value, found)
    return _condition(f"{value.sql} IN ({', '.join(found.sql for found in listed)})", value, *listed)


def _like(node: exp.Expression, scope: Scope) -> Term:
    value, pattern = texts.text_term(node.this, scope), scope.term(node.expression)
    if not isinstance(pattern.value, str) or "\\" in pattern.value or scope.dialect in ("tsql", "mysql"):
        raise Refusal("this LIKE reads differently in PostgreSQL", "Compare with literals, or with SUBSTR.")
    return _condition(f"{value.sql} LIKE {pattern.sql}", value)


def _same_or_null(node: exp.Expression, scope: Scope) -> Term:
    left, right = scope.term(node.this), scope.term(node.expression)
    _comparable(left, right)
    columns = joined(left, right)
    return Term(f"{left.sql} IS NOT DISTINCT FROM {right.sql}", BOOLEAN, lost(columns, _CONDITION), False, columns)


def _sum(node: exp.Expression, scope: Scope) -> Term:
    """+ and - by the types of their sides: numbers, Oracle's dates with days, T-SQL's texts."""
    families = [scope.term(side).type.family for side in (node.this, node.expression)]
    if scope.dialect == "tsql" and isinstance(node, exp.Add) and "text" in families:
        return joins.text_of([node.this, node.expression], scope, skips_null=False)
    if families[0] in ("date", "timestamp") and families[1] == "number" and scope.dialect in ("oracle", "postgres"):
        sign = 1 if isinstance(node, exp.Add) else -1
        return calendar.days_added(scope.term(node.this), scope.term(node.expression), sign)
    return numbers.arithmetic(node, scope)


def _cut(node: exp.Expression, scope: Scope) -> Term:
    """TRUNC: of a number or of a date."""
    if scope.term(node.this).type.family in ("date", "timestamp"):
        return calendar.truncated(node, scope)
    return numbers.reduced(node, scope)


def _by_name(node: exp.Expression, scope: Scope) -> Term:
    """A function that sqlglot has no node for."""
    if node.name.upper() == "TRUNC" and len(node.expressions) == 1:
        return _cut(exp.Trunc(this=node.expressions[0].copy()), scope)
    raise Refusal(f"{node.name} is not known to mean the same in PostgreSQL", "Map the column without it.")


def _boolean(node: exp.Expression, _: Scope) -> Term:
    text = "true" if node.this else "false"
    return Term(text, BOOLEAN, NoWay("constant", "it is the same in every row"), value=text)


def _is_null(node: exp.Expression, scope: Scope) -> Term:
    if not isinstance(node.expression, exp.Null):
        raise Refusal("IS is translated with NULL only", "Write IS NULL or a comparison.")
    value = scope.term(node.this)
    return Term(f"{value.sql} IS NULL", BOOLEAN, lost(value.columns, _CONDITION), False, value.columns)


def _both(node: exp.Expression, scope: Scope) -> Term:
    left, right = _test(node.this, scope), _test(node.expression, scope)
    return _condition(f"({left.sql} {'AND' if isinstance(node, exp.And) else 'OR'} {right.sql})", left, right)


def _negated(node: exp.Expression, scope: Scope) -> Term:
    if isinstance(node.this, exp.Is) and isinstance(node.this.expression, exp.Null):
        inner = scope.term(node.this.this)
        return Term(f"{inner.sql} IS NOT NULL", BOOLEAN, lost(inner.columns, _CONDITION), False, inner.columns)
    inner = _test(node.this, scope)
    return _condition(f"NOT ({inner.sql})", inner)


def _test(node: exp.Expression, scope: Scope) -> Term:
    term = scope.term(node)
    if term.type.family != "boolean":
        raise Refusal(
            f"a value of type {term.type.base} stands where a condition is needed", "Compare it with a value."
        )
    return term


def _comparable(left: Term, right: Term) -> None:
    if NULL in (left.type, right.type):
        raise Refusal("a comparison with NULL is never true", "Write IS NULL or IS NOT NULL.")
    if left.type.family != right.type.family and {left.type.family, right.type.family} != {"date", "timestamp"}:
        raise Refusal(
            f"a value of type {left.type.base} is compared with one of type {right.type.base}",
            "Write the literal in the column's own type.",
        )
    if left.type.is_padded != right.type.is_padded and not (left.is_literal or right.is_literal):
        raise Refusal("CHAR is compared with VARCHAR, which differ in trailing blanks", "Use RTRIM on the CHAR side.")


def _condition(sql: str, *terms: Term) -> Term:
    columns = joined(*terms)
    return Term(sql, BOOLEAN, lost(columns, _CONDITION), any(term.nullable for term in terms), columns)


def _null(_: exp.Expression, __: Scope) -> Term:
    return Term("NULL", NULL, NoWay("constant", "it is the same in every row"), True)


def _inner(node: exp.Expression, scope: Scope) -> Term:
    return scope.term(node.this)


HANDLERS: dict[type[exp.Expression], Translate] = {
    exp.Column: looked_up.column,
    exp.Literal: literal_term,
    exp.National: lambda node, _: literal_term(exp.Literal.string(node.name), _),
    exp.Null: _null,
    exp.Boolean: _boolean,
    exp.Anonymous: _by_name,
    exp.Dot: library.called,
    exp.Paren: _inner,
    exp.Alias: _inner,
    # numbers
    exp.Add: _sum,
    exp.Sub: _sum,
    exp.Mul: numbers.arithmetic,
    exp.Div: numbers.division,
    exp.IntDiv: numbers.whole_division,
    exp.Sign: numbers.sign,
    exp.Neg: numbers.negation,
    exp.Mod: numbers.remainder,
    exp.Abs: numbers.reduced,
    exp.Round: numbers.reduced,
    exp.Trunc: _cut,
    exp.Ceil: numbers.reduced,
    exp.Floor: numbers.reduced,
    # choices
    exp.DecodeCase: cases.decode,
    exp.Case: cases.case,
    exp.If: cases.choice,
    exp.Nvl2: cases.nvl2,
    exp.Coalesce: cases.coalesce,
    exp.Nullif: cases.nullif,
    # text
    exp.Trim: texts.trimmed,
    exp.Upper: texts.cased,
    exp.Lower: texts.cased,
    exp.Substring: texts.part,
    exp.Pad: texts.filled,
    exp.Replace: texts.replaced,
    exp.Length: texts.length_of,
    exp.StrPosition: texts.place,
    exp.Left: texts.end_of,
    exp.Right: texts.end_of,
    exp.Translate: texts.substituted,
    exp.SplitPart: texts.piece,
    exp.Concat: joins.concatenation,
    exp.DPipe: joins.concatenation,
    exp.ConcatWs: joins.separated,
    exp.Greatest: joins.extreme,
    exp.Least: joins.extreme,
    # dates and types
    exp.StrToDate: dates.parsed,
    exp.StrToTime: dates.parsed,
    exp.ToChar: dates.formatted,
    exp.TimeToStr: dates.formatted,
    exp.Convert: dates.converted,
    exp.DateStrToDate: calendar.day_literal,
    exp.DateTrunc: calendar.truncated,
    exp.TimestampTrunc: calendar.truncated,
    exp.AddMonths: calendar.months_added,
    exp.LastDay: calendar.last_day,
    exp.Extract: calendar.part,
    exp.Year: calendar.part,
    exp.Month: calendar.part,
    exp.DayOfMonth: calendar.part,
    exp.Day: calendar.part,
    exp.DateDiff: calendar.difference,
    exp.DateAdd: calendar.shifted,
    exp.DateSub: calendar.shifted,
    exp.TsOrDsToDate: casts.day_of,
    exp.Cast: casts.cast,
    exp.ToNumber: casts.to_number,
    # conditions
    **dict.fromkeys(_COMPARED, _comparison),
    exp.NullSafeEQ: _same_or_null,
    exp.Between: _between,
    exp.In: _among,
    exp.Like: _like,
    exp.Is: _is_null,
    exp.And: _both,
    exp.Or: _both,
    exp.Not: _negated,
}


def translate(node: exp.Expression, scope: Scope) -> Term:
    """Translate one expression of the SELECT, or its condition. Raises Refusal."""
    return scope.term(node)


def condition(node: exp.Expression, scope: Scope) -> Term:
    """Translate the WHERE. Raises Refusal."""
    return _test(node, scope)
