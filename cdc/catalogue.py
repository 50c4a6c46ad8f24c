"""What a database says about its tables: columns with types, keys, references and replica identity.

Names are as PostgreSQL stores them; a table outside of `public` is "schema.table". Everything is read by one query per
kind, in the caller's transaction, and nothing is cached.
"""

from __future__ import annotations

from collections.abc import Mapping as ReadOnly
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import psycopg


@dataclass(frozen=True)
class Column:
    """One column; `type` is the text of format_type(atttypid, atttypmod), such as "numeric(12,2)"."""

    name: str
    type: str
    not_null: bool = False
    has_default: bool = False
    is_generated: bool = False


@dataclass(frozen=True)
class ForeignKey:
    """The columns that refer to the columns of another table; enforced if no moment sees a row without its parent."""

    columns: tuple[str, ...]
    references: str
    referenced_columns: tuple[str, ...]
    is_enforced: bool = True


@dataclass(frozen=True)
class Table:
    """One table; `columns` in attnum order, `primary_key` in the order of the key."""

    name: str
    columns: tuple[Column, ...]
    primary_key: tuple[str, ...] = ()
    unique_keys: tuple[tuple[str, ...], ...] = ()
    foreign_keys: tuple[ForeignKey, ...] = ()
    replica_identity: str = "default"  # default | nothing | full | index
    identity_key: tuple[str, ...] = ()  # columns of the old row that the write-ahead log carries

    def column(self, name: str) -> Column | None:
        """The column of this name."""
        return next((column for column in self.columns if column.name == name), None)


@dataclass(frozen=True)
class Catalogue:
    """The tables of one database, by name."""

    tables: ReadOnly[str, Table]

    def table(self, name: str) -> Table | None:
        """The table of this name ("schema.table" where it is not in public)."""
        return self.tables.get(name)

    def parents_first(self, names: tuple[str, ...]) -> tuple[str, ...]:
        """The names so that a table comes after the tables it refers to; a cycle keeps the given order."""
        ordered: list[str] = []
        visiting: set[str] = set()

        def visit(name: str) -> None:
            if name in ordered or name in visiting:
                return
            visiting.add(name)
            table = self.tables.get(name)
            for key in table.foreign_keys if table else ():
                if key.references in names:
                    visit(key.references)
            ordered.append(name)

        for name in names:
            visit(name)
        return tuple(ordered)


_NAME = "CASE WHEN {n}.nspname = 'public' THEN {c}.relname ELSE {n}.nspname || '.' || {c}.relname END"
_RELATION = _NAME.format(n="n", c="c")
_FROM = """FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
WHERE c.relkind IN ('r', 'p') AND n.nspname NOT IN ('pg_catalog', 'information_schema', 'strangler')
  AND n.nspname NOT LIKE 'pg\\_toast%%' AND n.nspname NOT LIKE 'pg\\_temp%%'"""

_TABLES = f"SELECT c.oid, {_RELATION}, c.relreplident {_FROM} ORDER BY 2"

_COLUMNS = """
SELECT a.attrelid, a.attname, format_type(a.atttypid, a.atttypmod), a.attnotnull,
       a.atthasdef OR a.attidentity <> '', a.attgenerated <> ''
FROM pg_attribute a WHERE a.attrelid = ANY(%s) AND a.attnum > 0 AND NOT a.attisdropped ORDER BY a.attrelid, a.attnum"""

_KEYS = """
SELECT i.indrelid, i.indisprimary, i.indisreplident,
       ARRAY(SELECT a.attname::text FROM unnest(i.indkey[0:i.indnkeyatts - 1]) WITH ORDINALITY AS k(attnum, place)
             JOIN pg_attribute a ON a.attrelid = i.indrelid AND a.attnum = k.attnum ORDER BY k.place)
FROM pg_index i WHERE i.indrelid = ANY(%s) AND i.indisunique AND i.indisvalid AND i.indpred IS NULL
  AND i.indexprs IS NULL ORDER BY i.indexrelid"""

_REFERENCES = f"""
SELECT k.conrelid, {_NAME.format(n="rn", c="r")},
       ARRAY(SELECT a.attname::text FROM unnest(k.conkey) WITH ORDINALITY AS u(attnum, place)
             JOIN pg_attribute a ON a.attrelid = k.conrelid AND a.attnum = u.attnum ORDER BY u.place),
       ARRAY(SELECT a.attname::text FROM unnest(k.confkey) WITH ORDINALITY AS u(attnum, place)
             JOIN pg_attribute a ON a.attrelid = k.confrelid AND a.attnum = u.attnum ORDER BY u.place),
       k.convalidated AND NOT k.condeferrable
FROM pg_constraint k JOIN pg_class r ON r.oid = k.confrelid JOIN pg_namespace rn ON rn.oid = r.relnamespace
WHERE k.contype = 'f' AND k.conrelid = ANY(%s) ORDER BY k.conrelid, k.oid"""  # noqa: S608 - constants of this module

_IDENTITIES = {"d": "default", "n": "nothing", "f": "full", "i": "index"}


def read_catalogue(conn: psycopg.Connection) -> Catalogue:
    """Read all ordinary and partitioned tables outside of the system's schemas and ours."""
    relations = conn.execute(_TABLES.replace("%%", "%")).fetchall()
    oids = [oid for oid, _, _ in relations]
    columns: dict[int, list[Column]] = {oid: [] for oid in oids}
    for oid, *facts in conn.execute(_COLUMNS, (oids,)):
        columns[oid].append(Column(*facts))
    primary: dict[int, tuple[str, ...]] = {}
    identity: dict[int, tuple[str, ...]] = {}
    unique: dict[int, list[tuple[str, ...]]] = {oid: [] for oid in oids}
    for oid, is_primary, is_identity, names in conn.execute(_KEYS, (oids,)):
        unique[oid].append(tuple(names))
        if is_primary:
            primary[oid] = tuple(names)
        if is_identity:
            identity[oid] = tuple(names)
    references: dict[int, list[ForeignKey]] = {oid: [] for oid in oids}
    for oid, parent, own, other, is_enforced in conn.execute(_REFERENCES, (oids,)):
        references[oid].append(ForeignKey(tuple(own), parent, tuple(other), is_enforced))
    tables = {}
    for oid, name, letter in relations:
        key = primary.get(oid, ())
        everything = tuple(column.name for column in columns[oid])
        carried = {"d": key, "n": (), "f": everything, "i": identity.get(oid, ())}[letter]
        tables[name] = Table(
            name=name,
            columns=tuple(columns[oid]),
            primary_key=key,
            unique_keys=tuple(unique[oid]),
            foreign_keys=tuple(references[oid]),
            replica_identity=_IDENTITIES[letter],
            identity_key=carried,
        )
    return Catalogue(tables)
