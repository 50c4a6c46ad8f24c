"""The model as PostgreSQL statements, in the order in which they can be run, each with the object it belongs to."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from migrations.importing.expressions import literal
from migrations.importing.model import Column, Constraint, Index, Object, Table, folded, quoted
from migrations.importing.reader import Schema

_SUFFIX = {"primary": "pk", "unique": "uk", "check": "ck", "foreign": "fk"}


@dataclass(frozen=True)
class Step:
    """One statement and the object that it makes."""

    object: Object
    sql: str


class Names:
    """Names of relations: in PostgreSQL tables, indexes and sequences of a schema share one list."""

    def __init__(self) -> None:
        self._taken: set[str] = set()

    def take(self, wanted: str, found: Object) -> str:
        """The name, or one that is free; the change is a finding."""
        name, number = wanted, 1
        while name in self._taken:
            number += 1
            name = folded(f"{wanted}_{number}")
        self._taken.add(name)
        if name != wanted:
            found.note("name", f"{wanted} is taken already: it is called {name} now")
        return name


def emit(schema: Schema) -> Iterator[Step]:
    """Sequences, tables with their keys and checks, indexes, references, comments. Fills the objects' `sql`."""
    names = Names()
    for name in schema.tables:
        names.take(name, schema.of_table[name])
    for sequence in schema.sequences.values():
        found = schema.of_sequence[sequence.name]
        name = names.take(sequence.name, found)
        yield _step(found, f"CREATE SEQUENCE public.{quoted(name)} {sequence.options}".rstrip())
    for table in schema.tables.values():
        yield _step(schema.of_table[table.name], _table(table, schema.of_table[table.name], names))
    for index, found in schema.indexes:
        found.name = names.take(index.name or folded(f"{index.table}_{len(index.keys)}_idx"), found)
        if index.table in schema.tables:
            yield _step(found, _index(index, found.name))
    yield from _references(schema)
    for table in schema.tables.values():
        for statement in _comments(table):
            yield _step(schema.of_table[table.name], statement)


def _step(found: Object, statement: str) -> Step:
    found.sql = f"{found.sql};\n{statement}" if found.sql else statement
    return Step(found, statement)


def _table(table: Table, found: Object, names: Names) -> str:
    items = [_column(column) for column in table.columns]
    counts: dict[str, int] = {}
    for constraint in table.constraints:
        if constraint.kind == "foreign":
            continue
        if not constraint.is_enabled:
            found.note("constraint", f"{constraint.name or constraint.kind} is disabled in legacy and was left out")
            continue
        counts[constraint.kind] = counts.get(constraint.kind, 0) + 1
        name = _name(constraint, table, counts[constraint.kind])
        if constraint.kind != "check":
            name = names.take(name, found)
        items.append(f"CONSTRAINT {quoted(name)} {_constraint(constraint)}")
    if not any(constraint.kind == "primary" for constraint in table.constraints):
        found.note("primary key", "there is none: a stream cannot follow the table; add one, or name a unique index")
    for column in table.columns:
        if column.kind in ("real", "double precision"):
            found.note("float", f"{column.name}: a binary float; if it holds money, override its type with numeric")
    body = ",\n    ".join(items)
    return f"CREATE TABLE public.{quoted(table.name)} (\n    {body}\n)"


def _name(constraint: Constraint, table: Table, number: int) -> str:
    suffix = _SUFFIX[constraint.kind] + (str(number) if number > 1 else "")
    made_up = folded(f"{table.name}_{suffix}")
    return made_up if constraint.name in ("", "primary") else constraint.name


def _column(column: Column) -> str:
    parts = [quoted(column.name), column.kind]
    if column.generated:
        parts.append(f"GENERATED ALWAYS AS {column.generated}")
    elif column.identity:
        parts.append(column.identity)
    elif column.default is not None:
        parts.append(f"DEFAULT {column.default}")
    if column.not_null:
        parts.append("NOT NULL")
    return " ".join(parts)


def _constraint(constraint: Constraint) -> str:
    if constraint.kind == "check":
        return f"CHECK ({constraint.check})"
    columns = ", ".join(quoted(name) for name in constraint.columns)
    kind = "PRIMARY KEY" if constraint.kind == "primary" else "UNIQUE"
    return f"{kind} ({columns}){' DEFERRABLE' if constraint.is_deferrable else ''}"


def _index(index: Index, name: str) -> str:
    unique = "UNIQUE " if index.is_unique else ""
    include = f" INCLUDE ({', '.join(quoted(column) for column in index.include)})" if index.include else ""
    where = f" WHERE {index.where}" if index.where else ""
    target = f"public.{quoted(index.table)}"
    return f"CREATE {unique}INDEX {quoted(name)} ON {target} ({', '.join(index.keys)}){include}{where}"


def _references(schema: Schema) -> Iterator[Step]:
    for table in schema.tables.values():
        foreign = [constraint for constraint in table.constraints if constraint.kind == "foreign"]
        for number, constraint in enumerate(foreign, start=1):
            name = _name(constraint, table, number)
            found = schema.add(Object(f"{table.name}.{name}", "foreign key", line=schema.of_table[table.name].line))
            if not constraint.is_enabled:
                found.confidence = "left_out"
                found.note("left out", "it is disabled in legacy")
            elif constraint.references not in schema.tables:
                found.confidence = "refused"
                found.note("refused", f"there is no table {constraint.references} in what was read")
            else:
                yield _step(found, _foreign_key(table, constraint, name, schema))


def _foreign_key(table: Table, constraint: Constraint, name: str, schema: Schema) -> str:
    own = ", ".join(quoted(column) for column in constraint.columns)
    other = f" ({', '.join(quoted(column) for column in constraint.referenced)})" if constraint.referenced else ""
    actions = "".join(
        f" ON {event} {action}"
        for event, action in (("DELETE", constraint.on_delete), ("UPDATE", constraint.on_update))
        if action
    )
    later = " DEFERRABLE" if constraint.is_deferrable else ""
    valid = "" if constraint.is_valid else " NOT VALID"
    target = f"public.{quoted(schema.tables[constraint.references].name)}"
    return (
        f"ALTER TABLE public.{quoted(table.name)} ADD CONSTRAINT {quoted(name)} FOREIGN KEY ({own}) "
        f"REFERENCES {target}{other}{actions}{later}{valid}"
    )


def _comments(table: Table) -> Iterator[str]:
    target = f"public.{quoted(table.name)}"
    if table.comment:
        yield f"COMMENT ON TABLE {target} IS {literal(table.comment)}"
    for column in table.columns:
        if column.comment:
            yield f"COMMENT ON COLUMN {target}.{quoted(column.name)} IS {literal(column.comment)}"
