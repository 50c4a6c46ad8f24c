"""Who writes a capability's tables: a light trigger notes role and application_name once a minute and connection.

The key holds the connection's pid. So `ON CONFLICT DO NOTHING` can only meet a row of the same connection, never waits
for another writer's transaction, and cannot make two of the bank's transactions wait for each other in a circle. The
appliers of the streams run as replicas, where the trigger does not fire.
"""

from __future__ import annotations

from dataclasses import dataclass

from psycopg import errors, sql

from runbook.sides import Side, Sides, table_name
from runbook.waiting import wait_for

TRIGGER = "strangler_census"
KEPT_HOURS = 48
OURS = "strangler-"
LOCK_MILLISECONDS = 250
LOCK_PATIENCE_SECONDS = 30.0

SCHEMA = """
CREATE SCHEMA IF NOT EXISTS strangler;
CREATE TABLE IF NOT EXISTS strangler.writer (
    capability text NOT NULL, table_name text NOT NULL, role text NOT NULL, application_name text NOT NULL,
    minute timestamptz NOT NULL, pid integer NOT NULL, client inet,
    PRIMARY KEY (capability, table_name, role, application_name, minute, pid));
CREATE TABLE IF NOT EXISTS strangler.census_begun (
    capability text PRIMARY KEY, at timestamptz NOT NULL DEFAULT now());
CREATE OR REPLACE FUNCTION strangler.census() RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $census$
BEGIN
    INSERT INTO strangler.writer
    VALUES (TG_ARGV[0], TG_TABLE_SCHEMA || '.' || TG_TABLE_NAME, session_user, current_setting('application_name'),
            date_trunc('minute', statement_timestamp()), pg_backend_pid(), inet_client_addr())
    ON CONFLICT DO NOTHING;
    RETURN NULL;
END $census$;
"""

SEEN = """
SELECT application_name, role, array_agg(DISTINCT table_name ORDER BY table_name), max(minute)
FROM strangler.writer
WHERE capability = %s AND minute >= now() - make_interval(hours => %s) AND application_name NOT LIKE %s
GROUP BY 1, 2 ORDER BY 1, 2
"""
INSTALLED = "SELECT count(*) FROM pg_trigger WHERE tgname = %s AND tgrelid = to_regclass(%s) AND tgenabled <> 'D'"


@dataclass(frozen=True)
class Writer:
    """Somebody who wrote: the name that the connection gave itself, its role, and the tables."""

    application_name: str
    role: str
    tables: tuple[str, ...]
    last_seen: str

    @property
    def name(self) -> str:
        """What a waiver names: the application_name, or the role of a connection that gave itself none."""
        return self.application_name or self.role


def is_installed(side: Side) -> bool:
    """Whether every table of the capability on that side has the trigger."""
    return all(side.ask(INSTALLED, (TRIGGER, _quoted(side, table)))[0][0] for table in side.tables)


def install(sides: Sides, side: Side) -> None:
    """Put the trigger on every table of that side."""
    side.ask("SELECT pg_advisory_lock(hashtext('strangler.census'))")  # CREATE .. IF NOT EXISTS races with itself
    try:
        with side.conn.transaction():
            side.ask(SCHEMA)
            side.ask("INSERT INTO strangler.census_begun VALUES (%s) ON CONFLICT DO NOTHING", (sides.capability,))
        for table in side.tables:
            _change(side, table, _create_trigger(sides.capability, table))
    finally:
        side.ask("SELECT pg_advisory_unlock(hashtext('strangler.census'))")


def remove(sides: Sides, side: Side) -> None:
    """Take the trigger off every table of that side, and forget what was seen."""
    for table in side.tables:
        drop = sql.SQL("DROP TRIGGER IF EXISTS {} ON {}")
        _change(side, table, drop.format(sql.Identifier(TRIGGER), table_name(table)))
    if side.ask("SELECT to_regclass('strangler.writer') IS NOT NULL")[0][0]:
        side.ask("DELETE FROM strangler.writer WHERE capability = %s", (sides.capability,))
        side.ask("DELETE FROM strangler.census_begun WHERE capability = %s", (sides.capability,))


def writers(sides: Sides, side: Side, hours: int = 24) -> tuple[Writer, ...]:
    """Return everybody but ourselves who wrote in the last hours, and drop what is older than two days."""
    try:
        side.ask("DELETE FROM strangler.writer WHERE minute < now() - make_interval(hours => %s)", (KEPT_HOURS,))
        rows = side.ask(SEEN, (sides.capability, hours, f"{OURS}%"))
    except (errors.UndefinedTable, errors.InvalidSchemaName):
        return ()
    return tuple(Writer(name, role, tuple(tables), f"{last:%Y-%m-%d %H:%M}") for name, role, tables, last in rows)


def foreign(seen: tuple[Writer, ...], through_routes: tuple[str, ...]) -> tuple[Writer, ...]:
    """Of these writers, those that do not come through the capability's routes."""
    return tuple(writer for writer in seen if writer.application_name not in through_routes)


def _change(side: Side, table: str, statement: sql.Composed) -> None:
    """Run DDL in short tries: while it waits for a table's open writers, the writers behind it wait too."""

    def tried() -> bool:
        try:
            with side.conn.transaction():
                side.ask(sql.SQL("SET LOCAL lock_timeout = {}").format(sql.Literal(LOCK_MILLISECONDS)))
                side.ask(statement)
        except errors.LockNotAvailable:
            return False
        return True

    wait_for(tried, f"a moment without open writers on {table}", LOCK_PATIENCE_SECONDS, poll_seconds=0.25)


def _create_trigger(capability: str, table: str) -> sql.Composed:
    create = sql.SQL(
        "CREATE OR REPLACE TRIGGER {} AFTER INSERT OR UPDATE OR DELETE OR TRUNCATE ON {} "
        "FOR EACH STATEMENT EXECUTE FUNCTION strangler.census({})"
    )
    return create.format(sql.Identifier(TRIGGER), table_name(table), sql.Literal(capability))


def _quoted(side: Side, table: str) -> str:
    return table_name(table).as_string(side.conn)
