"""A stand-in for both streams that carries only markers and sentinels: enough where nobody writes rows.

It reads each database's log with test_decoding and writes what a stream would write into the other one.
"""

from __future__ import annotations

import json
import re
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime

import psycopg

from cdc.fence import install_legacy_fence, install_modern_fence
from cdc.state import StreamState, begin_stream, create_tables
from runbook.sides import Sides

MESSAGE = re.compile(r"message: transactional: 1 prefix: strangler, sz: \d+ content:(\{.*\})")
SENTINEL = re.compile(r"table strangler\.sentinel: INSERT: id\[text\]:'([^']+)' direction\[text\]:'(\w+)'")
CHANGES = "SELECT data FROM pg_logical_slot_get_changes(%s, NULL, NULL)"
ALIVE = """UPDATE strangler.stream
SET position = %s::pg_lsn, commit_at = now(), heartbeat_at = now(), updated_at = now() WHERE name = %s"""
MARKED = "UPDATE strangler.stream SET marker = %s, mode = coalesce(%s, mode) WHERE name = %s"
CARRIED = "INSERT INTO strangler.sentinel (id, direction) VALUES (%s, %s) ON CONFLICT DO NOTHING"


@contextmanager
def relay(sides: Sides, legacy_db: str, modern_db: str) -> Iterator[threading.Event]:
    """Set both databases up as `sync run` does, and carry markers; the event, while set, stalls the forward one."""
    stop, stalls = threading.Event(), threading.Event()
    for side, install in ((sides.legacy, install_legacy_fence), (sides.modern, install_modern_fence)):
        create_tables(side.conn)
        install(side.conn, side.tables)
    ends = (("forward", "apply", legacy_db, modern_db), ("reverse", "skip", modern_db, legacy_db))
    for direction, mode, source, target in ends:
        with psycopg.connect(source, autocommit=True) as connection:
            connection.execute("SELECT pg_create_logical_replication_slot(%s, 'test_decoding')", (_slot(source),))
        with psycopg.connect(target, autocommit=True) as connection:
            begin_stream(connection, _state(f"accounts:{direction}", mode))
    threads = [
        threading.Thread(target=_carry, args=(direction, source, target, stop, stalls))
        for direction, _, source, target in ends
    ]
    for thread in threads:
        thread.start()
    try:
        yield stalls
    finally:
        stop.set()
        for thread in threads:
            thread.join()
        for _, _, source, _ in ends:
            with psycopg.connect(source, autocommit=True) as connection:
                connection.execute("SELECT pg_drop_replication_slot(%s)", (_slot(source),))


def _slot(url: str) -> str:
    return f"relay_{url.rpartition('/')[2]}"


def _carry(direction: str, source: str, target: str, stop: threading.Event, stalls: threading.Event) -> None:
    with psycopg.connect(source, autocommit=True) as at_source, psycopg.connect(target, autocommit=True) as at_target:
        while not stop.wait(0.005):
            if stalls.is_set() and direction == "forward":
                continue
            for (text,) in at_source.execute(CHANGES, (_slot(source),)).fetchall():
                _apply(at_target, text)
            position = at_source.execute("SELECT pg_current_wal_lsn()::text").fetchone()
            at_target.execute(ALIVE, (position[0] if position else None, f"accounts:{direction}"))


def _apply(target: psycopg.Connection, text: str) -> None:
    if found := MESSAGE.match(text):
        said = json.loads(found[1])
        target.execute(MARKED, (said["marker"], said["mode"], said["stream"]))
    elif found := SENTINEL.match(text):
        target.execute(CARRIED, found.groups())


def _state(name: str, mode: str) -> StreamState:
    now = datetime.now(UTC)
    return StreamState(
        name=name,
        system_id="1",
        timeline=1,
        slot="relay",
        slot_created_lsn=None,
        position=None,
        commit_at=now,
        mode=mode,
        marker=None,
        marker_position=None,
        state="streaming",
        error=None,
        applied_rows=0,
        applied_transactions=0,
        skipped_transactions=0,
        alarms=0,
        last_alarm=None,
        heartbeat_at=now,
        updated_at=now,
    )
