"""Columns of reference tables: found by their key, and undone by the same table where their values are unique."""

from __future__ import annotations

from collections.abc import Iterable

from sqlglot import exp

from cdc.catalogue import Column
from cdc.mapping import Join
from cdc.sql_types import parse_type, quoted
from cdc.translation.inverse import Lens, NoWay, Way
from cdc.translation.references import Lookup
from cdc.translation.refusals import Refusal
from cdc.translation.terms import Scope, Term, column_term, find_column, nearest


def column(node: exp.Expression, scope: Scope) -> Term:
    """A column of the source, or of a reference."""
    assert isinstance(node, exp.Column)  # noqa: S101 - the table of handlers says so
    lookup = scope.lookups.get(node.table.lower())
    if lookup is None:
        _refuse_unclear(node, scope)
        return column_term(node, scope)
    return _found(node, lookup, scope)


def reads_lookup(node: exp.Expression, scope: Scope) -> tuple[str, ...]:
    """The columns of references that an expression reads, as "table.column"."""
    found = []
    for part in node.find_all(exp.Column):
        lookup = scope.lookups.get(part.table.lower())
        wanted = find_column(lookup.reference.table, part.name) if lookup else None
        if lookup and wanted:
            found.append(f"{lookup.reference.table.name}.{wanted.name}")
    return tuple(dict.fromkeys(found))


def joins_of(nodes: Iterable[exp.Expression], scope: Scope) -> tuple[Join, ...]:
    """The lookups that some expressions read, as joins."""
    wanted: dict[str, dict[str, None]] = {}
    for part in (column for node in nodes for column in node.find_all(exp.Column)):
        alias = part.table.lower()
        column = find_column(scope.lookups[alias].reference.table, part.name) if alias in scope.lookups else None
        if column is not None:
            wanted.setdefault(alias, {})[column.name] = None
    return tuple(scope.lookups[alias].join(alias, list(columns)) for alias, columns in wanted.items())


def _refuse_unclear(node: exp.Column, scope: Scope) -> None:
    if node.table:
        return
    for alias, lookup in scope.lookups.items():
        if find_column(lookup.reference.table, node.name):
            raise Refusal(
                f"{node.name} is a column of {lookup.reference.table.name}, too",
                f"Write {alias}.{node.name}, or the alias of {scope.table.name} before it.",
            )


def _found(node: exp.Column, lookup: Lookup, scope: Scope) -> Term:
    reference = lookup.reference
    wanted = find_column(reference.table, node.name)
    if wanted is None:
        raise Refusal(f"there is no column {node.name} in {reference.table.name}", nearest(reference.table, node.name))
    if wanted.name not in reference.names:
        raise Refusal(
            f"{wanted.name} of {reference.table.name} is not carried with the stream",
            f"Add it to the SELECT of the mapping of {reference.table.name}.",
        )
    given = [(key.name, scope.stand_ins.get(own.name, quoted(own.name))) for own, key in lookup.pairs]
    sql = lookup.sql(wanted.name, given)
    is_null = not lookup.is_enforced or not wanted.not_null or any(not own.not_null for own, _ in lookup.pairs)
    columns = tuple(own.name for own, _ in lookup.pairs)
    return Term(sql, parse_type(wanted.type), _way(lookup, wanted, given[0][1], sql), is_null, columns)


def _way(lookup: Lookup, wanted: Column, own: str, sql: str) -> Way:
    """The lookup back, where a value is of one row only."""
    reference, (first, *more) = lookup.reference.table, lookup.pairs
    if more:
        return NoWay("opaque", f"it mixes {', '.join(one.name for one, _ in lookup.pairs)}")
    if not wanted.not_null or not any(key == (wanted.name,) for key in (reference.primary_key, *reference.unique_keys)):
        return NoWay("lossy", f"{wanted.name} is not unique in {reference.name}, or may be NULL")
    source, key = first

    def back(value: str) -> str:
        return lookup.sql(key.name, [(wanted.name, value)])

    return Lens(
        source.name,
        undo=back,
        undo_type=lambda _: parse_type(source.type),
        guards=() if lookup.is_enforced else (f"({own} IS NULL OR {sql} IS NOT NULL)",),
        back_guards=lambda value: (f"({value} IS NULL OR {back(value)} IS NOT NULL)",),
    )
