"""Bringing a schema up to date: again is a no-op, two at once take turns, a failed one says where."""

from __future__ import annotations

import json
import re
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from subprocess import run

import psycopg
import pytest
from typer.testing import CliRunner

from config.errors import DatabaseDown
from migrations import upgrade as upgrades
from migrations.errors import AnotherUpgradeRuns, IndexesInvalid, LockNotGiven, RevisionEdited, RevisionFailed
from migrations.upgrade import Listeners, upgrade
from migrations.watch import RanStatement
from runbook.cli import app

REVISIONS = ["ledger_0001", "ledger_0002", "ledger_0003"]
ONE = "import sys; from migrations.upgrade import upgrade; print(len(upgrade(sys.argv[1])))"


def test_again_is_a_no_op(modern_db: str) -> None:
    heard: list[str] = []
    hearing = Listeners(on_revision=lambda one: heard.append(one.revision))
    assert [one.revision for one in upgrade(modern_db, listeners=hearing)] == REVISIONS
    assert heard == REVISIONS
    statements: list[str] = []
    assert upgrade(modern_db, listeners=Listeners(on_statement=statements.append)) == ()
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


def folder_with(folder: Path, upgrade_body: str, name: str = "one") -> Path:
    folder.mkdir(exist_ok=True)
    (folder / f"{name}.py").write_text(
        '"""A revision of a test."""\n\nfrom alembic import op\n\n'
        f'revision = "{name}"\ndown_revision = None\nbranch_labels = ("expand",)\ndepends_on = None\n\n\n'
        f"def upgrade() -> None:\n    {upgrade_body}\n"
    )
    return folder


def test_each_statement_is_told_with_the_lock_it_takes_and_its_time(modern_db: str, tmp_path: Path) -> None:
    with psycopg.connect(modern_db) as connection:
        connection.execute("CREATE TABLE public.item (id int PRIMARY KEY)")
    folder = folder_with(tmp_path / "r", 'op.execute("ALTER TABLE public.item ADD COLUMN note text")')
    ran: list[RanStatement] = []
    upgrade(modern_db, str(folder), listeners=Listeners(on_ran=ran.append))
    (altered,) = [one for one in ran if one.sql.startswith("ALTER TABLE")]
    assert altered.locks == ("item: AccessExclusiveLock",)
    assert altered.seconds > 0


def test_the_command_prints_each_statement_with_its_locks_and_its_time(
    modern_db: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with psycopg.connect(modern_db) as connection:
        connection.execute("CREATE TABLE public.item (id int PRIMARY KEY)")
    folder = folder_with(tmp_path / "r", 'op.execute("ALTER TABLE public.item ADD COLUMN note text")')
    monkeypatch.setenv("LEDGER_DB", modern_db)
    done = CliRunner().invoke(app, ["migrate", "upgrade", str(folder), "--json"])
    assert done.exit_code == 0, done.output
    assert re.search(
        r"\d+\.\d ms  ALTER TABLE public.item ADD COLUMN note text  \[item: AccessExclusiveLock\]", done.stderr
    )
    (altered,) = [
        one for one in json.loads(done.stdout)["statements"] if one["sql"].startswith("ALTER TABLE public.item")
    ]
    assert (altered["locks"], altered["seconds"] > 0) == (["item: AccessExclusiveLock"], True)


def test_a_revision_that_was_edited_after_it_ran_is_refused(modern_db: str, tmp_path: Path) -> None:
    folder = folder_with(tmp_path / "r", 'op.execute("CREATE TABLE public.a (id int PRIMARY KEY)")')
    upgrade(modern_db, str(folder))
    assert upgrade(modern_db, str(folder)) == ()
    folder_with(folder, 'op.execute("CREATE TABLE public.a (id bigint PRIMARY KEY)")')
    with pytest.raises(RevisionEdited, match="Edited after they ran: one"):
        upgrade(modern_db, str(folder))


def test_a_statement_without_its_lock_is_tried_again(
    modern_db: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(upgrades, "LOCK_TIMEOUT_SECONDS", 0.2)
    monkeypatch.setattr(upgrades, "LOCK_PAUSE_SECONDS", 0.01)
    folder = folder_with(tmp_path / "r", 'op.execute("ALTER TABLE public.item ADD COLUMN note text")')
    with psycopg.connect(modern_db) as holder:
        holder.execute("CREATE TABLE public.item (id int PRIMARY KEY)")
        holder.commit()
        holder.execute("SELECT FROM public.item")
        retries: list[str] = []

        def let_go(statement: str) -> None:
            retries.append(statement)
            if len(retries) == 2:
                holder.rollback()

        assert len(upgrade(modern_db, str(folder), listeners=Listeners(on_retry=let_go))) == 1
        assert len(retries) == 2
        folder_with(folder, 'op.execute("ALTER TABLE public.item ADD COLUMN more text")', "two")
        (folder / "two.py").write_text(
            (folder / "two.py")
            .read_text()
            .replace("down_revision = None", 'down_revision = "one"')
            .replace('("expand",)', "None")
        )
        holder.execute("SELECT FROM public.item")
        with pytest.raises(LockNotGiven, match="did not get its lock in 5 attempts"):
            upgrade(modern_db, str(folder))


def test_an_index_that_a_failed_build_left_is_named_and_built_anew_on_request(modern_db: str, tmp_path: Path) -> None:
    folder = folder_with(tmp_path / "r", 'op.execute("CREATE TABLE public.a (id int PRIMARY KEY)")')
    with psycopg.connect(modern_db, autocommit=True) as connection:
        connection.execute("CREATE TABLE public.item (v int); INSERT INTO public.item VALUES (1), (1)")
        with pytest.raises(psycopg.errors.UniqueViolation):
            connection.execute("CREATE UNIQUE INDEX CONCURRENTLY item_v ON public.item (v)")
        with pytest.raises(IndexesInvalid, match=r"public\.item_v"):
            upgrade(modern_db, str(folder))
        connection.execute("DELETE FROM public.item")
        assert len(upgrade(modern_db, str(folder), mend=True)) == 1
        valid = "SELECT indisvalid FROM pg_index WHERE indexrelid = 'public.item_v'::regclass"
        assert connection.execute(valid).fetchone() == (True,)
