"""Publications, slots and what they need of a source; and whether a stream may start from where its slot is."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from time import monotonic, sleep

import psycopg
import structlog
from psycopg import sql

from cdc.state import StreamState
from cdc.statements import table
from cdc.streaming.pgoutput import parse_lsn
from cdc.streaming.stream_errors import ChangesLost, OtherSource, SlotGone, SourceNotReady, SourceWentBack, StreamError

OLD_TRANSACTION_SECONDS = 5
ABSENT_SECONDS, LOOK_SECONDS = 1.0, 0.02  # a stream that is away for longer is not only reconnecting
_FAILOVER_SINCE = 170000

_log = structlog.get_logger()


@dataclass(frozen=True)
class Slot:
    """A replication slot as pg_replication_slots has it; `retained_bytes` is the log that it holds back."""

    name: str
    confirmed: str
    status: str  # reserved, extended, unreserved or lost
    active_pid: int | None
    retained_bytes: int


def name_of(capability: str, direction: str) -> str:
    """The name of a stream's slot and publication: PostgreSQL allows lower case, digits and underscores."""
    return re.sub(r"[^a-z0-9_]", "_", f"strangler_{capability}_{direction}".lower())[:63]


def read_slot(conn: psycopg.Connection, name: str) -> Slot | None:
    """The slot of that name in this database; None where there is none."""
    row = conn.execute(
        "SELECT slot_name::text, coalesce(confirmed_flush_lsn, '0/0')::text, coalesce(wal_status, 'lost'), active_pid, "
        "coalesce(pg_current_wal_lsn() - restart_lsn, 0)::bigint FROM pg_replication_slots "
        "WHERE slot_name = %s AND database = current_database()",
        (name,),
    ).fetchone()
    return Slot(*row) if row else None


def is_read(conn: psycopg.Connection, name: str) -> bool | None:
    """Whether a process reads the slot; false only if none does for ABSENT_SECONDS, None where there is no slot."""
    deadline = monotonic() + ABSENT_SECONDS
    while True:
        row = conn.execute("SELECT active FROM pg_replication_slots WHERE slot_name = %s", (name,)).fetchone()
        if row is None:
            return None
        if row[0] or monotonic() >= deadline:
            return bool(row[0])
        sleep(LOOK_SECONDS)


def drop_slot(conn: psycopg.Connection, name: str) -> None:
    """Remove a slot if it is there; a connection that still reads it is ended first."""
    conn.execute(
        "SELECT pg_terminate_backend(active_pid, 5000) FROM pg_replication_slots "
        "WHERE slot_name = %s AND active_pid IS NOT NULL",
        (name,),
    )
    conn.execute(
        "SELECT pg_drop_replication_slot(slot_name) FROM pg_replication_slots "
        "WHERE slot_name = %s AND database = current_database()",
        (name,),
    )


def end_reader(conn: psycopg.Connection, name: str, pid: int | None) -> None:
    """End the walsender of ours that read the slot before, if its server has not noticed that nobody listens."""
    conn.execute(
        "SELECT pg_terminate_backend(active_pid) FROM pg_replication_slots WHERE slot_name = %s AND active_pid = %s",
        (name, pid),
    )


def create_slot(replication: psycopg.Connection, name: str, *, with_snapshot: bool, is_temporary: bool = False) -> str:
    """Make a slot and return its consistent point; with a snapshot, the open transaction sees exactly that point.

    A temporary one goes with its connection, whatever happens to the process.
    """
    snapshot = sql.SQL("use" if with_snapshot else "nothing")
    if replication.info.server_version >= _FAILOVER_SINCE and not is_temporary:
        options = sql.SQL("(SNAPSHOT {}, FAILOVER true)").format(sql.Literal(snapshot.as_string(None)))
    else:
        options = sql.SQL("USE_SNAPSHOT" if with_snapshot else "NOEXPORT_SNAPSHOT").format()
    temporary = sql.SQL(" TEMPORARY" if is_temporary else "")
    command = sql.SQL("CREATE_REPLICATION_SLOT {}{} LOGICAL pgoutput {}").format(
        sql.Identifier(name), temporary, options
    )
    row = replication.execute(command).fetchone()
    return str(row[1]) if row else "0/0"


def ensure_publication(conn: psycopg.Connection, stream: str, name: str, tables: Sequence[str]) -> None:
    """Make the publication; one that has other tables than are mapped is refused, because those have no backfill."""
    rows = conn.execute(
        "SELECT CASE WHEN t.schemaname = 'public' THEN t.tablename ELSE t.schemaname || '.' || t.tablename END "
        "FROM pg_publication p LEFT JOIN pg_publication_tables t ON t.pubname = p.pubname WHERE p.pubname = %s",
        (name,),
    ).fetchall()
    published = {row[0] for row in rows if row[0] is not None}
    if not rows:
        conn.execute(
            sql.SQL("CREATE PUBLICATION {} FOR TABLE {} WITH (publish_via_partition_root = true)").format(
                sql.Identifier(name), sql.SQL(", ").join(table(one) for one in tables)
            )
        )
    elif published != set(tables):
        different = ", ".join(sorted(published ^ set(tables)))
        raise SourceNotReady(
            stream,
            f"the mappings and the publication {name!r} differ in {different}",
            "A table that is added needs a backfill: drop the publication, the slot and the stream's row of "
            "strangler.stream, and start again.",
        )


def check_source(conn: psycopg.Connection, stream: str) -> None:
    """What a new slot needs of the server. Raises SourceNotReady; old transactions, which delay it, are logged."""
    row = conn.execute(
        "SELECT current_setting('wal_level'), current_setting('max_replication_slots')::int - "
        "(SELECT count(*) FROM pg_replication_slots), current_setting('max_wal_senders')::int - "
        "(SELECT count(*) FROM pg_stat_replication), (SELECT rolreplication OR rolsuper FROM pg_roles "
        "WHERE rolname = current_user), current_user"
    ).fetchone()
    if row is None:
        return
    level, slots_left, senders_left, may_replicate, user = row
    for is_wrong, problem, remedy in (
        (level != "logical", f"wal_level is {level}", "Set wal_level = logical on the source and restart it."),
        (slots_left < 1, "no replication slot is left", "Raise max_replication_slots, or drop a slot nobody reads."),
        (senders_left < 1, "no walsender is left", "Raise max_wal_senders on the source."),
        (not may_replicate, f"the role {user!r} may not replicate", f"ALTER ROLE {user} REPLICATION on the source."),
    ):
        if is_wrong:
            raise SourceNotReady(stream, problem, remedy)
    old = conn.execute(
        "SELECT pid, application_name, extract(epoch FROM clock_timestamp() - xact_start)::int FROM pg_stat_activity "
        "WHERE backend_xid IS NOT NULL AND pid <> pg_backend_pid() AND datname = current_database() "
        "AND xact_start < clock_timestamp() - make_interval(secs => %s)",
        (OLD_TRANSACTION_SECONDS,),
    ).fetchall()
    for pid, application_name, seconds in old:
        _log.warning("slot.waits_for", stream=stream, pid=pid, application_name=application_name, seconds=seconds)


def read_end(conn: psycopg.Connection) -> str:
    """How far the server's log reaches on its disk: no stream can have been sent more."""
    row = conn.execute(
        "SELECT (CASE WHEN pg_is_in_recovery() THEN pg_last_wal_replay_lsn() ELSE pg_current_wal_flush_lsn() END)::text"
    ).fetchone()
    return str(row[0]) if row else "0/0"


def may_start(state: StreamState, slot: Slot | None, end: str, system_id: str, timeline: int) -> bool:
    """Whether the stream may go on from its checkpoint."""
    try:
        check_start(state, slot, end, system_id, timeline)
    except StreamError as error:
        _log.warning("slot.not_usable", stream=state.name, reason=error.sentence)
        return False
    return True


def check_start(state: StreamState, slot: Slot | None, end: str, system_id: str, timeline: int) -> None:
    """Whether the stream may go on from its checkpoint. Raises OtherSource, SourceWentBack, SlotGone, ChangesLost.

    A slot that was made anew begins behind its making, so its confirmed position is past any older checkpoint. A source
    that was restored writes its log again from an earlier place: what comes until the checkpoint would be skipped.
    """
    if (state.system_id, state.timeline) != (system_id, timeline):
        expected = f"system {state.system_id}, timeline {state.timeline}"
        raise OtherSource(state.name, expected, f"system {system_id}, timeline {timeline}")
    if state.position is not None and parse_lsn(state.position) > parse_lsn(end):
        raise SourceWentBack(state.name, state.position, end)
    if slot is None:
        raise SlotGone(state.name, state.slot, "does not exist")
    if slot.status == "lost":
        raise SlotGone(state.name, slot.name, "was invalidated, because it held back too much of the log")
    if state.position is None or parse_lsn(state.position) < parse_lsn(slot.confirmed):
        raise ChangesLost(state.name, slot.name, state.position or "nothing", slot.confirmed)
