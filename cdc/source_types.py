"""What a server's catalogue says of the columns that are read: their types, and whether rows can travel in binary form.

The binary form of an array or of a composite type holds type oids, and those of a user's types differ between two
databases. A stream, or the backfill of a table, that reads such a column travels as text.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from collections.abc import Mapping as ReadOnly
from dataclasses import dataclass

import psycopg

from cdc.mapping import Mapping
from cdc.statements import table
from cdc.streaming.stream_errors import RelationChanged

_COLUMNS = """SELECT name, attname::text, format_type(atttypid, atttypmod), atttypid::int8, atttypmod
FROM unnest(%s::text[], %s::text[]) AS t (name, quoted)
JOIN pg_attribute ON attrelid = to_regclass(quoted) WHERE attnum > 0 AND NOT attisdropped"""
_FIRST_OF_USERS = 16384  # oids below are PostgreSQL's own, and the same in every database
_OIDS_INSIDE = "(t.typsend = 0 OR t.oid >= %s AND (t.typtype = 'c' OR t.typcategory = 'A'))"
_HAS_OIDS = f"""SELECT EXISTS (SELECT FROM pg_attribute a JOIN pg_type t ON t.oid = a.atttypid
    WHERE a.attrelid = to_regclass(%s) AND a.attname = ANY (%s) AND {_OIDS_INSIDE})"""  # noqa: S608 - a constant
_ANY_HAS_OIDS = f"""SELECT EXISTS (SELECT FROM pg_publication_tables p
    JOIN pg_attribute a ON a.attrelid = format('%%I.%%I', p.schemaname, p.tablename)::regclass
    JOIN pg_type t ON t.oid = a.atttypid WHERE p.pubname = %s AND a.attnum > 0 AND {_OIDS_INSIDE})"""  # noqa: S608 - a constant


@dataclass(frozen=True)
class SourceTypes:
    """Type oid and modifier per table and column, and whether the rows travel as text."""

    columns: ReadOnly[str, ReadOnly[str, tuple[int, int]]]
    is_text: bool = False


def read_types(stream: str, mappings: Sequence[Mapping], source: psycopg.Connection) -> SourceTypes:
    """Raises RelationChanged where a column has another type than its mapping was made for."""
    by_table = {mapping.source_table: mapping for mapping in mappings}
    quoted = [table(name).as_string(source) for name in by_table]
    columns: dict[str, dict[str, tuple[int, int]]] = {name: {} for name in by_table}
    for name, column, type_, oid, modifier in source.execute(_COLUMNS, (list(by_table), quoted)).fetchall():
        if any(read.name == column and read.type != type_ for read in by_table[name].reads):
            raise RelationChanged(stream, name, f"has another type of column {column} than was mapped")
        columns[name][column] = (oid, modifier)
    is_text = any(
        travels_as_text(source, mapping.source_table, [read.name for read in mapping.reads]) for mapping in mappings
    )
    return SourceTypes(columns, is_text)


def may_travel_as_text(conn: psycopg.Connection, publication: str) -> bool:
    """The same for any column of the tables of a publication, whatever mappings read of them."""
    row = conn.execute(_ANY_HAS_OIDS, (publication, _FIRST_OF_USERS)).fetchone()
    return row is None or bool(row[0])


def travels_as_text(conn: psycopg.Connection, name: str, columns: Collection[str]) -> bool:
    """Whether the binary form of one of these columns of a table would mean something else in another database."""
    row = conn.execute(_HAS_OIDS, (table(name).as_string(conn), list(columns), _FIRST_OF_USERS)).fetchone()
    return row is not None and bool(row[0])
