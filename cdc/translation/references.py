"""Tables declared `reference: true`, and the joins of a mapping that look rows of them up by their key.

A reference is a small table that is carried column by column like any other of the capability. So its rows are in both
databases, at the same position of the stream as all the rest, and a statement finds them wherever it runs.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from collections.abc import Mapping as ReadOnly
from dataclasses import dataclass
from pathlib import Path

from sqlglot import exp

from cdc.catalogue import Catalogue, Column, Table
from cdc.mapping import Join, LookedUp
from cdc.sql_types import parse_type, quoted, quoted_table
from cdc.translation.parse import ParsedMapping, is_reference, parse_mapping
from cdc.translation.refusals import Refusal
from cdc.translation.refuse import place_of
from cdc.translation.terms import find_column, nearest

ROWS_MAX = 10_000
"""So many rows may be in a reference: each of them is looked up again and again, and may change many rows."""


@dataclass(frozen=True)
class Reference:
    """A table of the source that may be looked up; `names` gives the column in `target` of each that is carried."""

    table: Table
    target: str
    names: ReadOnly[str, str]


@dataclass(frozen=True)
class Lookup:
    """One join. `pairs` are a column of the mapping's source and the column of the reference's key that equals it.

    `is_staged` if the statement runs in the target's database.
    """

    reference: Reference
    pairs: tuple[tuple[Column, Column], ...]
    is_enforced: bool
    is_staged: bool

    def sql(self, wanted: str, by: Sequence[tuple[str, str]]) -> str:
        """The value of a column where other columns have the values of some SQL; NULL where there is no such row.

        The reference's columns get names that no table has: what stands in `by` is over columns of another table.
        """
        outputs = [f'{self._named(wanted)} AS "strangler value"']
        outputs += [f'{self._named(name)} AS "strangler key {at}"' for at, (name, _) in enumerate(by)]
        tests = " AND ".join(f'r."strangler key {at}" = {value}' for at, (_, value) in enumerate(by))
        rows = f"SELECT {', '.join(outputs)} FROM {self._relation}"  # noqa: S608 - quoted
        return f'(SELECT r."strangler value" FROM ({rows}) AS r WHERE {tests})'  # noqa: S608 - quoted

    def join(self, alias: str, wanted: Sequence[str]) -> Join:
        """The lookup of some columns by the columns of the source, as a join."""
        own = [(key.name, quoted(column.name)) for column, key in self.pairs]
        name = quoted(f"strangler {alias}")
        keys = [quoted(f"strangler {alias} key {at}") for at in range(len(own))]
        columns = {column: quoted(f"strangler {alias} value {at}") for at, column in enumerate(wanted)}
        outputs = [f"{self._named(column)} AS {key}" for key, (column, _) in zip(keys, own, strict=True)]
        outputs += [f"{self._named(column)} AS {value}" for column, value in columns.items()]
        tests = " AND ".join(f"{name}.{key} = {value}" for key, (_, value) in zip(keys, own, strict=True))
        rows = f"SELECT {', '.join(outputs)} FROM {self._relation}"  # noqa: S608 - quoted
        values = tuple((self.sql(column, own), value) for column, value in columns.items())
        return Join(f"LEFT JOIN ({rows}) AS {name} ON {tests}", values)

    @property
    def _relation(self) -> str:
        return quoted_table(self.reference.target if self.is_staged else self.reference.table.name)

    def _named(self, column: str) -> str:
        return quoted(self.reference.names[column] if self.is_staged else column)

    @property
    def looked_up(self) -> LookedUp:
        """The same as plain data."""
        own, keys = zip(*((one.name, other.name) for one, other in self.pairs), strict=True)
        return LookedUp(self.reference.table.name, own, keys, self.is_enforced)


def references_beside(file: Path, source: Catalogue) -> dict[str, Reference]:
    """The references that other files of the folder declare, by their table; files that are refused are left out."""
    found: dict[str, Reference] = {}
    for other in sorted(file.parent.glob("*.sql")):
        try:
            text = other.read_text(encoding="utf-8")
            if other == file or not is_reference(text):
                continue
            parsed = parse_mapping(other, text)
            table = source.table(table_name(parsed.source, source))
        except (Refusal, UnicodeDecodeError):
            continue
        if table is not None:
            found[table.name] = Reference(table, parsed.target, dict(_names(parsed, table)))
    return found


def _names(parsed: ParsedMapping, table: Table) -> Iterator[tuple[str, str]]:
    for node in parsed.select.expressions:
        column = find_column(table, node.unalias().name) if isinstance(node.unalias(), exp.Column) else None
        if column is not None:
            yield column.name, node.alias_or_name.lower()


def table_name(table: exp.Table, source: Catalogue) -> str:
    """The name of a table of a statement as the catalogue has it."""
    schema = table.db
    name = f"{schema}.{table.name}" if schema and schema.lower() not in ("public", "dbo") else table.name
    return name if source.table(name) else name.lower()


def without_lookups(select: exp.Select, source: Catalogue, references: ReadOnly[str, Reference]) -> exp.Select:
    """The statement without its joins of references; the joins of other tables are left for the refuse list."""
    joins = select.args.get("joins") or []
    if not joins or not all(_referenced(join, source, references) for join in joins):
        return select
    plain = select.copy()
    plain.set("joins", None)
    return plain


def _referenced(join: exp.Join, source: Catalogue, references: ReadOnly[str, Reference]) -> Reference | None:
    table = join.this
    if not isinstance(table, exp.Table) or not isinstance(table.this, exp.Identifier):
        return None
    return references.get(table_name(table, source))


def lookups_of(
    parsed: ParsedMapping, table: Table, source: Catalogue, references: ReadOnly[str, Reference], *, is_staged: bool
) -> dict[str, Lookup]:
    """The lookups of a statement by their alias in lower case. Raises Refusal."""
    found: dict[str, Lookup] = {}
    own = (parsed.source.alias or parsed.source.name).lower()
    for join in parsed.select.args.get("joins") or []:
        reference = _referenced(join, source, references)
        if reference is None:
            continue
        alias = join.this.alias_or_name.lower()
        if alias == own or alias in found:
            raise Refusal(f"{alias} stands for two tables", "Give each table an alias of its own.", place_of(join))
        try:
            found[alias] = _lookup(join, alias, table, reference, is_staged=is_staged)
        except Refusal as refusal:
            problem = f"the lookup in {reference.table.name}: {refusal.problem}"
            raise Refusal(problem, refusal.remedy, place_of(join)) from refusal
    return found


def _lookup(join: exp.Join, alias: str, table: Table, reference: Reference, *, is_staged: bool) -> Lookup:
    is_left = join.side == "LEFT"
    if (join.side and not is_left) or join.kind in ("CROSS", "SEMI", "ANTI") or join.args.get("method"):
        raise Refusal("only LEFT JOIN and JOIN are translated", "Write LEFT JOIN ... ON ...")
    condition = join.args.get("on")
    if condition is None:
        raise Refusal("the join has no ON", f"Write ON {alias}.KEY = the column of {table.name}.")
    pairs = tuple(_pair(part, alias, table, reference) for part in _conjuncts(condition))
    keys = {other.name for _, other in pairs}
    unique = {frozenset(names) for names in (reference.table.primary_key, *reference.table.unique_keys) if names}
    if len(keys) != len(pairs) or frozenset(keys) not in unique:
        raise Refusal(
            f"({', '.join(sorted(keys))}) is not the primary key or a unique key, so that two rows could be found",
            f"Compare the whole key: ({', '.join(reference.table.primary_key)}).",
        )
    lookup = Lookup(reference, pairs, _is_enforced(table, reference.table, pairs), is_staged)
    if not is_left and not (lookup.is_enforced and all(own.not_null for own, _ in pairs)):
        raise Refusal(
            "a row without its code would be left out, and would have to appear when the code does",
            "Write LEFT JOIN, or make the column NOT NULL with a validated foreign key that is not deferrable.",
        )
    return lookup


def _pair(part: exp.Expr, alias: str, table: Table, reference: Reference) -> tuple[Column, Column]:
    sides = (part.this, part.expression) if isinstance(part, exp.EQ) else ()
    if not all(isinstance(side, exp.Column) for side in sides) or len(sides) != 2:
        raise Refusal("ON compares with something else than columns for equality", f"Write ON {alias}.KEY = a column.")
    theirs = [side for side in sides if side.table.lower() == alias]
    ours = [side for side in sides if side.table.lower() != alias]
    if len(theirs) != 1:
        raise Refusal(
            f"ON does not compare a column of {alias} with one of {table.name}", "Name both with their alias."
        )
    key, own = find_column(reference.table, theirs[0].name), find_column(table, ours[0].name)
    if key is None or key.name not in reference.names:
        raise Refusal(f"{theirs[0].name} is not carried with it", nearest(reference.table, theirs[0].name))
    if own is None:
        raise Refusal(f"there is no column {ours[0].name} in {table.name}", nearest(table, ours[0].name))
    kinds = parse_type(own.type), parse_type(key.type)
    if kinds[0].base != kinds[1].base:
        raise Refusal(f"{own.name} is {own.type} and {key.name} is {key.type}", "Compare columns of the same type.")
    return own, key


def _conjuncts(condition: exp.Expr) -> Iterator[exp.Expr]:
    node = condition.unnest()
    if isinstance(node, exp.And):
        yield from _conjuncts(node.this)
        yield from _conjuncts(node.expression)
    else:
        yield node


def _is_enforced(table: Table, reference: Table, pairs: Sequence[tuple[Column, Column]]) -> bool:
    """Whether a foreign key promises the row. With NULL in a part of a longer key it would promise nothing."""
    if len(pairs) > 1 and not all(own.not_null for own, _ in pairs):
        return False
    wanted = {(own.name, other.name) for own, other in pairs}
    return any(
        key.is_enforced
        and key.references == reference.name
        and set(zip(key.columns, key.referenced_columns, strict=True)) == wanted
        for key in table.foreign_keys
    )
