"""The SQL that takes one mapping's rows from its staging tables to its target table; pure.

Staging tables are temporary, per session, named by the mapping's place in the list: `changed` (upserts), `inserted`
(rows that were not there before), `deleted` (keys), `partial` (rows in which large values are missing), `old` (the key
that a row had before).
"""

from __future__ import annotations

import re
from collections.abc import Collection, Sequence
from dataclasses import dataclass

from psycopg import sql

from cdc.mapping import Mapping, SourceColumn
from cdc.sql_types import quoted

_TARGET = sql.Identifier("t")
_ROWS = sql.Identifier("s")


@dataclass(frozen=True)
class Statements:
    """The statements of one mapping; `place` numbers its staging tables."""

    mapping: Mapping
    place: int
    is_text: bool = False  # every staging column is text

    def staging(self, role: str) -> sql.Identifier:
        """The staging table of that role."""
        return sql.Identifier(self._name(role))

    def create(self, role: str) -> sql.Composed:
        """Make a staging table, if it is not there."""
        return sql.SQL("CREATE TEMP TABLE IF NOT EXISTS {} ({})").format(
            self.staging(role),
            sql.SQL(", ").join(
                sql.SQL("{} {}").format(sql.Identifier(column.name), trusted("text" if self.is_text else column.type))
                for column in self._staged(role)
            ),
        )

    def copy(self, role: str, columns: Sequence[str]) -> sql.Composed:
        """COPY into a staging table; columns in the order in which they come."""
        return sql.SQL("COPY {} ({}) FROM STDIN (FORMAT binary)").format(self.staging(role), _names(columns))

    @property
    def copies_straight(self) -> bool:
        """Whether source rows are target rows as they are, so that new ones need no staging; followers look there."""
        types = {column.name: column.type for column in self.mapping.reads}
        outputs = {column.expression: column.type for column in self.mapping.columns}
        return (
            not self.is_text
            and not self.mapping.where
            and not self.mapping.is_reference
            and outputs == {quoted(name): type_ for name, type_ in types.items()}
        )

    def copy_straight(self, columns: Sequence[str]) -> sql.Composed:
        """COPY into the target; the source's columns in the order in which they come."""
        names = {column.expression: column.name for column in self.mapping.columns}
        own = [names[quoted(column)] for column in columns]
        return sql.SQL("COPY {} ({}) FROM STDIN (FORMAT binary)").format(table(self.mapping.target_table), _names(own))

    def insert(self) -> sql.Composed:
        """Rows that cannot exist yet; a row that does is a unique violation."""
        return insert_rows(self.mapping, trusted(self.mapping.select(self.staged_rows("inserted"))))

    def upsert(self, role: str) -> sql.Composed:
        """Rows by key: inserted, or changed where they differ."""
        return upsert_rows(self.mapping, trusted(self.mapping.select(self.staged_rows(role))))

    def delete(self) -> sql.Composed:
        """Rows whose source row is gone."""
        return self._delete(self.mapping.select_keys(self.staged_rows("deleted"), "true"))

    def moved_out(self, role: str) -> sql.Composed | None:
        """Rows whose source row does not satisfy the mapping's WHERE any more; None where there is none."""
        if not self.mapping.where:
            return None
        return self._delete(self.mapping.select_keys(self.staged_rows(role), f"({self.mapping.where}) IS NOT TRUE"))

    def update_partial(self, missing: Collection[str]) -> sql.Composed | None:
        """Rows in which the values of these source columns are missing: the target's columns of them stay."""
        kept = {column.name for column in self.mapping.columns if set(column.sources) & set(missing)}
        values = [name for name in _values(self.mapping) if name not in kept]
        if not values:
            return None
        return sql.SQL(
            "UPDATE {table} AS t SET {assignments} FROM ({rows}) AS s WHERE {keys} AND {old} *<> {new}"
        ).format(
            table=table(self.mapping.target_table),
            assignments=sql.SQL(", ").join(sql.SQL("{0} = s.{0}").format(sql.Identifier(name)) for name in values),
            rows=trusted(self.mapping.select(self.staged_rows("partial"))),
            keys=self._same_key(),
            old=row_of(_TARGET, values),
            new=row_of(_ROWS, values),
        )

    def absent(self) -> sql.Composed:
        """Keys of partial rows that the target does not have, so that their missing values are nowhere."""
        return sql.SQL("SELECT count(*) FROM ({}) AS s WHERE NOT EXISTS (SELECT FROM {} AS t WHERE {})").format(
            trusted(self.mapping.select(self.staged_rows("partial"))),
            table(self.mapping.target_table),
            self._same_key(),
        )

    def not_computable(self, missing: Collection[str]) -> str | None:
        """The target column, or WHERE, that needs a missing value together with one that is here; None if none does."""
        for column in self.mapping.columns:
            if set(column.sources) & set(missing) and not set(column.sources) <= set(missing):
                return column.name
        where = self.mapping.where or ""
        is_read = any(re.search(rf"\b{re.escape(name)}\b", where) for name in missing)
        return "the mapping's WHERE" if is_read else None

    def rekey(self) -> sql.Composed:
        """Give the one row of `old` the key of the one row of `partial`."""
        keys = self.mapping.key
        return sql.SQL("UPDATE {table} AS t SET {assignments} FROM ({old}) AS s, ({new}) AS n WHERE {same}").format(
            table=table(self.mapping.target_table),
            assignments=sql.SQL(", ").join(sql.SQL("{0} = n.{0}").format(sql.Identifier(name)) for name in keys),
            old=trusted(self.mapping.select_keys(self.staged_rows("old"), "true")),
            new=trusted(self.mapping.select_keys(self.staged_rows("partial"), "true")),
            same=self._same_key(),
        )

    def empty(self) -> sql.Composed:
        """The source's table was truncated. Not TRUNCATE, which tables that refer to this one would forbid."""
        return sql.SQL("DELETE FROM {}").format(table(self.mapping.target_table))

    def shown_key(self, role: str) -> sql.Composed:
        """The key of the source row in a staging table, as text for an error."""
        return sql.SQL("SELECT to_jsonb(s)::text FROM (SELECT {} FROM {}) AS s LIMIT 1").format(
            _names(self.mapping.source_key), self.staging(role)
        )

    def _delete(self, keys: str) -> sql.Composed:
        return sql.SQL("DELETE FROM {} AS t USING ({}) AS s WHERE {}").format(
            table(self.mapping.target_table), trusted(keys), self._same_key()
        )

    def _same_key(self) -> sql.Composed:
        return sql.SQL(" AND ").join(sql.SQL("t.{0} = s.{0}").format(sql.Identifier(name)) for name in self.mapping.key)

    def staged_rows(self, role: str) -> str:
        """What is staged, with the types that the mapping was made for."""
        if not self.is_text:
            return self._name(role)
        columns = ", ".join(
            f"CAST({quoted(column.name)} AS {column.type}) AS {quoted(column.name)}" for column in self._staged(role)
        )
        return f"(SELECT {columns} FROM {self._name(role)}) AS staged"  # noqa: S608 - quoted, and types of a catalogue

    def _staged(self, role: str) -> list[SourceColumn]:
        is_key = role in {"deleted", "old"}
        return [one for one in self.mapping.reads if not is_key or one.name in self.mapping.source_key]

    def _name(self, role: str) -> str:
        return f"strangler_{role}_{self.place}"


def insert_rows(mapping: Mapping, rows: sql.Composable) -> sql.Composed:
    """Insert what a SELECT of the target's columns gives; sorted, which keeps the index's pages at hand."""
    names = _names([column.name for column in mapping.columns])
    return sql.SQL(
        "INSERT INTO {table} AS t ({names}) OVERRIDING SYSTEM VALUE SELECT {names} FROM ({rows}) AS s ORDER BY {keys}"
    ).format(table=table(mapping.target_table), names=names, rows=rows, keys=_names(mapping.key))


def upsert_rows(mapping: Mapping, rows: sql.Composable) -> sql.Composed:
    """The same for rows that may be there already: they are changed where they differ.

    `*<>` compares bytes: 1.5 and 1.50 differ, as do texts that a collation takes for equal, and json has no `=` at all.
    """
    values = _values(mapping)
    action = sql.SQL("NOTHING").format()
    if values:
        action = sql.SQL("UPDATE SET {} WHERE {} *<> {}").format(
            sql.SQL(", ").join(sql.SQL("{0} = excluded.{0}").format(sql.Identifier(name)) for name in values),
            row_of(_TARGET, values),
            row_of(sql.Identifier("excluded"), values),
        )
    return sql.SQL("{} ON CONFLICT ({}) DO {}").format(insert_rows(mapping, rows), _names(mapping.key), action)


def table(name: str) -> sql.Identifier:
    """A table by the name that mappings use: with its schema only outside of public."""
    schema, dot, relation = name.rpartition(".")
    return sql.Identifier(schema, relation) if dot else sql.Identifier("public", relation)


def trusted(text: str) -> sql.SQL:
    """SQL that the mapping engine made or the catalogue printed."""
    return sql.SQL(text)


def wide(type_: str) -> str:
    """A type without its modifier: a cast to char(3) would cut a value in silence, COPY into the target refuses it."""
    bare = re.sub(r"\([^)]*\)", "", type_)
    return {"character": "bpchar", "bit": "varbit"}.get(bare, bare)


def _values(mapping: Mapping) -> list[str]:
    return [column.name for column in mapping.columns if column.name not in mapping.key]


def _names(names: Sequence[str]) -> sql.Composed:
    return sql.SQL(", ").join(sql.Identifier(name) for name in names)


def row_of(relation: sql.Identifier, names: Sequence[str]) -> sql.Composed:
    """Some columns of a relation as one record."""
    return sql.SQL("ROW ({})::record").format(
        sql.SQL(", ").join(sql.SQL("{}.{}").format(relation, sql.Identifier(name)) for name in names)
    )
