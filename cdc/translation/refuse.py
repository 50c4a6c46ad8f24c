"""The refuse list: constructs that translate into something else without an error, each with reason and remedy.

Translation itself accepts only what it knows (`translate.py`); this list comes first, so that the constructs that
people do write get a sentence of their own. Facts: sqlglot 30.30, one line of the list per measured behaviour.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

from sqlglot import exp

from cdc.translation.refusals import NOWHERE, Place, Refusal

_ONE_TABLE = "A mapping reads one table, row by row; make a file of its own for each table."
_LOOKUP = (
    "Make a file of its own for each table. One with the line '-- reference: true', for a small code table, may be "
    "looked up in other files: LEFT JOIN ... ON by its key."
)
_CONSTANT = "Map a column of the table instead: the same row must give the same result at any time."


@dataclass(frozen=True)
class Rule:
    """One construct: how it is recognised in the syntax tree, why it is refused, what to write instead."""

    name: str
    finds: Callable[[exp.Expression], bool]
    reason: str
    remedy: str

    def place(self, node: exp.Expression) -> Place:
        """Where the construct begins: a join, and not the SELECT that has it."""
        part = self.finds.part(node) if isinstance(self.finds, _Has) else None
        place = place_of(part) if part is not None else NOWHERE
        return place if place.line else place_of(node)


@dataclass(frozen=True)
class _Has:
    """A statement or a table with one of some parts."""

    kind: type[exp.Expression]
    arguments: tuple[str, ...]

    def __call__(self, node: exp.Expression) -> bool:
        return isinstance(node, self.kind) and self.part(node) is not None

    def part(self, node: exp.Expression) -> exp.Expression | None:
        found = next((part for name in self.arguments if (part := node.args.get(name))), None)
        part = found[0] if isinstance(found, list) else found
        return part if isinstance(part, exp.Expression) or part is None else node


def _has(*arguments: str) -> _Has:
    return _Has(exp.Select, arguments)


def _table_has(*arguments: str) -> _Has:
    return _Has(exp.Table, arguments)


def _is(*kinds: type[exp.Expr]) -> Callable[[exp.Expression], bool]:
    return lambda node: isinstance(node, kinds)


def _calls(*names: str) -> Callable[[exp.Expression], bool]:
    return lambda node: isinstance(node, exp.Anonymous) and node.name.upper() in names


def _names(*names: str) -> Callable[[exp.Expression], bool]:
    return lambda node: isinstance(node, exp.Column) and node.name.upper() in names and not node.this.quoted


def _limited(option: str) -> Callable[[exp.Expression], bool]:
    def finds(node: exp.Expression) -> bool:
        options = node.args.get("limit_options") if isinstance(node, exp.Limit | exp.Fetch) else None
        return bool(options and options.args.get(option))

    return finds


def _empty_text(node: exp.Expression) -> bool:
    return isinstance(node, exp.EQ | exp.NEQ | exp.In) and any(
        isinstance(side, exp.Literal) and side.is_string and not side.name
        for side in (*node.expressions, node.args.get("expression"), node.this)
    )


def _option(word: str) -> Callable[[exp.Expression], bool]:
    return lambda node: isinstance(node, exp.QueryOption) and word in node.name.upper()


_GENERAL = (
    Rule("PIVOT", _table_has("pivots"), "it would be dropped in translation", _ONE_TABLE),
    Rule(
        "(+)",
        lambda n: isinstance(n, exp.Column) and bool(n.args.get("join_mark")),
        "the outer join would become an inner join",
        _LOOKUP,
    ),
    Rule("a join", _has("joins", "laterals"), "a change of the other table would not reach the target", _LOOKUP),
    Rule("CONNECT BY", _has("connect"), "PostgreSQL does not have it", _ONE_TABLE),
    Rule(
        "KEEP (DENSE_RANK)",
        lambda n: isinstance(n, exp.Window) and "DENSE_RANK" in str(n.args.get("alias")),
        "PostgreSQL does not have it",
        _ONE_TABLE,
    ),
    Rule("a window function", _is(exp.Window), "it needs other rows", _ONE_TABLE),
    Rule("an aggregate", _is(exp.AggFunc), "it needs other rows", _ONE_TABLE),
    Rule(
        "GROUP BY, HAVING or DISTINCT",
        _has("group", "having", "distinct", "qualify"),
        "one row of the source must be one row of the target",
        _ONE_TABLE,
    ),
    Rule("TOP n PERCENT", _limited("percent"), "PostgreSQL does not have it", "Filter rows with WHERE."),
    Rule("WITH TIES", _limited("with_ties"), "PostgreSQL reads it in another way", "Filter rows with WHERE."),
    Rule(
        "ORDER BY, LIMIT, TOP or OFFSET",
        _has("order", "limit", "offset", "sort"),
        "which rows are mapped must not depend on other rows",
        "Filter rows with WHERE.",
    ),
    Rule("WITH (a common table expression)", _has("with_"), "a mapping is one SELECT over one table", _ONE_TABLE),
    Rule(
        "a sub-query",
        lambda n: isinstance(n, exp.Subquery | exp.Exists) or (isinstance(n, exp.Select) and n.parent is not None),
        "a change of its rows would not reach the target",
        _LOOKUP,
    ),
    Rule("FOR XML or FOR JSON", _has("for_"), "it would be dropped in translation", "Map the columns one by one."),
    Rule("WITH CHECK OPTION", _option("CHECK OPTION"), "it would be dropped in translation", "Leave it out."),
    Rule("FOR UPDATE", _has("locks"), "a mapping only reads", "Leave it out."),
    Rule(
        "a hint or an option",
        lambda n: _has("hint", "options")(n) or _table_has("hints")(n),
        "it means nothing here",
        "Leave it out.",
    ),
    Rule(
        "a sample, a partition or a version of a table",
        _table_has("sample", "partition", "version", "when"),
        "a change outside of it would reach the target all the same",
        "Filter rows with WHERE.",
    ),
    Rule(
        "a database link",
        lambda n: isinstance(n, exp.Table) and "@" in n.name,
        "the table is not in this database",
        "Name a table of the source database.",
    ),
    Rule(
        "DUAL",
        lambda n: isinstance(n, exp.Table) and n.name.upper() == "DUAL",
        "it has no rows that change",
        "Name a table of the source database.",
    ),
    Rule(
        "TABLE(function)",
        lambda n: isinstance(n, exp.Table) and not isinstance(n.this, exp.Identifier),
        "it is not a table of the source",
        "Name a table of the source database.",
    ),
    Rule(
        "SELECT *",
        lambda n: isinstance(n, exp.Star),
        "a new column would change the mapping unseen",
        "Name the columns.",
    ),
    Rule(
        "a parameter",
        _is(exp.Placeholder, exp.Parameter, exp.SessionParameter),
        "a mapping has no parameters",
        "Write the value.",
    ),
    Rule(
        "TRY_CAST",
        _is(exp.TryCast),
        "it would become a plain CAST that fails on the values TRY_CAST leaves out",
        "Use CASE with the values that occur, or TO_NUMBER or TO_DATE with a format.",
    ),
    Rule(
        "the current time",
        _is(exp.CurrentTimestamp, exp.CurrentDate, exp.CurrentTime, exp.Systimestamp, exp.CurrentDatetime),
        "it differs at every run",
        _CONSTANT,
    ),
    Rule(
        "the current time",
        _calls("NOW", "SYSDATE", "GETUTCDATE", "SYSDATETIME", "LOCALTIMESTAMP"),
        "it differs at every run",
        _CONSTANT,
    ),
    Rule(
        "a random value",
        lambda n: isinstance(n, exp.Rand | exp.Uuid) or _calls("SYS_GUID", "NEWSEQUENTIALID")(n),
        "it differs at every run",
        _CONSTANT,
    ),
    Rule(
        "the current user",
        lambda n: isinstance(n, exp.CurrentUser) or _calls("USER", "SESSION_USER")(n),
        "it differs between sessions",
        _CONSTANT,
    ),
    Rule("MONTHS_BETWEEN", _is(exp.MonthsBetween), "PostgreSQL does not have it", "Map both columns."),
    Rule(
        "a timestamp literal",
        lambda n: (
            isinstance(n, exp.StrToTime | exp.Cast)
            and isinstance(n.this, exp.Literal)
            and n.this.is_string
            and not isinstance(n.parent, exp.Cast)
        ),
        "it would take the session's time zone",
        "Compare with a column, or with text in the column's own format.",
    ),
)

_ORACLE = (
    Rule("ROWNUM", _names("ROWNUM", "ROWID", "LEVEL"), "PostgreSQL does not have it", "Filter rows with WHERE."),
    Rule("a sequence", _names("NEXTVAL", "CURRVAL"), "it differs at every run", _CONSTANT),
    Rule(
        "a comparison with ''",
        _empty_text,
        "Oracle reads '' as NULL, PostgreSQL as a text of no characters",
        "Write IS NULL or IS NOT NULL.",
    ),
)

_OF_DIALECT = {"oracle": _ORACLE}


def refuse(select: exp.Expr, dialect: str, known: frozenset[str]) -> Iterator[Refusal]:
    """Every construct of the list that the statement has; `known` are the source's columns, in lower case."""
    for node in select.walk():
        is_column = isinstance(node, exp.Column) and not node.table and node.name.lower() in known
        if is_column and not node.args.get("join_mark"):
            continue
        for rule in (*_OF_DIALECT.get(dialect, ()), *_GENERAL):
            if rule.finds(node):
                yield Refusal(f"{rule.name} is not translated: {rule.reason}.", rule.remedy, rule.place(node))
                break


def place_of(node: exp.Expr) -> Place:
    """Where an expression begins: its first word that remembers its place."""
    words = [part.meta for part in node.walk() if "line" in part.meta]
    if not words:
        return NOWHERE
    first = min(words, key=lambda word: (word["line"], word["col"]))
    if "start" not in first:
        return Place(int(first["line"]))
    return Place(int(first["line"]), int(first["col"]) - int(first["end"]) + int(first["start"]))
