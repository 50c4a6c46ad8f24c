"""A residue: what an expression drops of its column, kept in a column of its own, so that a row comes back as it was.

`strangler.residue(C, f(C)) AS v_residue`, below `f(C) AS v`, is NULL where C can be told from v alone, else C itself.
The way back is a lens over both columns, put(v, residue):

    the residue, where f of it is v     an old value that modern has not touched
    else NULL, where f of NULL is v     what no residue says is NULL first
    else the preferred source of v      a value that modern wrote: the residue gives way to it
    else NULL                           nothing of legacy stands for it; the mapping's guards count these rows

So put(get(row)) = row for every row and every f, and get(put(v)) = v wherever put finds a source. A residue that modern
has left behind is not wrong: f of it is not v any more, and a comparison takes it for NULL.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from sqlglot import exp

from cdc.catalogue import Column
from cdc.sql_types import parse_type, quoted
from cdc.translation.draft import Output
from cdc.translation.expressions.cases import first_keys
from cdc.translation.fit import fit
from cdc.translation.inverse import Lens, NoWay
from cdc.translation.refusals import Refusal
from cdc.translation.terms import Scope, Term
from cdc.translation.translate import translate

FUNCTION = "residue"
_HOW = "Write strangler.residue(COLUMN, EXPRESSION) below the column that EXPRESSION gives, with the same EXPRESSION."


def is_residue(node: exp.Expr) -> bool:
    """Whether an output is strangler.residue(...)."""
    call = node.unalias()
    return (
        isinstance(call, exp.Dot)
        and call.this.name.lower() == "strangler"
        and isinstance(call.expression, exp.Anonymous)
        and call.expression.name.lower() == FUNCTION
    )


def residue_output(node: exp.Expression, own: Column, scope: Scope, before: Sequence[Output]) -> Output:
    """The output of strangler.residue(C, f(C)) into the column `own`. Raises Refusal."""
    arguments = node.unalias().expression.expressions
    if len(arguments) != 2 or not isinstance(arguments[0], exp.Column):
        raise Refusal("strangler.residue takes a column and the expression that drops a part of it", _HOW)
    column = scope.column(arguments[0])
    of = next((one for one in before if one.node.unalias() == arguments[1]), None)
    if of is None or of.term.columns != (column.name,):
        raise Refusal(f"no column before it is given by {arguments[1].sql(dialect=scope.dialect)} alone", _HOW)
    kind = parse_type(column.type)
    kept = Term(_kept(of, column, scope), kind, _way(of, column, scope), True, (column.name,))
    return Output(
        own, node, fit(kept, parse_type(own.type)), residue_of=of.column.name, stands=_stands(of, own, column, scope)
    )


def _kept(of: Output, column: Column, scope: Scope) -> str:
    """C, where put(v, NULL) would not give it back. Where the candidate is C, f of it is v: that need not be asked."""
    source = scope.stand_ins.get(column.name, quoted(column.name))
    value = f"CAST({of.term.sql} AS {of.column.type})"
    told = _candidate(of, value, column, scope)
    if told is None:
        return source
    if not column.not_null:
        told = f"CASE WHEN {value} IS NOT DISTINCT FROM {_nothing(of, column, scope)} THEN NULL ELSE {told} END"
    return f"CASE WHEN {told} IS DISTINCT FROM {source} THEN {source} END"


def _way(of: Output, column: Column, scope: Scope) -> Lens:
    value = quoted(of.column.name)

    def undo(residue: str) -> str:
        is_told = f"{_again(of, residue, column, scope)} IS NOT DISTINCT FROM {value}"
        preferred = _preferred(of, value, column, scope)
        if column.not_null:
            return f"CASE WHEN {residue} IS NOT NULL AND {is_told} THEN {residue} ELSE {preferred} END"
        nothing = f"WHEN {_nothing(of, column, scope)} IS NOT DISTINCT FROM {value} THEN NULL"
        return f"CASE WHEN {is_told} THEN {residue} {nothing} ELSE {preferred} END"

    return Lens(column.name, undo, lambda _: parse_type(column.type), reads=(of.column.name,))


def _stands(of: Output, own: Column, column: Column, scope: Scope) -> str:
    """The residue as it counts in a comparison: NULL once modern has written another value."""
    residue = quoted(own.name)
    again = _again(of, residue, column, scope)
    return f"CASE WHEN {again} IS NOT DISTINCT FROM {quoted(of.column.name)} THEN {residue} END"


def _again(of: Output, source: str, column: Column, scope: Scope) -> str:
    """What the expression makes of a source's value, as its column holds it."""
    there = replace(scope, stand_ins={column.name: source})
    return f"CAST({fit(translate(of.node, there), parse_type(of.column.type)).sql} AS {of.column.type})"


def _nothing(of: Output, column: Column, scope: Scope) -> str:
    """What the expression makes of NULL."""
    return _again(of, f"CAST(NULL AS {column.type})", column, scope)


def _preferred(of: Output, value: str, column: Column, scope: Scope) -> str:
    """The one source's value that a target's value stands for by itself, "NULL" where there is none."""
    candidate = _candidate(of, value, column, scope)
    if candidate is None:
        return "NULL"
    if isinstance(of.term.way, Lens):
        return candidate
    return f"CASE WHEN {_again(of, candidate, column, scope)} IS NOT DISTINCT FROM {value} THEN {candidate} END"


def _candidate(of: Output, value: str, column: Column, scope: Scope) -> str | None:
    way, kind, own = of.term.way, parse_type(column.type), parse_type(of.column.type)
    if isinstance(way, Lens):
        return fit(Term(way.undo(value), way.undo_type(own), NoWay("opaque", "")), kind).sql
    keys = first_keys(of.node.unalias(), scope)
    if keys:
        whens = " ".join(f"WHEN {result} THEN {key}" for result, key in keys.items())
        return f"CAST(CASE {value} {whens} END AS {kind.base})"
    # The value itself: blanks that are not there, a time that is midnight, letters that are capitals already.
    if own.family != kind.family or own.family not in ("text", "number", "date", "timestamp") or kind.is_whole:
        return None
    return fit(Term(value, own, NoWay("opaque", "")), kind).sql
