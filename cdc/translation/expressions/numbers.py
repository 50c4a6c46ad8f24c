"""Arithmetic of exact numbers: always numeric, never double precision, and undone where a constant allows it."""

from __future__ import annotations

from decimal import Decimal

from sqlglot import exp

from cdc.sql_types import INTEGER, NUMERIC, SqlType
from cdc.translation.inverse import Way, added, multiplied, plain, reciprocal, scaled, shifted, signed
from cdc.translation.refusals import Refusal
from cdc.translation.terms import Scope, Term, joined, lost

_REDUCTIONS: dict[type[exp.Expression], str] = {
    exp.Abs: "abs",
    exp.Round: "round",
    exp.Trunc: "trunc",
    exp.Ceil: "ceil",
    exp.Floor: "floor",
}
_SYMBOLS: dict[type[exp.Expression], str] = {exp.Add: "+", exp.Sub: "-", exp.Mul: "*"}


def arithmetic(node: exp.Expression, scope: Scope) -> Term:
    """+ - * of exact numbers."""
    left, right = _number(node.this, scope), _number(node.expression, scope)
    columns = joined(left, right)
    if not columns:
        raise Refusal("the arithmetic has no column", "Write its result.")
    return Term(
        f"({_exact(left)} {_SYMBOLS[type(node)]} {_exact(right)})",
        _range(node, left, right),
        _way(node, left, right, columns),
        left.nullable or right.nullable,
        columns,
    )


def _way(node: exp.Expression, left: Term, right: Term, columns: tuple[str, ...]) -> Way:
    l, r = left.value, right.value  # noqa: E741 - the two sides
    if isinstance(node, exp.Mul) and (isinstance(r, Decimal) or isinstance(l, Decimal)):
        return scaled(left.way, r) if isinstance(r, Decimal) else scaled(right.way, Decimal(l or 0))
    if isinstance(node, exp.Add) and (isinstance(r, Decimal) or isinstance(l, Decimal)):
        return shifted(left.way, r) if isinstance(r, Decimal) else shifted(right.way, Decimal(l or 0))
    if isinstance(node, exp.Sub) and isinstance(r, Decimal):
        return shifted(left.way, -r)
    if isinstance(node, exp.Sub) and isinstance(l, Decimal):
        return shifted(scaled(right.way, Decimal(-1)), l)
    return lost(columns, "both sides of the arithmetic are columns")


def _range(node: exp.Expression, left: Term, right: Term) -> SqlType:
    a, b = left.type, right.type
    if a.most is None or b.most is None or a.scale is None or b.scale is None:
        return NUMERIC
    if isinstance(node, exp.Mul):
        return SqlType("numeric", most=a.most * b.most, scale=a.scale + b.scale)
    return SqlType("numeric", most=a.most + b.most, scale=max(a.scale, b.scale))


def division(node: exp.Expression, scope: Scope) -> Term:
    """Division by a constant, as multiplication with its exact reciprocal: PostgreSQL's division would round."""
    left, right = _number(node.this, scope), _number(node.expression, scope)
    if not isinstance(right.value, Decimal):
        raise Refusal("division by a column has another number of digits in PostgreSQL", "Map both columns.")
    if scope.dialect in ("tsql", "postgres", "db2") and left.type.is_whole and right.type.scale == 0 and right.value:
        return _whole_division(left, right.value)
    factor = reciprocal(right.value)
    if factor is None:
        raise Refusal(f"a division by {plain(right.value)} has no exact result", "Map the column without the division.")
    return Term(
        f"({_exact(left)} * {signed(factor)})",
        multiplied(left.type, factor),
        scaled(left.way, factor),
        left.nullable,
        left.columns,
    )


def whole_division(node: exp.Expression, scope: Scope) -> Term:
    """MySQL's DIV by a constant: the quotient without its fraction."""
    left, right = _number(node.this, scope), _number(node.expression, scope)
    if not right.value or isinstance(right.value, str):
        raise Refusal("DIV needs a constant other than 0", "Map both columns.")
    return _whole_division(left, right.value)


def _whole_division(left: Term, by: Decimal) -> Term:
    """Whole numbers of T-SQL and PostgreSQL divide towards zero."""
    most = None if left.type.most is None else abs(left.type.most / by)
    return Term(
        f"div({_exact(left)}, {signed(by)})",
        SqlType("numeric", most=most, scale=0),
        lost(left.columns, "the remainder is dropped"),
        left.nullable,
        left.columns,
    )


def sign(node: exp.Expression, scope: Scope) -> Term:
    """SIGN."""
    inner = _number(node.this, scope)
    return whole_result(f"CAST(sign({_exact(inner)}) AS integer)", inner, "only the sign is kept")


def negation(node: exp.Expression, scope: Scope) -> Term:
    """Minus a number; of a literal it is a literal."""
    inner = _number(node.this, scope)
    if isinstance(inner.value, Decimal):
        return Term(f"(-{inner.sql})", inner.type, inner.way, value=-inner.value)
    return Term(
        f"(-{_exact(inner)})",
        added(inner.type, Decimal(0)),
        scaled(inner.way, Decimal(-1)),
        inner.nullable,
        inner.columns,
    )


def reduced(node: exp.Expression, scope: Scope) -> Term:
    """ABS, ROUND, TRUNC, CEIL, FLOOR of an exact number: the same in PostgreSQL, but without a way back."""
    inner = _number(node.this, scope)
    name = _REDUCTIONS[type(node)]
    decimals = node.args.get("decimals")
    if isinstance(node, exp.Round) and node.args.get("truncate") is not None:
        name = "trunc" if _whole_literal(node.args["truncate"]) else "round"
    places = _whole_literal(decimals) if decimals is not None else 0
    arguments = f"{_exact(inner)}, {places}" if name in ("round", "trunc") else _exact(inner)
    most = None if inner.type.most is None else inner.type.most + (name != "abs")
    scale = inner.type.scale if name == "abs" else max(places, 0)
    return Term(
        f"{name}({arguments})",
        SqlType("numeric", most=most, scale=scale),
        lost(inner.columns, f"{name} drops a part of the number"),
        inner.nullable,
        inner.columns,
    )


def remainder(node: exp.Expression, scope: Scope) -> Term:
    """MOD by a constant; the sign is the dividend's everywhere."""
    left, right = _number(node.this, scope), _number(node.expression, scope)
    if not right.value:
        raise Refusal("MOD needs a constant other than 0", "Map both columns.")
    return Term(
        f"mod({_exact(left)}, {right.sql})",
        SqlType("numeric", most=right.type.most, scale=left.type.scale),
        lost(left.columns, "mod drops a part of the number"),
        left.nullable,
        left.columns,
    )


def whole_result(sql: str, term: Term, reason: str) -> Term:
    """A count that a function gives, such as a length."""
    return Term(sql, INTEGER, lost(term.columns, reason), term.nullable, term.columns)


def _number(node: exp.Expression, scope: Scope) -> Term:
    term = scope.term(node)
    if term.type.family != "number":
        raise Refusal(
            f"arithmetic on a value of type {term.type.base}: only exact numbers keep their value",
            "Use numeric columns and decimal constants; use CONCAT for text.",
        )
    return term


def _exact(term: Term) -> str:
    # Whole columns would overflow or divide as integers.
    return f"CAST({term.sql} AS numeric)" if term.type.is_whole else term.sql


def _whole_literal(node: exp.Expression) -> int:
    sign = -1 if isinstance(node, exp.Neg) else 1
    inner = node.this if isinstance(node, exp.Neg) else node
    if not isinstance(inner, exp.Literal) or inner.is_string or not inner.name.isdigit():
        raise Refusal("the number of digits is not a constant", "Write the number.")
    return sign * int(inner.name)
