"""A view of a legacy schema as PostgreSQL's: its SELECT over tables that are there already, by the mappings' own rules.

What a mapping may not do because its rows are carried one by one, a view may: join. Everything else is translated by
the same table of expressions, behind the same refuse list; what is not known to mean the same has a reason instead.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace

from sqlglot import exp

from cdc.catalogue import Column, Table
from cdc.sql_types import parse_type, quoted, quoted_table
from cdc.translation.inverse import identity
from cdc.translation.parse import select_of
from cdc.translation.refusals import Refusal
from cdc.translation.refuse import refuse
from cdc.translation.terms import Scope, Term, find_column, nearest, nearest_name
from cdc.translation.translate import HANDLERS, condition, translate

Columns = Sequence[tuple[str, str, bool]]
"""Of each column of a table: its name, its type, whether it is NOT NULL."""
_LEFT_OUTER, _BOTH_OUTER = ("LEFT", "FULL"), ("RIGHT", "FULL")
_CHAR = re.compile(r"^char\b")  # the catalogue's name is the long one
_OURS = re.compile(r"\bstrangler\.")


@dataclass(frozen=True)
class _Source:
    """A table of FROM under its alias; its columns may be NULL where an outer join found nothing."""

    table: Table
    alias: str
    is_optional: bool = False


@dataclass(frozen=True)
class _Sources(Scope):
    """What names mean in a view: the columns of several tables."""

    sources: Mapping[str, _Source] = field(default_factory=dict)

    def found(self, node: exp.Column) -> tuple[_Source, Column]:
        """The table and the column that a name stands for."""
        if node.table:
            source = self.sources.get(node.table.lower())
            if source is None:
                raise Refusal(f"{node.table} is no table of the view", nearest_name(node.table, list(self.sources)))
            column = find_column(source.table, node.name)
            if column is None:
                raise Refusal(
                    f"there is no column {node.name} in {source.table.name}", nearest(source.table, node.name)
                )
            return source, column
        found = [(one, column) for one in self.sources.values() if (column := find_column(one.table, node.name))]
        if len(found) != 1:
            problem = f"{node.name} is a column of {'two tables' if found else 'no table'} of the view"
            raise Refusal(problem, "Write the table's alias before it.")
        return found[0]


def translated_view(text: str, dialect: str, names: Sequence[str], tables: Mapping[str, Columns]) -> tuple[str, str]:
    """The SELECT of a view for PostgreSQL, its columns named anew if `names` are given; or the reason why not."""
    try:
        return _view(text, dialect, names, tables), ""
    except Refusal as refusal:
        return "", refusal.problem


def _view(text: str, dialect: str, names: Sequence[str], tables: Mapping[str, Columns]) -> str:
    select, joins = _flat(select_of(text, dialect))
    sources, kinds = _sources(select.args["from_"].this, joins, tables)
    known = frozenset(column.name for source in sources.values() for column in source.table.columns)
    for part in (select, *(join.args["on"] for join in joins if join.args.get("on"))):
        for refusal in refuse(part, dialect, known):
            raise Refusal(refusal.problem.partition(":")[0], "Write it by hand.")
    first = next(iter(sources.values()))
    handlers = {**HANDLERS, exp.Column: _column, exp.EQ: _equal, exp.NEQ: _equal}
    scope = _Sources(first.table, "", dialect, handlers, sources=sources)
    outputs = list(_outputs(select, names, scope))
    relation = f"{quoted_table(first.table.name)} AS {quoted(first.alias)}"
    for kind, join, source in zip(kinds, joins, list(sources.values())[1:], strict=True):
        on = f" ON {condition(join.args['on'], scope).sql}" if kind != "CROSS JOIN" else ""
        relation += f" {kind} {quoted_table(source.table.name)} AS {quoted(source.alias)}{on}"
    where = select.args.get("where")
    tests = f" WHERE {condition(where.this, scope).sql}" if where is not None else ""
    made = f"SELECT {', '.join(outputs)} FROM {relation}{tests}"  # noqa: S608 - quoted
    if _OURS.search(made):
        raise Refusal("it needs the functions of schema strangler, which the stream installs", "Write it by hand.")
    return made


def _flat(select: exp.Select) -> tuple[exp.Select, list[exp.Join]]:
    """The SELECT over its first table, and its joins; MySQL writes parentheses around each join."""
    select = select.copy()
    first, joins = select.args["from_"].this, list(select.args.get("joins") or [])
    while isinstance(first, exp.Subquery) and not first.alias and isinstance(first.this, exp.Subquery | exp.Table):
        joins = [*(first.args.get("joins") or []), *joins]
        first = first.this
    joins = [*(first.args.get("joins") or []), *joins]
    first.set("joins", None)
    select.set("joins", None)
    select.set("from_", exp.From(this=first))
    return select, joins


def _outputs(select: exp.Select, names: Sequence[str], scope: Scope) -> Iterator[str]:
    if names and len(names) != len(select.expressions):
        raise Refusal(f"it names {len(names)} columns and selects {len(select.expressions)}", "Write it by hand.")
    for at, node in enumerate(select.expressions):
        name = names[at] if names else node.alias_or_name.lower()
        if not name:
            raise Refusal(f"column {at + 1} has no name", "Give it one.")
        yield f"{translate(node, scope).sql} AS {quoted(name)}"


def _sources(
    first: exp.Expression, joins: Sequence[exp.Join], tables: Mapping[str, Columns]
) -> tuple[dict[str, _Source], list[str]]:
    """The tables under their aliases, and the kind of each join."""
    found = [_source(first, tables)]
    kinds = []
    for join in joins:
        side, kind = join.side, join.kind
        is_crossed = kind == "CROSS" or (not side and not kind and join.args.get("on") is None)
        if join.args.get("using") or join.args.get("method") or kind in ("SEMI", "ANTI"):
            raise Refusal("a join with USING or NATURAL is not translated", "Write ON.")
        if not is_crossed and join.args.get("on") is None:
            raise Refusal("a join has no ON", "Write ON.")
        if side in _BOTH_OUTER:
            found = [replace(one, is_optional=True) for one in found]
        found.append(_source(join.this, tables, is_optional=side in _LEFT_OUTER))
        kinds.append("CROSS JOIN" if is_crossed else f"{side} JOIN".strip())
    by_alias = {one.alias: one for one in found}
    if len(by_alias) != len(found):
        raise Refusal("two of its tables have one name", "Give each an alias of its own.")
    return by_alias, kinds


def _source(node: exp.Expression, tables: Mapping[str, Columns], *, is_optional: bool = False) -> _Source:
    if not isinstance(node, exp.Table) or not isinstance(node.this, exp.Identifier) or node.args.get("joins"):
        raise Refusal("a sub-query or a function in FROM is not translated", "Write it by hand.")
    name = node.name.lower()
    if name not in tables:
        raise Refusal(f"it reads {name}, which is no table that was translated", "Write it by hand.")
    columns = tuple(Column(column, _CHAR.sub("character", kind), is_given) for column, kind, is_given in tables[name])
    return _Source(Table(name, columns), node.alias_or_name.lower(), is_optional)


def _column(node: exp.Expression, scope: Scope) -> Term:
    assert isinstance(node, exp.Column)  # noqa: S101 - the table of handlers says so
    assert isinstance(scope, _Sources)  # noqa: S101 - it is made here
    source, column = scope.found(node)
    sql = f"{quoted(source.alias)}.{quoted(column.name)}"
    is_null = source.is_optional or not column.not_null
    return Term(sql, parse_type(column.type), identity(column.name), is_null, (sql,))


def _equal(node: exp.Expression, scope: Scope) -> Term:
    """= and <>, where a flag that was 0 and 1 has become a boolean."""
    for side, other in ((node.this, node.expression), (node.expression, node.this)):
        is_one = isinstance(side, exp.Literal) and not side.is_string and side.name in ("0", "1")
        if is_one and scope.term(other).type.family == "boolean":
            node = type(node)(this=other.copy(), expression=exp.Boolean(this=side.name == "1"))
            break
    return HANDLERS[type(node)](node, scope)
