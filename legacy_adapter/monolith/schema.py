"""The monolith's tables in PostgreSQL: what `strangler migrate import` makes of its Oracle schema, kept as a file.

A legacy system that was rehosted has both scripts, too. A test imports `schema.oracle.sql` again and compares.
"""

from pathlib import Path

import psycopg

ORACLE_FILE = Path(__file__).with_name("schema.oracle.sql")
SCHEMA_FILE = Path(__file__).with_name("schema.sql")


def create_schema(conn: psycopg.Connection) -> None:
    """Create CORE/87's tables and sequences in one transaction."""
    with conn.transaction():
        conn.execute(SCHEMA_FILE.read_bytes())
