"""Bringing a schema up to date: again is a no-op, two at once take turns, a failed one says where."""

from __future__ import annotations

import sys
from concurrent.futures import ThreadPoolExecutor
from subprocess import run

import psycopg
import pytest

from config.errors import DatabaseDown
from migrations import upgrade as upgrades
from migrations.upgrade import AnotherUpgradeRuns, RevisionFailed, upgrade

REVISIONS = ["ledger_0001", "ledger_0002", "ledger_0003"]
ONE = "import sys; from migrations.upgrade import upgrade; print(len(upgrade(sys.argv[1])))"


def test_again_is_a_no_op(modern_db: str) -> None:
    heard: list[str] = []
    assert [one.revision for one in upgrade(modern_db, on_revision=lambda one: heard.append(one.revision))] == REVISIONS
    assert heard == REVISIONS
    statements: list[str] = []
    assert upgrade(modern_db, on_statement=statements.append) == ()
    assert not [statement for statement in statements if not statement.startswith("SELECT")]
    assert upgrade(modern_db, branch="contract") == ()


def test_two_at_once_take_turns(modern_db: str) -> None:
    def in_a_process(_: int) -> int:
        done = run([sys.executable, "-c", ONE, modern_db], capture_output=True, text=True, timeout=60, check=True)
        return int(done.stdout)

    with ThreadPoolExecutor(3) as threads:
        assert sorted(threads.map(in_a_process, range(3))) == [0, 0, 3]


def test_a_turn_that_does_not_come_is_an_error(modern_db: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(upgrades, "TURN_SECONDS", 0.1)
    with upgrades._turn(modern_db, "ledger"), pytest.raises(AnotherUpgradeRuns, match="still runs"):
        upgrade(modern_db)
    with psycopg.connect(modern_db) as connection:
        assert connection.execute("SELECT to_regclass('public.account')").fetchone() == (None,)


def test_a_failed_revision_is_rolled_back_and_named(modern_db: str) -> None:
    with psycopg.connect(modern_db) as connection:
        connection.execute("CREATE TABLE posting ()")
    with pytest.raises(RevisionFailed, match=r"CREATE TABLE public\.posting"):
        upgrade(modern_db)
    with psycopg.connect(modern_db) as connection:
        assert connection.execute("SELECT to_regclass('public.account')").fetchone() == (None,)
        connection.execute("DROP TABLE posting")
        connection.commit()
    assert [one.revision for one in upgrade(modern_db)] == REVISIONS


def test_a_database_that_is_down_is_named() -> None:
    with pytest.raises(DatabaseDown, match="ledger"):
        upgrade("postgresql://nobody@127.0.0.1:1/nothing")
