"""CAST and TO_NUMBER: the exact ones, each with the conditions under which it loses nothing."""

from __future__ import annotations

from dataclasses import replace

from sqlglot import exp

from cdc.sql_types import DATE, NUMERIC, TEXT, SqlType, numeric, parse_type
from cdc.translation.fit import fit
from cdc.translation.inverse import Lens, NoWay, Way, cast_back, numbered_back
from cdc.translation.refusals import Refusal
from cdc.translation.terms import Scope, Term, exact, lost

_D = exp.DType
_WHOLE = {_D.SMALLINT: "smallint", _D.INT: "integer", _D.BIGINT: "bigint"}
_TEXTS = {_D.VARCHAR, _D.NVARCHAR, _D.TEXT}
_PADDED = {_D.CHAR, _D.NCHAR}


def cast(node: exp.Expression, scope: Scope) -> Term:
    """CAST between types that convert exactly, perhaps under a guard."""
    inner, kind = scope.term(node.this), _wanted(node.args["to"], scope)
    pair = (inner.type.family, kind.family)
    if pair == ("text", "number"):
        inner = _read_number(inner)
    elif pair == ("number", "text"):
        inner = written_number(inner)
    elif pair == ("timestamp", "date"):
        return Term(
            f"CAST({inner.sql} AS date)",
            DATE,
            lost(inner.columns, "the time of day is dropped"),
            inner.nullable,
            inner.columns,
        )
    if pair == ("number", "number") and scope.dialect == "tsql" and kind.is_whole and inner.type.scale != 0:
        inner = replace(inner, sql=f"trunc({inner.sql})", way=lost(inner.columns, "the fraction is cut off"))
    way = inner.way
    if pair == ("date", "timestamp") and isinstance(way, Lens):
        way = cast_back(way, "date", lambda y: f"{y} = date_trunc('day', {y})", DATE)
    fitted = fit(replace(inner, way=way), kind)
    return replace(fitted, sql=f"CAST({inner.sql} AS {_modified(kind)})")


def day_of(node: exp.Expression, scope: Scope) -> Term:
    """MySQL's DATE(x) of a date or a timestamp."""
    return cast(exp.Cast(this=node.this.copy(), to=exp.DataType.build("date")), scope)


def to_number(node: exp.Expression, scope: Scope) -> Term:
    """TO_NUMBER of text without a format, as numeric."""
    if node.args.get("format") is not None:
        raise Refusal("TO_NUMBER with a format is not translated", "Use TO_NUMBER without a format.")
    inner = scope.term(node.this)
    return inner if inner.type.family == "number" else _read_number(inner)


def _read_number(inner: Term) -> Term:
    if inner.type.family != "text":
        raise Refusal(f"TO_NUMBER of a value of type {inner.type.base}", "Give it text.")
    sql = f"strangler.parse_number({inner.sql})"
    width = inner.type.length if inner.type.is_padded else None
    back = f"CAST(trim_scale({sql}) AS text)"
    back = f"lpad({back}, {width}, '0')" if width else back
    # A text that is no number violates the guard; the CASE keeps parse_number from raising while it is counted.
    test = f"CASE WHEN strangler.is_number({inner.sql}) THEN {back} = {inner.sql} ELSE {inner.sql} IS NULL END"
    way: Way = inner.way if isinstance(inner.way, NoWay) else numbered_back(inner.way, width, exact(test, inner))
    return Term(sql, NUMERIC, way, inner.nullable, inner.columns)


def written_number(inner: Term) -> Term:
    """The text of a whole number."""
    if inner.type.scale != 0:
        raise Refusal("a number with digits after the point has more than one text", "CAST it to a whole number first.")
    way = inner.way
    if isinstance(way, Lens):
        way = cast_back(
            way,
            "",
            lambda y: (
                f"strangler.is_number({y}) AND CASE WHEN strangler.is_number({y}) "
                f"THEN CAST(trunc(strangler.parse_number({y})) AS text) = {y} END"
            ),
            inner.type,
        )
    return Term(f"CAST({inner.sql} AS text)", TEXT, way, inner.nullable, inner.columns)


def _wanted(to: exp.DataType, scope: Scope) -> SqlType:
    numbers = [int(found.this.name) for found in to.expressions if found.this.name.isdigit()]
    is_unbounded = any(found.this.name.upper() == "MAX" for found in to.expressions)
    if to.this in _WHOLE or to.this == _D.DECIMAL:
        return _number_wanted(to, numbers, scope)
    if to.this in _TEXTS or to.this in _PADDED:
        # CHAR is padded everywhere but in MySQL's CAST; SQL Server takes 30 characters where no length is written.
        is_padded = to.this in _PADDED and scope.dialect != "mysql"
        unwritten = None if is_unbounded else 30 if scope.dialect == "tsql" and to.this != _D.TEXT else None
        length = numbers[0] if numbers else unwritten or (1 if is_padded else None)
        return SqlType("bpchar" if is_padded else "varchar" if length else "text", length=length)
    if to.this == _D.DATE and scope.dialect != "oracle":
        return DATE
    if to.this in (_D.TIMESTAMP, _D.TIMESTAMPNTZ, _D.DATETIME, _D.DATETIME2):
        return SqlType("timestamp", length=numbers[0] if numbers else None)
    if to.this == _D.DATE:
        raise Refusal("Oracle's DATE has a time of day", "Use TO_DATE with a format, or CAST AS TIMESTAMP.")
    name = to.sql(dialect=scope.dialect)
    raise Refusal(f"CAST to {name} is not known to be exact", "Use numeric, text or date types.")


def _number_wanted(to: exp.DataType, numbers: list[int], scope: Scope) -> SqlType:
    if to.this in _WHOLE:
        return numeric(38, 0) if scope.dialect == "oracle" else parse_type(_WHOLE[to.this])
    if not numbers:
        return {"tsql": numeric(18, 0), "mysql": numeric(10, 0), "db2": numeric(5, 0)}.get(scope.dialect, NUMERIC)
    return numeric(numbers[0], numbers[1] if len(numbers) > 1 else 0)


def _modified(kind: SqlType) -> str:
    if kind.base == "numeric" and kind.most is not None and kind.scale is not None:
        precision = len(f"{kind.most:f}".replace(".", "").lstrip("0")) or 1
        return f"numeric({max(precision, kind.scale)}, {kind.scale})"
    return f"{kind.base}({kind.length})" if kind.length is not None else kind.base
