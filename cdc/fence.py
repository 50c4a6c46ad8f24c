"""The write fence: triggers that make a database refuse writes to a capability's tables, raised with a marker.

Both sides have the trigger `strangler_fence` on every table from the start. In legacy it acts before a statement and is
installed lifted. In modern it is deferred to the commit and installed raised: until the cutover a dry run that rolls
back never meets it, and a write that would stay is refused. Our appliers pass, because they run as replicas (ordinary
triggers do not act then) and say who they are. Beside a raised fence stands a witness, which names whoever gets past.
"""

from __future__ import annotations

from collections.abc import Sequence

import psycopg
from psycopg import sql

from cdc.state import Marker, emit_marker
from cdc.statements import table
from cdc.streaming.stream_errors import FenceNotRaised
from cdc.witness import FUNCTION as WITNESS_FUNCTION
from cdc.witness import WITNESS

SQLSTATE = "25006"  # read_only_sql_transaction: what a refused writer gets
INSTALL_SECONDS = 5.0
_NAME, _TRUNCATE_NAME = "strangler_fence", "strangler_fence_truncate"
_ALL = (_NAME, _TRUNCATE_NAME, WITNESS)
_FUNCTION = """
CREATE OR REPLACE FUNCTION strangler.fence() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF current_setting('strangler.applier', true) = 'yes' THEN
        IF TG_LEVEL = 'STATEMENT' THEN RETURN NULL; END IF;
        RETURN coalesce(NEW, OLD);
    END IF;
    RAISE EXCEPTION 'writes to %.% are fenced: they belong to the other system now', TG_TABLE_SCHEMA, TG_TABLE_NAME
        USING ERRCODE = 'read_only_sql_transaction', HINT = 'Write through the gateway. During a cutover this lasts '
            'for seconds, and it ends if the cutover is undone; after one it lasts until `strangler back`.';
END $$
"""
_BEFORE = sql.SQL(
    "CREATE TRIGGER {name} BEFORE INSERT OR UPDATE OR DELETE OR TRUNCATE ON {table} "
    "FOR EACH STATEMENT EXECUTE FUNCTION strangler.fence()"
)
_DEFERRED = sql.SQL(
    "CREATE CONSTRAINT TRIGGER {name} AFTER INSERT OR UPDATE OR DELETE ON {table} DEFERRABLE INITIALLY DEFERRED "
    "FOR EACH ROW EXECUTE FUNCTION strangler.fence()"
)
_BEFORE_TRUNCATE = sql.SQL(
    "CREATE TRIGGER {name} BEFORE TRUNCATE ON {table} FOR EACH STATEMENT EXECUTE FUNCTION strangler.fence()"
)
_WITNESS = sql.SQL(
    "CREATE TRIGGER {name} BEFORE INSERT OR UPDATE OR DELETE OR TRUNCATE ON {table} "
    "FOR EACH STATEMENT EXECUTE FUNCTION strangler.witness()"
)


def install_legacy_fence(conn: psycopg.Connection, tables: Sequence[str]) -> None:
    """Put the lifted fence on tables that do not have it; one that is there stays as it is."""
    with conn.transaction():
        for name in _without(_NAME, conn, tables):
            conn.execute(_BEFORE.format(name=sql.Identifier(_NAME), table=table(name)))
            _switch(conn, name, _NAME, is_on=False)
        _install_witness(conn, tables)


def install_modern_fence(conn: psycopg.Connection, tables: Sequence[str]) -> None:
    """Put the raised, deferred fence on tables that do not have it; one that is there stays as it is."""
    with conn.transaction():
        for name in _without(_NAME, conn, tables):
            conn.execute(_DEFERRED.format(name=sql.Identifier(_NAME), table=table(name)))
            conn.execute(_BEFORE_TRUNCATE.format(name=sql.Identifier(_TRUNCATE_NAME), table=table(name)))
        _install_witness(conn, tables)


def raise_fence(
    conn: psycopg.Connection, tables: Sequence[str], marker: Marker | None, lock_timeout_seconds: float
) -> None:
    """Refuse writes from now on, after those that are open; the marker is in the log exactly behind the last of them.

    One transaction. Raises FenceNotRaised where an open writer takes longer than the timeout: then nothing changed.
    """
    try:
        with conn.transaction():
            _lock(conn, tables, lock_timeout_seconds)
            _switch_all(conn, tables, is_on=True)
            if marker is not None:
                emit_marker(conn, marker.stream, marker.id, marker.mode)
    except (psycopg.errors.LockNotAvailable, psycopg.errors.DeadlockDetected) as error:
        raise FenceNotRaised(tuple(tables), lock_timeout_seconds) from error


def lift_fence(conn: psycopg.Connection, tables: Sequence[str]) -> None:
    """Accept writes again, in one transaction. There is no writer to wait for: the fence keeps them out."""
    with conn.transaction():
        _switch_all(conn, tables, is_on=False)


def fence_is_raised(conn: psycopg.Connection, tables: Sequence[str]) -> bool:
    """Whether every one of the tables refuses writes."""
    states = _states(conn, tables)
    return bool(tables) and all(states.get(name, "D") != "D" for name in tables)


def drop_fence(conn: psycopg.Connection, tables: Sequence[str]) -> None:
    """Remove the triggers, when a capability is retired or abandoned."""
    with conn.transaction():
        for name in tables:
            for trigger in _ALL:
                conn.execute(sql.SQL("DROP TRIGGER IF EXISTS {} ON {}").format(sql.Identifier(trigger), table(name)))


def _install_witness(conn: psycopg.Connection, tables: Sequence[str]) -> None:
    """It sees what its fence, which is there already, should refuse."""
    raised = {name for name, state in _states(conn, tables).items() if state != "D"}
    for name in _without(WITNESS, conn, tables):
        conn.execute(_WITNESS.format(name=sql.Identifier(WITNESS), table=table(name)))
        _switch(conn, name, WITNESS, is_on=name in raised)


def _without(trigger: str, conn: psycopg.Connection, tables: Sequence[str]) -> list[str]:
    """Take the locks for the tables that lack the trigger; the functions exist afterwards."""
    conn.execute(_FUNCTION)
    conn.execute(WITNESS_FUNCTION)
    there = _triggers(conn, tables, trigger)
    missing = [name for name in tables if name not in there]
    if missing:
        _lock(conn, missing, INSTALL_SECONDS)
    return missing


def _lock(conn: psycopg.Connection, tables: Sequence[str], seconds: float) -> None:
    """All tables at once, in the mode that ALTER TABLE .. TRIGGER takes: it waits for every open writer."""
    conn.execute("SELECT set_config('lock_timeout', %s, true)", (f"{int(seconds * 1000)}ms",))
    names = sql.SQL(", ").join(table(name) for name in tables)
    conn.execute(sql.SQL("LOCK TABLE {} IN SHARE ROW EXCLUSIVE MODE").format(names))


def _switch_all(conn: psycopg.Connection, tables: Sequence[str], *, is_on: bool) -> None:
    for trigger in _ALL:
        there = tables if trigger == _NAME else _triggers(conn, tables, trigger)
        for name in there:
            _switch(conn, name, trigger, is_on=is_on)


def _switch(conn: psycopg.Connection, name: str, trigger: str, *, is_on: bool) -> None:
    verb = sql.SQL("DISABLE" if not is_on else "ENABLE ALWAYS" if trigger == WITNESS else "ENABLE")
    conn.execute(sql.SQL("ALTER TABLE {} {} TRIGGER {}").format(table(name), verb, sql.Identifier(trigger)))


def _states(conn: psycopg.Connection, tables: Sequence[str]) -> dict[str, str]:
    """pg_trigger.tgenabled of the fence, by table; tables without it are left out."""
    return _triggers(conn, tables, _NAME)


def _triggers(conn: psycopg.Connection, tables: Sequence[str], trigger: str) -> dict[str, str]:
    rows = conn.execute(
        "SELECT name, t.tgenabled::text FROM unnest(%s::text[]) AS name "
        "JOIN pg_trigger t ON t.tgrelid = to_regclass(name) AND t.tgname = %s",
        ([table(name).as_string(conn) for name in tables], trigger),
    ).fetchall()
    by_quoted = {table(name).as_string(conn): name for name in tables}
    return {by_quoted[quoted]: state for quoted, state in rows}
