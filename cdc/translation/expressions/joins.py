"""Several values become one: || and CONCAT, GREATEST and LEAST, each with what its dialect does about NULL."""

from __future__ import annotations

from sqlglot import exp

from cdc.sql_types import TEXT, SqlType
from cdc.translation.expressions.texts import text_term
from cdc.translation.inverse import NoWay
from cdc.translation.refusals import Refusal
from cdc.translation.terms import Scope, Term, joined, lost

_APART = "a concatenation is not taken apart"


def concatenation(node: exp.Expression, scope: Scope) -> Term:
    """|| and CONCAT. Oracle leaves NULL out and has no empty text; CONCAT of T-SQL leaves it out, too."""
    parts = list(node.expressions) if isinstance(node, exp.Concat) else [node.this, node.expression]
    return text_of(parts, scope, skips_null=scope.dialect == "oracle" or bool(node.args.get("coalesce")))


def text_of(parts: list[exp.Expression], scope: Scope, *, skips_null: bool) -> Term:
    """The texts one after the other; NULL counts as no text, or makes the whole NULL."""
    terms = [text_term(found, scope) for found in parts]
    columns = joined(*terms)
    way = NoWay("opaque" if columns else "constant", _APART)
    if not any(term.nullable for term in terms):
        return Term(f"({' || '.join(term.padded_text for term in terms)})", TEXT, way, False, columns)
    if not skips_null:
        return Term(f"({' || '.join(term.padded_text for term in terms)})", TEXT, way, True, columns)
    texts = [f"COALESCE({term.padded_text}, '')" if term.nullable else term.padded_text for term in terms]
    sql = f"({' || '.join(texts)})"
    if scope.dialect == "oracle" and all(term.nullable for term in terms):
        return Term(f"NULLIF({sql}, '')", TEXT, way, True, columns)
    return Term(sql, TEXT, way, False, columns)


def separated(node: exp.Expression, scope: Scope) -> Term:
    """CONCAT_WS with a constant separator leaves NULL out in every dialect that has it."""
    separator, *parts = node.expressions
    if not isinstance(separator, exp.Literal):
        raise Refusal("the separator of CONCAT_WS is not a constant", "Write it.")
    terms = [text_term(found, scope) for found in parts]
    columns = joined(*terms)
    listed = ", ".join([scope.term(separator).sql, *(term.padded_text for term in terms)])
    return Term(f"concat_ws({listed})", TEXT, NoWay("opaque", _APART), False, columns)


def extreme(node: exp.Expression, scope: Scope) -> Term:
    """GREATEST and LEAST of numbers or of dates: NULL among them makes the result NULL in Oracle and MySQL."""
    terms = [scope.term(found) for found in (node.this, *node.expressions)]
    families = {term.type.family for term in terms}
    if len(families) != 1 or not families <= {"number", "date", "timestamp"}:
        raise Refusal("GREATEST and LEAST are translated for numbers or dates of one type", "Map the columns.")
    name = "greatest" if isinstance(node, exp.Greatest) else "least"
    columns, nullable = joined(*terms), [term.sql for term in terms if term.nullable]
    sql = f"{name}({', '.join(term.sql for term in terms)})"
    skips_null = scope.dialect in ("tsql", "postgres")
    if nullable and not skips_null:
        sql = f"CASE WHEN {' AND '.join(f'{found} IS NOT NULL' for found in nullable)} THEN {sql} END"
    kind = SqlType("some number") if families == {"number"} else terms[0].type
    is_null = len(nullable) == len(terms) if skips_null else bool(nullable)
    return Term(sql, kind, lost(columns, "the others are dropped"), is_null, columns)
