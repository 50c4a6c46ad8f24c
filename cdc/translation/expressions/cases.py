"""DECODE, CASE, NVL and NULLIF: tables of literals that can be read backwards, and choices that cannot."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from decimal import Decimal

from sqlglot import exp

from cdc.sql_types import NULL, SqlType, quoted
from cdc.translation.inverse import NoWay, Way, decoded, defaulted, emptied
from cdc.translation.refusals import Refusal
from cdc.translation.terms import Scope, Term, exact, joined, lost

Pair = tuple[exp.Expression, exp.Expression]


@dataclass(frozen=True)
class _Table:
    """A CASE that only compares one operand with literals."""

    operand: Term
    pairs: tuple[tuple[Term, Term], ...]  # key, result; the key's type is `null` where it is NULL
    default: Term | None


def decode(node: exp.Expression, scope: Scope) -> Term:
    """Oracle's DECODE: compares NULL with NULL as equal. char(n) is compared without its trailing blanks."""
    return _of_table(_decode_table(node, scope))


def _decode_table(node: exp.Expression, scope: Scope) -> _Table:
    operand, *rest = node.expressions
    pairs = list(zip(rest[0::2], rest[1::2], strict=False))
    default = rest[-1] if len(rest) % 2 else None
    return _simple(operand, pairs, default, scope)


def case(node: exp.Expression, scope: Scope) -> Term:
    """CASE with an operand, or with conditions."""
    branches = [(branch.this, branch.args["true"]) for branch in node.args["ifs"]]
    default = node.args.get("default")
    if node.this is not None:
        if any(isinstance(key, exp.Null) for key, _ in branches):
            raise Refusal("CASE x WHEN NULL is never true", "Write CASE WHEN x IS NULL.")
        return _of_table(_simple(node.this, branches, default, scope))
    return _searched(branches, default, scope)


def choice(node: exp.Expression, scope: Scope) -> Term:
    """IF and IIF."""
    return _searched([(node.this, node.args["true"])], node.args.get("false"), scope)


def nvl2(node: exp.Expression, scope: Scope) -> Term:
    """NVL2(x, if not NULL, if NULL)."""
    condition = exp.Not(this=exp.Is(this=node.this.copy(), expression=exp.Null()))
    return _searched([(condition, node.args["true"])], node.args.get("false"), scope)


def _simple(operand: exp.Expression, pairs: list[Pair], default: exp.Expression | None, scope: Scope) -> _Table:
    subject = scope.term(operand)
    table = _Table(
        subject,
        tuple((scope.term(key), scope.term(result)) for key, result in pairs),
        scope.term(default) if default is not None and not isinstance(default, exp.Null) else None,
    )
    for key, _ in table.pairs:
        if key.type is NULL:
            continue
        if not key.is_literal:
            raise Refusal("a value that is compared with is not a literal", "Write CASE WHEN ... = ... instead.")
        if key.type.family != subject.type.family:
            raise Refusal(
                f"a value of type {subject.type.base} is compared with a {key.type.base} literal",
                "Write the literal in the column's own type.",
            )
    return table


def first_keys(node: exp.Expr, scope: Scope) -> dict[str, str]:
    """For each literal result of a DECODE or CASE over a column the first key that gives it, both as SQL; else none."""
    table: _Table | None = None
    if isinstance(node, exp.DecodeCase):
        table = _decode_table(node, scope)
    elif isinstance(node, exp.Case):
        branches = [(branch.this, branch.args["true"]) for branch in node.args["ifs"]]
        table = _simple(node.this, branches, None, scope) if node.this else _as_table(branches, None, scope)
    if table is None or table.operand.sql not in map(quoted, table.operand.columns):
        return {}
    return {result.sql: key.sql for key, result in reversed(table.pairs) if result.is_literal and key.is_literal}


def _searched(branches: list[Pair], default: exp.Expression | None, scope: Scope) -> Term:
    table = _as_table(branches, default, scope)
    if table is not None:
        return _of_table(table)
    conditions = [scope.term(condition) for condition, _ in branches]
    if any(condition.type.family != "boolean" for condition in conditions):
        raise Refusal("a condition is not a comparison", "Compare with a value.")
    results = [scope.term(result) for _, result in branches]
    last = scope.term(default) if default is not None else None
    everything = [*results, *([last] if last else [])]
    whens = " ".join(f"WHEN {c.sql} THEN {r.sql}" for c, r in zip(conditions, results, strict=True))
    columns = joined(*conditions, *everything)
    return Term(
        f"CASE {whens}{f' ELSE {last.sql}' if last else ''} END",
        _common_type(everything),
        lost(columns, "its conditions are not a list of literals"),
        last is None or any(term.nullable for term in everything),
        columns,
    )


def _as_table(branches: list[Pair], default: exp.Expression | None, scope: Scope) -> _Table | None:
    """CASE WHEN x = 'a' THEN .. WHEN x IN ('b') THEN .. is the same table with its operand written every time."""
    pairs, operands = [], set()
    for condition, result in branches:
        keys = list(_compared_with(condition))
        if not keys:
            return None
        operands.add(condition.this.sql())
        pairs += [(key, result) for key in keys]
    if len(operands) != 1:
        return None
    subject = scope.term(branches[0][0].this)
    table = _Table(
        subject,
        tuple((scope.term(key), scope.term(result)) for key, result in pairs),
        scope.term(default) if default is not None and not isinstance(default, exp.Null) else None,
    )
    right = all(key.is_literal and key.type.family == subject.type.family for key, _ in table.pairs)
    return table if right and subject.columns else None


def _compared_with(condition: exp.Expression) -> Iterator[exp.Expression]:
    if isinstance(condition, exp.EQ):
        yield condition.expression
    elif isinstance(condition, exp.In) and not condition.args.get("query"):
        yield from condition.expressions


def _of_table(table: _Table) -> Term:
    results = [result for _, result in table.pairs] + ([table.default] if table.default else [])
    columns = joined(table.operand, *results)
    return Term(
        _case_sql(table),
        _common_type(results),
        _way(table, columns),
        table.default is None or any(term.nullable for term in results),
        columns,
    )


def _case_sql(table: _Table) -> str:
    subject, last = table.operand.sql, f" ELSE {table.default.sql}" if table.default else ""
    if any(key.type is NULL for key, _ in table.pairs):
        tests = [f"{subject} IS NULL" if key.type is NULL else f"{subject} = {key.sql}" for key, _ in table.pairs]
        whens = " ".join(f"WHEN {test} THEN {result.sql}" for test, (_, result) in zip(tests, table.pairs, strict=True))
        return f"CASE {whens}{last} END"
    whens = " ".join(f"WHEN {key.sql} THEN {result.sql}" for key, result in table.pairs)
    return f"CASE {subject} {whens}{last} END"


def _way(table: _Table, columns: tuple[str, ...]) -> Way:
    keys = [_compared(key, table.operand.type) for key, _ in table.pairs]
    if len(set(keys)) != len(keys):
        raise Refusal("the same value is compared with twice", "Remove the second; it would never be reached.")
    if not all(result.is_literal for _, result in table.pairs):
        return lost(columns, "its results are not all literals")
    if isinstance(table.operand.way, NoWay):
        return table.operand.way
    if table.default is not None:
        return lost(columns, "ELSE gives one result to every other value")
    results = [result.value for _, result in table.pairs]
    if len(set(results)) != len(results):
        return lost(columns, "two values have the same result")
    pairs = [(key.sql, result.sql) for key, result in table.pairs]
    return decoded(table.operand.way, pairs, keys, _guard(table))


def _guard(table: _Table) -> str:
    listed = [key.sql for key, _ in table.pairs if key.type is not NULL]
    has_null = len(listed) < len(table.pairs)
    inside = f"{table.operand.sql} IN ({', '.join(listed)})" if listed else "false"
    if has_null:
        return f"({table.operand.sql} IS NULL OR {inside})"
    return exact(inside, table.operand)


def _compared(key: Term, subject: SqlType) -> str | Decimal | None:
    if isinstance(key.value, str) and subject.is_padded:
        return key.value.rstrip(" ")
    return key.value


def _common_type(terms: Sequence[Term]) -> SqlType:
    typed = [term.type for term in terms if term.type is not NULL]
    if not typed:
        return NULL
    if len({kind.family for kind in typed}) > 1:
        raise Refusal("the results have different types", "Give all of them the same type.")
    most = [kind.most for kind in typed]
    scales = [kind.scale for kind in typed]
    lengths = [kind.length for kind in typed]
    bases = {kind.base for kind in typed}
    base = typed[0].base if len(bases) == 1 else f"some {typed[0].family}"
    return SqlType(
        base,
        length=None if None in lengths else max(n for n in lengths if n is not None),
        most=None if None in most else max(n for n in most if n is not None),
        scale=None if None in scales else max(n for n in scales if n is not None),
    )


def coalesce(node: exp.Expression, scope: Scope) -> Term:
    """NVL, ISNULL, IFNULL and COALESCE."""
    terms = [scope.term(node.this), *(scope.term(other) for other in node.expressions)]
    first, last = terms[0], terms[-1]
    kind = _common_type(terms)
    if node.args.get("is_null") and first.type.family == "text" and _is_longer(last.type, first.type):
        raise Refusal("ISNULL cuts its second value to the length of the first", "Use COALESCE, or a shorter value.")
    sql = f"COALESCE({', '.join(term.sql for term in terms)})"
    way: Way = lost(joined(*terms), "NULL and a value become the same")
    if len(terms) == 2 and last.is_literal:
        way = (
            defaulted(first.way, last.sql, exact(f"{first.sql} <> {last.sql}", first)) if first.nullable else first.way
        )
        kind = first.type if first.type.family == "text" else kind  # a literal takes the type of what is beside it
    return Term(sql, kind, way, all(term.nullable for term in terms), joined(*terms))


def _is_longer(kind: SqlType, limit: SqlType) -> bool:
    return limit.length is not None and (kind.length is None or kind.length > limit.length)


def nullif(node: exp.Expression, scope: Scope) -> Term:
    """NULLIF(x, literal)."""
    first, second = scope.term(node.this), scope.term(node.expression)
    if first.type.family != second.type.family:
        raise Refusal("NULLIF compares values of different types", "Write the literal in the column's own type.")
    sql = f"NULLIF({first.sql}, {second.sql})"
    way: Way = lost(joined(first, second), "a value and NULL become the same")
    if second.is_literal:
        way = emptied(first.way, second.sql, f"{first.sql} IS NOT NULL" if first.nullable else "")
    return Term(sql, first.type, way, True, joined(first, second))
