"""The fence refuses who must not write, waits for who has begun, and lets our appliers and dry runs through."""

from __future__ import annotations

import json
from collections.abc import Iterator

import psycopg
import pytest

from cdc.fence import (
    drop_fence,
    fence_is_raised,
    install_legacy_fence,
    install_modern_fence,
    lift_fence,
    raise_fence,
)
from cdc.state import Marker, create_tables
from cdc.streaming.stream_errors import FenceNotRaised
from tests.support.streams import rows

TABLES = ("account", "bank.posting")
SCHEMA = """
CREATE SCHEMA bank;
CREATE TABLE account (id int PRIMARY KEY, balance int);
CREATE TABLE bank.posting (id int PRIMARY KEY, account int REFERENCES account);
INSERT INTO account VALUES (1, 10);
"""


@pytest.fixture
def conn(legacy_db: str) -> Iterator[psycopg.Connection]:
    with psycopg.connect(legacy_db, autocommit=True) as conn:
        conn.execute(SCHEMA)
        create_tables(conn)
        yield conn


def write(conn: psycopg.Connection) -> None:
    conn.execute("UPDATE account SET balance = balance + 1")


def test_in_legacy_it_is_lifted_until_it_is_raised(conn: psycopg.Connection) -> None:
    install_legacy_fence(conn, TABLES)
    assert not fence_is_raised(conn, TABLES)
    write(conn)
    raise_fence(conn, TABLES, None, 5)
    assert fence_is_raised(conn, TABLES)
    for statement in ("UPDATE account SET balance = 0", "TRUNCATE bank.posting", "DELETE FROM bank.posting"):
        with pytest.raises(psycopg.errors.ReadOnlySqlTransaction, match="fenced"):
            conn.execute(statement.encode())
    lift_fence(conn, TABLES)
    write(conn)


def test_in_modern_it_refuses_what_would_stay_and_lets_a_dry_run_through(conn: psycopg.Connection) -> None:
    install_modern_fence(conn, TABLES)
    assert fence_is_raised(conn, TABLES)
    with conn.transaction(force_rollback=True):
        write(conn)
        conn.execute("INSERT INTO bank.posting VALUES (1, 1)")
    with pytest.raises(psycopg.errors.ReadOnlySqlTransaction):
        write(conn)
    with pytest.raises(psycopg.errors.ReadOnlySqlTransaction):
        conn.execute("TRUNCATE bank.posting")
    lift_fence(conn, TABLES)
    write(conn)
    conn.execute("TRUNCATE bank.posting")


def test_installing_again_changes_nothing(conn: psycopg.Connection) -> None:
    install_modern_fence(conn, TABLES)
    lift_fence(conn, TABLES)
    install_modern_fence(conn, TABLES)
    assert not fence_is_raised(conn, TABLES)
    raise_fence(conn, TABLES, None, 5)
    install_modern_fence(conn, TABLES)
    assert fence_is_raised(conn, TABLES)
    drop_fence(conn, TABLES)
    assert not fence_is_raised(conn, TABLES)
    write(conn)


@pytest.mark.parametrize("way", ["SET session_replication_role = replica", "SET strangler.applier = 'yes'"])
def test_appliers_pass(conn: psycopg.Connection, way: str) -> None:
    install_legacy_fence(conn, ("account",))
    install_modern_fence(conn, ("bank.posting",))
    raise_fence(conn, ("account",), None, 5)
    conn.execute(way.encode())
    write(conn)
    conn.execute("INSERT INTO bank.posting VALUES (1, 1)")
    conn.execute("DELETE FROM bank.posting")
    assert rows(conn, "SELECT balance FROM account") == [(11,)]


def test_it_does_not_pass_an_open_writer_by(conn: psycopg.Connection, legacy_db: str) -> None:
    install_legacy_fence(conn, TABLES)
    with psycopg.connect(legacy_db) as writer:
        write(writer)
        with pytest.raises(FenceNotRaised, match="account"):
            raise_fence(conn, TABLES, Marker("accounts:forward", "m"), 0.05)
        writer.commit()
    assert not fence_is_raised(conn, TABLES)
    raise_fence(conn, TABLES, Marker("accounts:forward", "m"), 5)
    assert fence_is_raised(conn, TABLES)


def test_the_marker_comes_with_it(conn: psycopg.Connection) -> None:
    install_legacy_fence(conn, TABLES)
    slot = conn.execute(
        "SELECT slot_name FROM pg_create_logical_replication_slot('fence_' || current_database(), 'test_decoding')"
    ).fetchone()
    assert slot is not None
    raise_fence(conn, TABLES, Marker("accounts:forward", "run-1", "skip"), 5)
    changes = conn.execute("SELECT data FROM pg_logical_slot_get_changes(%s, NULL, NULL)", slot).fetchall()
    (content,) = [text.partition("content:")[2] for (text,) in changes if "content:" in text]
    assert json.loads(content) == {"stream": "accounts:forward", "marker": "run-1", "mode": "skip"}
