"""Indexes that a failed CREATE INDEX CONCURRENTLY left behind: found, named, and built anew on request."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import psycopg
from psycopg import sql

from migrations.errors import IndexesInvalid

# An index that is being built right now is invalid, too: whoever builds it shows in pg_stat_progress_create_index.
_INVALID = """
SELECT n.nspname, c.relname FROM pg_index i JOIN pg_class c ON c.oid = i.indexrelid
JOIN pg_namespace n ON n.oid = c.relnamespace
WHERE NOT i.indisvalid AND n.nspname !~ '^pg_' AND c.relkind = 'i'
  AND NOT EXISTS (SELECT FROM pg_stat_progress_create_index p WHERE p.index_relid = i.indexrelid)
ORDER BY 1, 2"""
_REMAINS = ("_ccnew", "_ccold")


def invalid_indexes(connection: psycopg.Connection[Any]) -> tuple[tuple[str, str], ...]:
    """Schema and name of each."""
    return tuple((row[0], row[1]) for row in connection.execute(_INVALID).fetchall())


def refuse_invalid(connection: psycopg.Connection[Any]) -> None:
    """Raises IndexesInvalid with the names."""
    found = invalid_indexes(connection)
    if found:
        raise IndexesInvalid(tuple(f"{schema}.{name}" for schema, name in found))


def repair(connection: psycopg.Connection[Any], tell: Callable[[str], None]) -> int:
    """Build each of them anew without blocking writers; remains of a failed REINDEX are dropped. In autocommit."""
    found = invalid_indexes(connection)
    connection.execute("SET statement_timeout = 0")
    for schema, name in found:
        is_remains = name.rstrip("0123456789").endswith(_REMAINS)
        action = sql.SQL("DROP INDEX CONCURRENTLY" if is_remains else "REINDEX INDEX CONCURRENTLY")
        statement = sql.SQL("{} {}.{}").format(action, sql.Identifier(schema), sql.Identifier(name))
        tell(statement.as_string(connection))
        connection.execute(statement)
    return len(found)
