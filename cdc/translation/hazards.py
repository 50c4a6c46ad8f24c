"""What can go wrong with a row in a mapping's expression, as SQL conditions over the source, each with its remedy.

Pure. One pass over the syntax tree, inner expressions first, so that a condition may use what the ones before it have
made sure of. What stands in a branch of a CASE only counts where the branch is taken.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

from sqlglot import exp

from cdc.catalogue import Table
from cdc.sql_types import parse_type, quoted
from cdc.translation.draft import Output
from cdc.translation.fit import conditions
from cdc.translation.inverse import all_of
from cdc.translation.refusals import Refusal
from cdc.translation.terms import Scope, Term


@dataclass(frozen=True)
class Hazard:
    """One way in which a value is lost or the statement fails: its name, the rows that have it, what to write."""

    kind: str
    condition: str
    remedy: str


_BLANK = "strangler.blank_to_null(column)"
_READS = {
    "parse_date": ("is_date", "no date of this format", "strangler.date_or_null, or CASE for the values that are none"),
    "parse_timestamp": ("is_timestamp", "no timestamp of this format", "CASE for the values that are none"),
    "parse_number": ("is_number", "no number", f"{_BLANK} inside of it, or CASE for the values that are none"),
}
_LIBRARY = {
    "packed": ("is_packed", 1, "no packed decimal", "look at the code page and the length of the column"),
    "zoned": ("is_zoned", 1, "no zoned decimal", "look at the code page and the length of the column"),
    "short_date": ("is_short_date", 1, "no date with a two-digit year", "CASE for the values that are none"),
}
# By what a condition of cdc/translation/fit.py looks at.
_FITS = (
    ("= round(", "would be rounded", "a column with more digits after the point, or ROUND to say that it is meant"),
    ("abs(", "is too large for the column", "a column with more digits"),
    ("length(", "is too long for the column", "a longer column, or SUBSTR to say that it is meant"),
    ("rtrim(", "ends in blanks that CHAR does not keep", "RTRIM, or a column of text"),
    ("CAST(", "has a finer time than the column", "a column with more digits of a second"),
)


def hazards(output: Output, scope: Scope) -> tuple[Hazard, ...]:
    """Everything that can go wrong with the rows of one output, in the order in which it must be asked."""
    if output.residue_of:  # it has what its column has
        return ()
    found = [*_of_lookups(output, scope), *_of(output.node, scope), *_of_fit(output, scope)]
    found += _of_texts(output.term.columns, scope.table)
    asked = {hazard.condition.removeprefix("NOT ") for hazard in found}
    guard = all_of([one for one in getattr(output.term.way, "guards", ()) if not _is_asked(one, asked)])
    if guard:
        remedy = "correct the rows, or add what the column drops as a column of its own"
        found.append(Hazard("cannot come back: the guard is violated", f"({guard}) IS NOT TRUE", remedy))
    return tuple(dict.fromkeys(found))


def _is_asked(guard: str, asked: set[str]) -> bool:
    """Whether a guard only says again that none of the hazards before it holds: asking twice would cost twice."""
    inner = guard.removeprefix("(").removesuffix(") IS NOT FALSE")
    return bool({guard, f"({guard})", inner} & asked)


def _of_lookups(output: Output, scope: Scope) -> Iterator[Hazard]:
    """A code that its reference does not have; none where a foreign key promises it."""
    used = {column.table.lower() for column in output.node.find_all(exp.Column)}
    for lookup in (one for alias, one in scope.lookups.items() if alias in used and not one.is_enforced):
        own = [(key.name, quoted(column.name)) for column, key in lookup.pairs]
        is_given = " AND ".join(f"{sql} IS NOT NULL" for _, sql in own)
        table = lookup.reference.table.name
        condition = f"{is_given} AND {lookup.sql(own[0][0], own)} IS NULL"
        yield Hazard(f"finds no row in {table}", condition, f"rows of {table} for these codes, or a foreign key")


def _of(node: exp.Expression, scope: Scope) -> Iterator[Hazard]:
    if isinstance(node, exp.Case | exp.If):
        yield from _of_case(node, scope)
        return
    for child in node.iter_expressions():
        yield from _of(child, scope)
    if isinstance(node, exp.DecodeCase):
        yield from _of_decode(node, scope)
        return
    try:
        term = scope.term(node)
    except Refusal:  # a part that means nothing by itself, such as a format
        return
    yield from _of_read(term)
    if isinstance(node, exp.Cast):
        yield from _of_cast(node, term, scope)


def _of_read(term: Term) -> Iterator[Hazard]:
    """The functions that read text fail on what they cannot read."""
    function, _, rest = term.sql.removeprefix("strangler.").partition("(")
    if not term.sql.startswith("strangler.") or not rest:
        return
    if function in _READS:
        test, kind, remedy = _READS[function]
        yield Hazard(kind, f"NOT strangler.{test}({rest}", remedy)
    elif function in _LIBRARY:
        test, constants, kind, remedy = _LIBRARY[function]
        dropped = rest.rstrip(")").rsplit(", ", 2 - constants)[0]
        yield Hazard(kind, f"NOT strangler.{test}({dropped})", remedy)
    elif function == "date_or_null":
        value = rest.rsplit(", ", 1)[0]
        test = f"NOT (strangler.is_empty_date({value}) OR strangler.is_date({rest})"
        yield Hazard("no date of this format", test, "CASE for the values that are none")


def _of_cast(node: exp.Cast, term: Term, scope: Scope) -> Iterator[Hazard]:
    inner = scope.term(node.this)
    if inner.type.family == "text" and term.type.family == "number":
        test, kind, remedy = _READS["parse_number"]
        yield Hazard(kind, f"NOT strangler.{test}({inner.sql})", remedy)
        return
    if inner.type.family == term.type.family and inner.type.family in ("number", "text"):
        yield from _fitting(inner, term.type)


def _fitting(term: Term, kind: object) -> Iterator[Hazard]:
    for test in conditions(term, kind):  # type: ignore[arg-type]  # a SqlType; the caller has one
        name, remedy = next((name, remedy) for mark, name, remedy in _FITS if mark in test)
        yield Hazard(name, f"NOT ({test})", remedy)


def _of_fit(output: Output, scope: Scope) -> Iterator[Hazard]:
    """What the target's column does to the value."""
    term = scope.term(output.node)
    yield from _fitting(term, parse_type(output.column.type))
    if output.column.not_null and term.nullable:
        yield Hazard("NULL in a NOT NULL column", f"({term.sql}) IS NULL", "NVL or COALESCE with a value")


Branch = tuple[str, exp.Expression]


def _of_case(node: exp.Case | exp.If, scope: Scope) -> Iterator[Hazard]:
    branches = [node] if isinstance(node, exp.If) else node.args["ifs"]
    operand = scope.term(node.this).sql if isinstance(node, exp.Case) and node.this is not None else ""
    if operand and node.this is not None:
        yield from _of(node.this, scope)
    tests = []
    for branch in branches:
        test = scope.term(branch.this).sql
        tests.append(f"{operand} = {test}" if operand else test)
        yield from _under(tests, _of(branch.args["true"], scope))
    last = node.args.get("false") if isinstance(node, exp.If) else node.args.get("default")
    if last is not None:
        yield from _under([*tests, "true"], _of(last, scope))
    yield _fallen(tests, last is not None and not isinstance(last, exp.Null))


def _of_decode(node: exp.DecodeCase, scope: Scope) -> Iterator[Hazard]:
    operand, *rest = (scope.term(found) for found in node.expressions)
    keys = rest[0 : len(rest) - 1 : 2] if len(rest) % 2 else rest[0::2]
    tests = [f"{operand.sql} IS NULL" if key.sql == "NULL" else f"{operand.sql} = {key.sql}" for key in keys]
    yield _fallen(tests, bool(len(rest) % 2))


def _fallen(tests: list[str], has_else: bool) -> Hazard:
    kind = "fell through to ELSE" if has_else else "matches no branch and becomes NULL"
    condition = " OR ".join(f"({test})" for test in tests)
    return Hazard(kind, f"({condition}) IS NOT TRUE", "a branch for each value that occurs")


def _under(tests: list[str], found: Iterator[Hazard]) -> Iterator[Hazard]:
    """Hazards of a branch: where its own test is the first that holds."""
    *before, own = tests
    for hazard in found:
        earlier = "".join(f"WHEN {test} THEN false " for test in before)
        yield Hazard(hazard.kind, f"CASE {earlier}WHEN {own} THEN {hazard.condition} END", hazard.remedy)


# As PostgreSQL's Unicode literals: C1 controls, the replacement character, UTF-8 read as Latin-1; C0 controls.
_STRAY = r"U&'[\0080-\009f\fffd]|\00c3[\0080-\00bf]'"
_CONTROL = r"U&'[\0001-\0008\000b\000c\000e-\001f\007f]'"
_CHECKS: dict[str, tuple[tuple[str, Callable[[str], str], str], ...]] = {
    "text": (
        ("holds control characters", lambda c: f"{c} ~ {_CONTROL}", "TRANSLATE them away"),
        (
            "looks like another code page",
            lambda c: f"CASE WHEN octet_length({c}) > length({c}) THEN {c} ~ {_STRAY} END",
            "correct the text at its source",
        ),
    ),
    "bytes": (
        ("holds NUL bytes, which text cannot", lambda c: f"position('\\x00'::bytea IN {c}) > 0", "cut them off first"),
    ),
}


def _of_texts(columns: tuple[str, ...], table: Table) -> Iterator[Hazard]:
    for name in columns:
        column = table.column(name)
        kind = parse_type(column.type) if column else None
        group = "text" if kind and kind.family == "text" else "bytes" if kind and kind.base == "bytea" else ""
        for what, condition, remedy in _CHECKS.get(group, ()):
            yield Hazard(f"{name} {what}", condition(quoted(name)), remedy)
