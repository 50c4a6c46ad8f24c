"""Functions of text: the same in PostgreSQL once char(n) keeps its blanks and Oracle's empty text is NULL."""

from __future__ import annotations

from dataclasses import replace

from sqlglot import exp

from cdc.inverse import Lens, NoWay, Way
from cdc.refusals import Refusal
from cdc.sql_types import TEXT, SqlType
from cdc.terms import Scope, Term, exact, joined, lost
from cdc.translate_numbers import whole_result


def trimmed(node: exp.Expression, scope: Scope) -> Term:
    """TRIM, LTRIM and RTRIM of blanks. RTRIM of char(n) drops nothing that counts, so it can be undone."""
    inner = text_term(node.this, scope)
    if node.args.get("expression") is not None:
        raise Refusal("TRIM of other characters than blanks is not translated", "Trim blanks only.")
    position = str(node.args.get("position") or "BOTH").upper()
    function = {"BOTH": "btrim", "LEADING": "ltrim", "TRAILING": "rtrim"}[position]
    sql = f"{function}(CAST({inner.sql} AS text))"
    way: Way = lost(inner.columns, "blanks are dropped")
    if position == "TRAILING" and inner.type.is_padded and isinstance(inner.way, Lens):
        way = inner.way
        if scope.dialect == "oracle":
            way = replace(way.guarded(exact(f"{inner.sql} <> ''", inner)), back_guards=lambda y: (f"{y} <> ''",))
    return _oracle_text(sql, inner, way, scope)


def cased(node: exp.Expression, scope: Scope) -> Term:
    """UPPER and LOWER."""
    inner = text_term(node.this, scope)
    name = "upper" if isinstance(node, exp.Upper) else "lower"
    return _made(f"{name}({inner.padded_text})", inner, "upper and lower case become the same", scope)


def part(node: exp.Expression, scope: Scope) -> Term:
    """SUBSTR from a constant place on."""
    inner = text_term(node.this, scope)
    numbers = [node.args.get("start"), node.args.get("length")]
    if not all(n is None or (isinstance(n, exp.Literal) and n.name.isdigit()) for n in numbers) or numbers[0] is None:
        raise Refusal("SUBSTR needs constant numbers", "Write the place and the length.")
    arguments = ", ".join(n.name for n in numbers if n is not None)
    length = int(numbers[1].name) if numbers[1] is not None else None
    term = _made(f"substr({inner.padded_text}, {arguments})", inner, "the rest of the text is dropped", scope)
    return replace(term, type=SqlType("text", length=length), nullable=term.nullable or scope.dialect == "oracle")


def filled(node: exp.Expression, scope: Scope) -> Term:
    """LPAD and RPAD to a constant length."""
    inner = text_term(node.this, scope)
    length, fill = node.expression, node.args.get("fill_pattern")
    if not isinstance(length, exp.Literal) or not length.name.isdigit():
        raise Refusal("the length is not a constant", "Write the number.")
    filling = scope.term(fill).sql if fill is not None else "' '"
    name = "lpad" if node.args.get("is_left") else "rpad"
    return _made(f"{name}({inner.padded_text}, {length.name}, {filling})", inner, "the length is dropped", scope)


def replaced(node: exp.Expression, scope: Scope) -> Term:
    """REPLACE."""
    terms = [scope.term(node.this), scope.term(node.expression)]
    if node.args.get("replacement") is not None:
        terms.append(scope.term(node.args["replacement"]))
    texts = [term.padded_text for term in terms] + ["''"] * (3 - len(terms))
    sql = f"replace({', '.join(texts)})"
    term = Term(sql, TEXT, lost(joined(*terms), "what was replaced is dropped"), terms[0].nullable, joined(*terms))
    return _oracle_text(sql, term, term.way, scope)


def length_of(node: exp.Expression, scope: Scope) -> Term:
    """LENGTH in characters; of char(n) it is n, as everywhere but in PostgreSQL."""
    inner = text_term(node.this, scope)
    if scope.dialect == "tsql":
        raise Refusal("LEN does not count trailing blanks", "Map the column.")
    return whole_result(f"length({inner.padded_text})", inner, "the text is dropped")


def place(node: exp.Expression, scope: Scope) -> Term:
    """INSTR with two arguments."""
    inner, sought = text_term(node.this, scope), text_term(node.args["substr"], scope)
    return whole_result(f"strpos({inner.padded_text}, {sought.padded_text})", inner, "the text is dropped")


def concatenation(node: exp.Expression, scope: Scope) -> Term:
    """|| and CONCAT, where no part can be NULL: Oracle would leave NULL out, PostgreSQL would give NULL."""
    parts = list(node.expressions) if isinstance(node, exp.Concat) else [node.this, node.expression]
    terms = [text_term(found, scope) for found in parts]
    _refuse_null(terms, "a concatenation")
    columns = joined(*terms)
    sql = f"({' || '.join(term.padded_text for term in terms)})"
    return Term(
        sql, TEXT, NoWay("opaque" if columns else "constant", "a concatenation is not taken apart"), False, columns
    )


def extreme(node: exp.Expression, scope: Scope) -> Term:
    """GREATEST and LEAST, where no operand can be NULL: PostgreSQL would leave it out."""
    terms = [scope.term(found) for found in (node.this, *node.expressions)]
    _refuse_null(terms, "GREATEST or LEAST")
    if {term.type.family for term in terms} != {"number"}:
        raise Refusal("GREATEST and LEAST are translated for numbers only", "Map the columns.")
    name = "greatest" if isinstance(node, exp.Greatest) else "least"
    columns = joined(*terms)
    return Term(
        f"{name}({', '.join(term.sql for term in terms)})",
        SqlType("some number"),
        lost(columns, "the others are dropped"),
        False,
        columns,
    )


def text_term(node: exp.Expression, scope: Scope) -> Term:
    """Translate an operand that must be text."""
    term = scope.term(node)
    if term.type.family != "text":
        raise Refusal(f"a function of text is given a value of type {term.type.base}", "Convert it with a format.")
    return term


def _made(sql: str, inner: Term, reason: str, scope: Scope) -> Term:
    return _oracle_text(sql, inner, lost(inner.columns, reason), scope)


def _oracle_text(sql: str, inner: Term, way: Way, scope: Scope) -> Term:
    """Oracle has no empty text: a function that leaves nothing gives NULL."""
    if scope.dialect == "oracle" and not sql.startswith(("upper", "lower", "lpad", "rpad")):
        return Term(f"NULLIF({sql}, '')", TEXT, way, True, inner.columns)
    return Term(sql, TEXT, way, inner.nullable, inner.columns)


def _refuse_null(terms: list[Term], what: str) -> None:
    empty = [", ".join(term.columns) or "NULL" for term in terms if term.nullable]
    if empty:
        raise Refusal(
            f"{what} has an operand that can be NULL ({empty[0]}), which the dialects treat differently",
            "Use NVL for it, or make the column NOT NULL.",
        )
