"""Reads what a table is made of from the catalogue, as statements that make it anew in another database."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from psycopg import sql

from config.errors import StranglerError
from runbook.sides import Connection

RELATION = """
SELECT c.oid, n.nspname, c.relname, c.relkind::text, c.relreplident::text, pg_total_relation_size(c.oid),
       (SELECT count(*) FROM pg_trigger t WHERE t.tgrelid = c.oid AND NOT t.tgisinternal
         AND t.tgname NOT LIKE 'strangler%%')
FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace WHERE c.oid = %s::regclass
"""
COLUMNS = """
SELECT a.attname, format_type(a.atttypid, a.atttypmod), a.attnotnull, a.attidentity::text, a.attgenerated::text,
       pg_get_expr(d.adbin, d.adrelid), coalesce(nullif(t.typelem, 0), t.oid)
FROM pg_attribute a JOIN pg_type t ON t.oid = a.atttypid
LEFT JOIN pg_attrdef d ON d.adrelid = a.attrelid AND d.adnum = a.attnum
WHERE a.attrelid = %s AND a.attnum > 0 AND NOT a.attisdropped ORDER BY a.attnum
"""
TYPES = """
SELECT t.oid, format_type(t.oid, NULL), n.nspname, t.typtype::text, format_type(t.typbasetype, t.typtypmod),
       t.typnotnull,
       (SELECT array_agg(e.enumlabel::text ORDER BY e.enumsortorder) FROM pg_enum e WHERE e.enumtypid = t.oid),
       (SELECT array_agg(pg_get_constraintdef(k.oid)) FROM pg_constraint k WHERE k.contypid = t.oid AND k.contype = 'c')
FROM pg_type t JOIN pg_namespace n ON n.oid = t.typnamespace WHERE t.oid = ANY(%s) AND n.nspname <> 'pg_catalog'
"""
CONSTRAINTS = """
SELECT conname, contype::text, pg_get_constraintdef(oid), confrelid::regclass::text FROM pg_constraint
WHERE conrelid = %s AND contype IN ('p', 'u', 'c', 'x', 'f') ORDER BY contype <> 'p', contype = 'f', conname
"""
INDEXES = """
SELECT pg_get_indexdef(i.indexrelid) FROM pg_index i
WHERE i.indrelid = %s AND i.indisvalid AND NOT EXISTS (SELECT FROM pg_constraint k WHERE k.conindid = i.indexrelid)
"""


Statement = sql.SQL | sql.Composed


@dataclass(eq=False)
class TypeUnknown(StranglerError):
    """A column has a type that a fresh PostgreSQL does not have and that cannot be made from the catalogue."""

    table: str
    type: str

    @property
    def sentence(self) -> str:
        """Which table and type."""
        return f"{self.table} cannot be rehearsed: the type {self.type} belongs to an extension or is a composite."

    @property
    def hint(self) -> str:
        """What is possible."""
        return "Rehearse this capability in a test environment, with strangler advance and strangler back themselves."


@dataclass(frozen=True)
class Shape:
    """The statements that make a table, in the order in which they are run; `after` follow its rows.

    `columns` are those that are copied: without generated ones. `left_out` is what is not made, in words.
    """

    name: sql.Identifier
    text: str
    before: tuple[Statement, ...]
    columns: tuple[str, ...]
    after: tuple[tuple[str, Statement], ...]
    foreign_keys: tuple[tuple[str, Statement], ...]
    size_bytes: int
    left_out: tuple[str, ...]
    identities: tuple[str, ...] = ()
    is_partitioned: bool = False


def shape_of(conn: Connection, table: str) -> Shape:
    """Read it. Raises TypeUnknown."""
    found = conn.execute(RELATION, (table,)).fetchone()
    assert found is not None  # noqa: S101  # regclass raises for a table that does not exist
    oid, schema, relation, kind, identity, size, triggers = found
    name = sql.Identifier(schema, relation)
    columns = conn.execute(COLUMNS, (oid,)).fetchall()
    types = [_type(table, row) for row in conn.execute(TYPES, ([column[6] for column in columns],)).fetchall()]
    before = [sql.SQL("CREATE SCHEMA IF NOT EXISTS {}").format(sql.Identifier(schema)), *types]
    before.append(
        sql.SQL("CREATE TABLE {} ({})").format(name, sql.SQL(", ").join(_column(*column[:6]) for column in columns))
    )
    after: list[tuple[str, Statement]] = []
    keys: list[tuple[str, Statement]] = []
    for constraint, contype, definition, other in conn.execute(CONSTRAINTS, (oid,)).fetchall():
        statement = sql.SQL("ALTER TABLE {} ADD CONSTRAINT {} {}").format(
            name, sql.Identifier(constraint), _sql(definition)
        )
        if contype == "f":
            keys.append((f"the foreign key {constraint} of {table} to {other}", statement))
        else:
            after.append((f"the constraint {constraint} of {table}", statement))
    after += [(f"an index of {table}", _sql(row[0])) for row in conn.execute(INDEXES, (oid,)).fetchall()]
    for column, _, _, identified, generated, default, _ in columns:
        if identified:
            after.append((f"the identity of {table}.{column}", _identity(name, column, identified)))
        elif default is not None and not generated:
            set_default = sql.SQL("ALTER TABLE {} ALTER COLUMN {} SET DEFAULT {}").format(
                name, sql.Identifier(column), _sql(default)
            )
            after.append((f"the default of {table}.{column}", set_default))
    if identity == "f":
        after.append(("its replica identity", sql.SQL("ALTER TABLE {} REPLICA IDENTITY FULL").format(name)))
    left_out = (f"{triggers} trigger(s) of {table}",) if triggers else ()
    copied = tuple(column[0] for column in columns if not column[4])
    return Shape(
        name,
        table,
        tuple(before),
        copied,
        tuple(after),
        tuple(keys),
        int(size),
        left_out,
        identities=tuple(column[0] for column in columns if column[3]),
        is_partitioned=kind == "p",
    )


def _column(name: str, type_text: str, not_null: bool, _identity: str, generated: str, default: str) -> sql.Composed:
    parts = [sql.Identifier(name), _sql(type_text)]
    if generated:
        word = "STORED" if generated == "s" else "VIRTUAL"
        parts.append(sql.SQL("GENERATED ALWAYS AS ({}) {}").format(_sql(default), _sql(word)))
    if not_null:
        parts.append(_sql("NOT NULL"))
    return sql.SQL(" ").join(parts)


def _identity(table: sql.Identifier, column: str, identity: str) -> sql.Composed:
    word = "ALWAYS" if identity == "a" else "BY DEFAULT"
    return sql.SQL("ALTER TABLE {} ALTER COLUMN {} ADD GENERATED {} AS IDENTITY").format(
        table, sql.Identifier(column), _sql(word)
    )


def _type(table: str, row: tuple[Any, ...]) -> sql.Composed:
    """A statement that makes an enum or a domain once, whichever table needs it first."""
    _, name, schema, kind, base, not_null, labels, checks = row
    if kind == "e":
        body = sql.SQL("CREATE TYPE {} AS ENUM ({})").format(
            _sql(name), sql.SQL(", ").join(map(sql.Literal, labels or ()))
        )
    elif kind == "d":
        rest = ["NOT NULL"] if not_null else []
        body = sql.SQL("CREATE DOMAIN {} AS {} {}").format(
            _sql(name), _sql(base), _sql(" ".join([*rest, *(checks or ())]))
        )
    else:
        raise TypeUnknown(table, name)
    return sql.SQL("CREATE SCHEMA IF NOT EXISTS {}; DO {}").format(
        sql.Identifier(schema), sql.Literal(f"BEGIN {body.as_string()}; EXCEPTION WHEN duplicate_object THEN NULL; END")
    )


def _sql(text: str) -> sql.SQL:
    """What the catalogue itself writes: types, expressions, definitions."""
    return sql.SQL(text)
