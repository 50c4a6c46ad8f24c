"""Indexes of an empty table, put aside while it is filled: made at its end they cost half of what row by row does.

Put aside is what can be made again exactly as it was, from one statement that the catalogue prints: an index, a primary
key, a unique constraint. Left where it is: what a foreign key or a view needs, an index with a property that the
statement does not carry (a tablespace, a comment, statistics of its own, the replica identity), and everything where
the role does not own the table or somebody holds it. The caller keeps the statements in the same transaction.
"""

from __future__ import annotations

from contextlib import suppress

import psycopg
from psycopg import sql

from cdc.statements import table, trusted

LOCK_MILLISECONDS = 2_000
_IS_THERE = (
    psycopg.errors.DuplicateTable,
    psycopg.errors.DuplicateObject,
    psycopg.errors.InvalidTableDefinition,  # a second primary key
)
_FOUND = """
SELECT coalesce(k.conname, c.relname)::text, k.oid IS NOT NULL, n.nspname::text,
    coalesce(pg_get_constraintdef(k.oid), pg_get_indexdef(c.oid))
FROM pg_index i JOIN pg_class c ON c.oid = i.indexrelid JOIN pg_namespace n ON n.oid = c.relnamespace
JOIN pg_class t ON t.oid = i.indrelid
LEFT JOIN pg_constraint k ON k.conindid = c.oid AND k.conrelid = t.oid AND k.contype IN ('p', 'u', 'x')
WHERE t.oid = to_regclass(%s) AND t.relkind = 'r' AND NOT t.relispartition AND pg_has_role(t.relowner, 'USAGE')
    AND i.indisvalid AND NOT i.indisreplident AND NOT i.indisclustered AND c.reltablespace = 0
    AND (k.oid IS NULL OR c.reloptions IS NULL)
    AND obj_description(c.oid, 'pg_class') IS NULL AND obj_description(k.oid, 'pg_constraint') IS NULL
    AND NOT EXISTS (SELECT FROM pg_attribute a WHERE a.attrelid = c.oid AND a.attstattarget >= 0)
ORDER BY k.contype IS DISTINCT FROM 'p', 1
"""


def set_aside(conn: psycopg.Connection, relation: str) -> tuple[str, ...]:
    """Drop what can be made again and return the statements that do; inside a transaction of the caller."""
    name = table(relation)
    found = conn.execute(_FOUND, (name.as_string(conn),)).fetchall()
    conn.execute("SELECT set_config('lock_timeout', %s, true)", (f"{LOCK_MILLISECONDS}ms",))
    statements = []
    for own, is_constraint, schema, definition in found:
        if is_constraint:
            drop = sql.SQL("ALTER TABLE {} DROP CONSTRAINT {}").format(name, sql.Identifier(own))
            again = sql.SQL("ALTER TABLE {} ADD CONSTRAINT {} {}").format(
                name, sql.Identifier(own), trusted(definition)
            )
        else:
            drop, again = sql.SQL("DROP INDEX {}").format(sql.Identifier(schema, own)), trusted(definition).format()
        try:
            with conn.transaction():
                conn.execute(drop)
        except psycopg.errors.DependentObjectsStillExist:
            continue
        except psycopg.errors.LockNotAvailable:
            break  # somebody reads the table, which hinders the next one just as well
        statements.append(again.as_string(conn))
    conn.execute("SET LOCAL lock_timeout = 0")
    return tuple(statements)


def put_back(conn: psycopg.Connection, statements: tuple[str, ...]) -> None:
    """Make again what was put aside, unless somebody has done so by hand; inside a transaction of the caller."""
    conn.execute("SET LOCAL maintenance_work_mem = '256MB'")
    for statement in statements:
        with suppress(*_IS_THERE), conn.transaction():
            conn.execute(trusted(statement))
