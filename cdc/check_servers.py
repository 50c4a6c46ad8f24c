"""What a stream needs of a server and of its tables: settings, free slots, privileges, replica identities."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

import psycopg

from cdc.catalogue import Catalogue, Table
from cdc.findings import Finding, error, warning
from cdc.sql_types import quoted, quoted_table

OLDEST = 140000
ORIGINS = (
    "pg_replication_origin_create(text), pg_replication_origin_session_setup(text), "
    "pg_replication_origin_xact_setup(pg_lsn, timestamptz)"
)
SLOTS_NEEDED, SENDERS_NEEDED = 1, 1

_FACTS = """
SELECT current_setting('server_version_num')::int, current_setting('wal_level'), current_user,
    current_setting('max_replication_slots')::int - (SELECT count(*)::int FROM pg_replication_slots
        WHERE slot_name NOT LIKE 'strangler%'),
    current_setting('max_wal_senders')::int - (SELECT count(*)::int FROM pg_stat_replication),
    r.rolsuper, r.rolsuper OR r.rolreplication,
    has_database_privilege(current_database(), 'CREATE'), current_database(),
    has_function_privilege('pg_replication_origin_create(text)', 'EXECUTE'),
    has_function_privilege('pg_replication_origin_session_setup(text)', 'EXECUTE'), pg_is_in_recovery()
FROM pg_roles r WHERE r.rolname = current_user"""


def check_server(conn: psycopg.Connection[Any], name: str) -> list[Finding]:
    """Version, wal_level, slots, senders and the role's rights; both databases are a source of one stream."""
    row = conn.execute(_FACTS).fetchone()
    if row is None:
        return [error(name, "the role that is connected is not in pg_roles")]
    version, wal_level, role, slots, senders, is_super, replicates, creates, database, *origins, standby = row
    role, database = quoted(role), quoted(database)
    wanted: Iterable[tuple[bool, str, str]] = (
        (version >= OLDEST, f"PostgreSQL {version // 10000} is older than 14", "Upgrade the server."),
        (not standby, "the server is a standby", "Give the URL of the primary."),
        (
            wal_level == "logical",
            f"wal_level is {wal_level}, not logical",
            "ALTER SYSTEM SET wal_level = 'logical'; then restart the server.",
        ),
        (
            slots >= SLOTS_NEEDED,
            "no replication slot is free",
            "ALTER SYSTEM SET max_replication_slots = 20; then restart the server.",
        ),
        (
            senders >= SENDERS_NEEDED,
            "no wal sender is free",
            "ALTER SYSTEM SET max_wal_senders = 20; then restart the server.",
        ),
        (replicates, f"the role {role} may not replicate", f"ALTER ROLE {role} REPLICATION;"),
        (
            creates,
            f"the role {role} may not create the schema strangler",
            f"GRANT CREATE ON DATABASE {database} TO {role};",
        ),
        (
            all(origins),
            f"the role {role} may not use replication origins",
            f"GRANT EXECUTE ON FUNCTION {ORIGINS} TO {role};",
        ),
        (
            is_super or _may_set_role(conn, version),
            f"the role {role} may not set session_replication_role",
            f"GRANT SET ON PARAMETER session_replication_role TO {role};"
            if version >= 150000
            else f"ALTER ROLE {role} SUPERUSER;",
        ),
    )
    return [error(name, text, remedy) for holds, text, remedy in wanted if not holds]


def _may_set_role(conn: psycopg.Connection[Any], version: int) -> bool:
    if version < 150000:
        return False
    row = conn.execute("SELECT has_parameter_privilege('session_replication_role', 'SET')").fetchone()
    return row == (True,)


_RIGHTS = """
SELECT has_table_privilege(c.oid, 'SELECT'),
    has_table_privilege(c.oid, 'INSERT') AND has_table_privilege(c.oid, 'UPDATE')
        AND has_table_privilege(c.oid, 'DELETE'),
    pg_has_role(c.relowner, 'USAGE'), c.relpersistence, c.relkind, r.rolname
FROM pg_class c JOIN pg_roles r ON r.rolname = current_user WHERE c.oid = to_regclass(%s)"""


def check_tables(
    conn: psycopg.Connection[Any], catalogue: Catalogue, name: str, tables: Sequence[str]
) -> list[Finding]:
    """Replica identity and privileges of the mapped tables on one side."""
    findings: list[Finding] = []
    for table_name in tables:
        table = catalogue.table(table_name)
        row = conn.execute(_RIGHTS, (quoted_table(table_name),)).fetchone()
        if table is not None and row is not None:
            findings += _of_table(f"{name}.{table_name}", table, row)
    return findings


def _of_table(where: str, table: Table, row: tuple[Any, ...]) -> list[Finding]:
    reads, writes, owns, persistence, kind, user = row
    full, role = quoted_table(table.name), quoted(user)
    names_rows = table.replica_identity != "nothing" and (table.replica_identity != "default" or table.primary_key)
    key = (
        f"ALTER TABLE {full} REPLICA IDENTITY DEFAULT;"
        if table.primary_key
        else (f"ALTER TABLE {full} ADD PRIMARY KEY (...);")
    )
    wanted = (
        (names_rows, error, "a change does not say which row it is of (replica identity)", key),
        (table.replica_identity != "full", warning, "replica identity FULL writes every old row into the log", key),
        (
            persistence != "u",
            error,
            "the table is UNLOGGED, so its changes are not in the log",
            f"ALTER TABLE {full} SET LOGGED;",
        ),
        (kind != "p", warning, "the table is partitioned", "Publish it via its root."),
        (reads, error, f"{role} may not read it", f"GRANT SELECT ON {full} TO {role};"),
        (
            writes,
            error,
            f"{role} may not write it, which a stream does",
            f"GRANT INSERT, UPDATE, DELETE ON {full} TO {role};",
        ),
        (
            owns,
            error,
            f"{role} does not own it, so it can neither publish nor fence it",
            f"ALTER TABLE {full} OWNER TO {role};",
        ),
    )
    return [make(where, text, remedy) for holds, make, text, remedy in wanted if not holds]
