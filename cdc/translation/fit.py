"""Does a value fit into a column: the cast it needs, the conditions under which nothing is lost, or a refusal."""

from __future__ import annotations

from dataclasses import replace

from cdc.sql_types import NULL, SqlType
from cdc.translation.inverse import Lens
from cdc.translation.refusals import Refusal
from cdc.translation.terms import Term, exact

_UNCERTAIN = ("some text", "some number")


def fit(term: Term, kind: SqlType) -> Term:
    """The term as a value of `kind`, without its limits of length: PostgreSQL enforces those when it stores the row.

    Where a value may not fit, or would be rounded, the way back is guarded. Raises Refusal for a pair of types that
    has no exact conversion.
    """
    if term.type is NULL:
        return replace(term, sql=f"CAST(NULL AS {kind.base})", type=kind)
    guards = _GUARDS.get((term.type.family, kind.family), _refused)(term, kind)
    sql = term.sql if term.type.base == kind.base else f"CAST({term.sql} AS {kind.base})"
    if term.type.base in _UNCERTAIN:
        sql = f"CAST({term.sql} AS {kind.base})"
    way = term.way
    if isinstance(way, Lens) and guards:
        way = way.guarded(*(exact(guard, term) for guard in guards))
    return replace(term, sql=sql, type=kind, way=way)


def conditions(term: Term, kind: SqlType) -> list[str]:
    """What must hold so that a value fits without losing anything; no condition where NULL is.

    Raises Refusal.
    """
    if term.type is NULL:
        return []
    return [exact(guard, term) for guard in _GUARDS.get((term.type.family, kind.family), _refused)(term, kind)]


def _refused(term: Term, kind: SqlType) -> list[str]:
    if term.type.family == kind.family == "other" and term.type == kind:
        return []
    raise Refusal(
        f"a value of type {term.type.base} does not become {kind.base} by itself",
        "Convert it: TO_DATE or TO_TIMESTAMP with a format, TO_NUMBER, TO_CHAR with a format, or CAST.",
    )


def _same(term: Term, kind: SqlType) -> list[str]:
    return [] if term.type.base == kind.base else _refused(term, kind)


def _numbers(term: Term, kind: SqlType) -> list[str]:
    guards = []
    if kind.scale is not None and (term.type.scale is None or term.type.scale > kind.scale):
        guards.append(f"{term.sql} = round({term.sql}, {kind.scale})")
    if kind.most is not None and (term.type.most is None or term.type.most > kind.most):
        guards.append(f"abs({term.sql}) <= {kind.most:f}")
    return guards


def _texts(term: Term, kind: SqlType) -> list[str]:
    guards = []
    if kind.is_padded and not (term.type.is_padded or term.type.is_tight or term.is_literal):
        guards.append(f"CAST({term.sql} AS text) = rtrim(CAST({term.sql} AS text))")
    if kind.length is not None and (term.type.length is None or term.type.length > kind.length):
        guards.append(f"length({term.sql}) <= {kind.length}")
    return guards


def _timestamps(term: Term, kind: SqlType) -> list[str]:
    own = 6 if term.type.length is None else term.type.length
    if kind.length is None or own <= kind.length:
        return []
    return [f"{term.sql} = CAST({term.sql} AS {kind.base}({kind.length}))"]


def _nothing(_: Term, __: SqlType) -> list[str]:
    return []


_GUARDS = {
    ("number", "number"): _numbers,
    ("text", "text"): _texts,
    ("date", "date"): _nothing,
    ("date", "timestamp"): _nothing,
    ("timestamp", "timestamp"): _timestamps,
    ("timestamptz", "timestamptz"): _timestamps,
    ("boolean", "boolean"): _nothing,
    ("float", "float"): _same,
}
