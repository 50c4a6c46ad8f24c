"""Functions of text: the same in PostgreSQL once char(n) keeps its blanks and Oracle's empty text is NULL."""

from __future__ import annotations

from dataclasses import replace

from sqlglot import exp

from cdc.sql_types import TEXT, SqlType, literal
from cdc.translation.expressions.numbers import whole_result
from cdc.translation.inverse import Lens, Way
from cdc.translation.refusals import Refusal
from cdc.translation.terms import Scope, Term, exact, joined, lost


def trimmed(node: exp.Expression, scope: Scope) -> Term:
    """TRIM, LTRIM and RTRIM. RTRIM of char(n) drops no character that counts, so it can be undone."""
    inner = text_term(node.this, scope)
    position = str(node.args.get("position") or "BOTH").upper()
    function = {"BOTH": "btrim", "LEADING": "ltrim", "TRAILING": "rtrim"}[position]
    characters = node.args.get("expression")
    if characters is not None:
        return _trimmed_of(function, characters, inner, scope)
    sql = f"{function}(CAST({inner.sql} AS text))"
    way: Way = lost(inner.columns, "blanks are dropped")
    if position == "TRAILING" and inner.type.is_padded and isinstance(inner.way, Lens):
        way = inner.way
        if scope.dialect == "oracle":
            way = replace(way.guarded(exact(f"{inner.sql} <> ''", inner)), back_guards=lambda y: (f"{y} <> ''",))
    return oracle_text(sql, inner, way, scope)


def _trimmed_of(function: str, characters: exp.Expression, inner: Term, scope: Scope) -> Term:
    # MySQL trims a string, the others a set of characters: of one character both are the same.
    if not isinstance(characters, exp.Literal) or (scope.dialect == "mysql" and len(characters.name) != 1):
        raise Refusal("TRIM of something else than constant characters", "Write the characters; one of them in MySQL.")
    sql = f"{function}({inner.padded_text}, {literal(characters.name)})"
    return oracle_text(sql, inner, lost(inner.columns, "characters at the ends are dropped"), scope)


def cased(node: exp.Expression, scope: Scope) -> Term:
    """UPPER and LOWER."""
    inner = text_term(node.this, scope)
    name = "upper" if isinstance(node, exp.Upper) else "lower"
    return _made(f"{name}({inner.padded_text})", inner, "upper and lower case become the same", scope)


def part(node: exp.Expression, scope: Scope) -> Term:
    """SUBSTR from a constant place on; a negative one counts from the end, 0 is the first one in Oracle."""
    inner = text_term(node.this, scope)
    start, length = _number_of(node.args.get("start")), _number_of(node.args.get("length"))
    if start is None or (length is None and node.args.get("length") is not None) or (length or 0) < 0:
        raise Refusal("SUBSTR needs constant numbers", "Write the place and the length.")
    text, tail = inner.padded_text, "" if length is None else f", {length}"
    if start < 0 and scope.dialect in ("oracle", "mysql"):
        # Where the text is shorter than that, nothing is left.
        found = f"substr({text}, length({text}) - {-start - 1}{tail})"
        sql = f"CASE WHEN length({text}) >= {-start} THEN {found} ELSE '' END"
    elif start < 1 and scope.dialect == "mysql":
        raise Refusal("SUBSTRING from 0 is empty in MySQL", "Count from 1.")
    else:
        sql = f"substr({text}, {max(start, 1) if scope.dialect == 'oracle' else start}{tail})"
    term = _made(sql, inner, "the rest of the text is dropped", scope)
    return replace(term, type=SqlType("text", length=length), nullable=term.nullable or scope.dialect == "oracle")


def end_of(node: exp.Expression, scope: Scope) -> Term:
    """LEFT and RIGHT of a constant length."""
    inner, length = text_term(_untyped(node.this), scope), _number_of(node.expression)
    if length is None or length < 0:
        raise Refusal("LEFT and RIGHT need a constant length", "Write the number.")
    name = "left" if isinstance(node, exp.Left) else "right"
    term = _made(f"{name}({inner.padded_text}, {length})", inner, "the rest of the text is dropped", scope)
    return replace(term, type=SqlType("text", length=length))


def _untyped(node: exp.Expression) -> exp.Expression:
    """The argument without the CAST to text that sqlglot puts around T-SQL's arguments, which would cut blanks."""
    is_added = isinstance(node, exp.Cast) and node.to.this == exp.DType.TEXT
    return node.this if is_added else node


def _number_of(node: exp.Expression | None) -> int | None:
    sign = -1 if isinstance(node, exp.Neg) else 1
    inner = node.this if isinstance(node, exp.Neg) else node
    return sign * int(inner.name) if isinstance(inner, exp.Literal) and inner.name.isdigit() else None


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
    return oracle_text(sql, term, term.way, scope)


def piece(node: exp.Expression, scope: Scope) -> Term:
    """PostgreSQL's split_part with constants."""
    inner = text_term(node.this, scope)
    mark, number = node.args.get("delimiter"), _number_of(node.args.get("part_index"))
    if scope.dialect != "postgres" or not isinstance(mark, exp.Literal) or not number:
        raise Refusal("SPLIT_PART needs a constant mark and number, and is PostgreSQL's", "Write them.")
    return _made(
        f"split_part({inner.padded_text}, {literal(mark.name)}, {number})", inner, "the rest is dropped", scope
    )


def substituted(node: exp.Expression, scope: Scope) -> Term:
    """TRANSLATE, character by character."""
    inner = text_term(node.this, scope)
    characters = [node.args["from_"], node.args["to"]]
    if not all(isinstance(found, exp.Literal) and found.name for found in characters):
        raise Refusal("TRANSLATE needs constant characters", "Write them.")
    listed = ", ".join(literal(found.name) for found in characters)
    return _made(f"translate({inner.padded_text}, {listed})", inner, "several characters become the same", scope)


def length_of(node: exp.Expression, scope: Scope) -> Term:
    """LENGTH in characters; of char(n) it is n, as everywhere but in PostgreSQL. LEN leaves out trailing blanks."""
    if node.args.get("binary"):
        raise Refusal("LENGTH counts bytes in MySQL", "Use CHAR_LENGTH.")
    inner = text_term(_untyped(node.this), scope)
    text = f"rtrim({inner.padded_text})" if scope.dialect == "tsql" else inner.padded_text
    return whole_result(f"length({text})", inner, "the text is dropped")


def place(node: exp.Expression, scope: Scope) -> Term:
    """INSTR, CHARINDEX and LOCATE; with a start and an occurrence by strangler.instr."""
    inner, sought = text_term(node.this, scope), text_term(node.args["substr"], scope)
    extra = [node.args.get(name) for name in ("position", "occurrence")]
    if not any(extra):
        return whole_result(f"strpos({inner.padded_text}, {sought.padded_text})", inner, "the text is dropped")
    numbers = [1 if found is None else _number_of(found) for found in extra]
    if numbers[0] is None or numbers[1] is None or numbers[0] < 1 or numbers[1] < 1:
        raise Refusal("INSTR from the end, or by a column, is not translated", "Write a place and a number from 1.")
    sql = f"strangler.instr({inner.padded_text}, {sought.padded_text}, {numbers[0]}, {numbers[1]})"
    return whole_result(sql, inner, "the text is dropped")


def text_term(node: exp.Expression, scope: Scope) -> Term:
    """Translate an operand that must be text."""
    term = scope.term(node)
    if term.type.family != "text":
        raise Refusal(f"a function of text is given a value of type {term.type.base}", "Convert it with a format.")
    return term


def _made(sql: str, inner: Term, reason: str, scope: Scope) -> Term:
    return oracle_text(sql, inner, lost(inner.columns, reason), scope)


def oracle_text(sql: str, inner: Term, way: Way, scope: Scope) -> Term:
    """Oracle has no empty text: a function that leaves nothing gives NULL."""
    if scope.dialect == "oracle" and not sql.startswith(("upper", "lower", "lpad", "rpad")):
        return Term(f"NULLIF({sql}, '')", TEXT, way, True, inner.columns)
    return Term(sql, TEXT, way, inner.nullable, inner.columns)
