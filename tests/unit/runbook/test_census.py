from __future__ import annotations

from pathlib import Path

import psycopg

from runbook import census
from tests.support.two_homes import two_homes

INSERT = """INSERT INTO trnhist SELECT '20260201', %s, acct_no, trn_ref, trn_cd, drcr, amt, bal_aft, NULL, trn_ts, NULL
FROM trnhist WHERE trn_seq = 1"""


def write(url: str, application_name: str, seq: int, *, replica: bool = False) -> None:
    with psycopg.connect(url, application_name=application_name) as connection:
        if replica:
            connection.execute("SET session_replication_role = replica")
        connection.execute(INSERT, (seq,))


def test_who_writes_is_named_and_the_streams_are_not(tmp_path: Path, legacy_db: str, modern_db: str) -> None:
    with two_homes(tmp_path, legacy_db, modern_db) as sides:
        assert census.writers(sides, sides.legacy) == ()
        assert not census.is_installed(sides.legacy)
        census.install(sides, sides.legacy)
        census.install(sides, sides.legacy)
        assert census.is_installed(sides.legacy)
        write(legacy_db, "corebank", 1001)
        write(legacy_db, "corebank-batch", 1002)
        write(legacy_db, "corebank-batch", 1003)
        write(legacy_db, "strangler-repair", 1004)
        write(legacy_db, "applier", 1005, replica=True)
        seen = census.writers(sides, sides.legacy)
        assert [(w.application_name, w.role, w.tables) for w in seen] == [
            ("corebank", "strangler", ("public.trnhist",)),
            ("corebank-batch", "strangler", ("public.trnhist",)),
        ]
        assert [w.name for w in census.foreign(seen, ("corebank", "ledger"))] == ["corebank-batch"]


def test_two_writers_never_wait_for_each_other_in_the_census(tmp_path: Path, legacy_db: str, modern_db: str) -> None:
    with two_homes(tmp_path, legacy_db, modern_db) as sides:
        census.install(sides, sides.legacy)
        with (
            psycopg.connect(legacy_db, application_name="corebank") as first,
            psycopg.connect(legacy_db, application_name="corebank") as second,
        ):
            for connection in (first, second):
                connection.execute("SET lock_timeout = 1000")
            first.execute(INSERT, (2001,))
            second.execute("UPDATE custmast SET seg = 'X' WHERE cust_no = '10000002'")
            second.execute(INSERT, (2002,))
            first.execute("UPDATE custmast SET seg = 'X' WHERE cust_no = '10000001'")


def test_a_transaction_that_is_rolled_back_was_no_writer(tmp_path: Path, legacy_db: str, modern_db: str) -> None:
    with two_homes(tmp_path, legacy_db, modern_db) as sides:
        census.install(sides, sides.legacy)
        with psycopg.connect(legacy_db, application_name="dry-run") as connection:
            connection.execute(INSERT, (3001,))
            connection.rollback()
        assert census.writers(sides, sides.legacy) == ()


def test_removed_it_leaves_nothing(tmp_path: Path, legacy_db: str, modern_db: str) -> None:
    with two_homes(tmp_path, legacy_db, modern_db) as sides:
        census.install(sides, sides.modern)
        census.remove(sides, sides.modern)
        census.remove(sides, sides.legacy)
        assert not census.is_installed(sides.modern)
        assert sides.modern.ask("SELECT count(*) FROM pg_trigger WHERE tgname = 'strangler_census'") == [(0,)]


def test_a_connection_without_a_name_is_known_by_its_role() -> None:
    assert census.Writer("", "dba", ("t",), "").name == "dba"
