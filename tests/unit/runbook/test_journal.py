"""Whatever is done to a journal that was written is found."""

from __future__ import annotations

import multiprocessing
import sqlite3
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from config.errors import DatabaseDown
from runbook.control import Control
from runbook.errors import JournalBroken
from runbook.journal import GENESIS, Journal, hash_of
from tests.support.desk import journal_in

NO_TRIGGERS = "DROP TRIGGER journal_no_update; DROP TRIGGER journal_no_delete;"


def written(folder: Path, count: int = 5) -> Journal:
    journal = Journal(Control(f"sqlite:///{folder / 'control.db'}", folder / "journal.head"))
    for number in range(count):
        journal.append("step", "alice", "accounts", {"step": f"step {number}", "n": number}, run_id="r-1")
    return journal


def tampered(folder: Path, statements: str) -> None:
    with sqlite3.connect(folder / "control.db") as connection:
        connection.executescript(NO_TRIGGERS + statements)
    connection.close()


def test_a_journal_that_nobody_touched_is_whole(tmp_path: Path) -> None:
    check = written(tmp_path).verify()
    assert (check.ok, check.entries, check.problems) == (True, 5, ())
    assert check.head != GENESIS


def test_an_empty_journal_is_whole(tmp_path: Path) -> None:
    assert written(tmp_path, 0).verify().ok


@pytest.mark.parametrize(
    ("statements", "problem"),
    [
        ("UPDATE journal SET actor = 'bob' WHERE seq = 3", "entry 3 was changed"),
        ("UPDATE journal SET payload = replace(payload, '2', '3') WHERE seq = 3", "entry 3 was changed"),
        ("UPDATE journal SET at = '2020-01-01' WHERE seq = 5", "entry 5 was changed"),
        ("UPDATE journal SET run_id = 'r-', capability = '1accounts' WHERE seq = 1", "entry 1 was changed"),
        ("DELETE FROM journal WHERE seq = 3", "entry 3 is missing"),
        ("DELETE FROM journal WHERE seq = 1", "entry 1 is missing"),
        ("DELETE FROM journal WHERE seq = 5", "tail was cut: 4 entries of 5"),
        ("DELETE FROM journal", "tail was cut: 0 entries of 5"),
        (
            """UPDATE journal SET seq = 9 WHERE seq = 2; UPDATE journal SET seq = 2 WHERE seq = 3;
            UPDATE journal SET seq = 3 WHERE seq = 9""",
            "entry 2",
        ),
        ("DELETE FROM journal WHERE seq = 3; UPDATE journal SET seq = seq - 1 WHERE seq > 3", "entry 3"),
        (
            """INSERT INTO journal SELECT 6, prev_hash, hash, at, actor, type, capability, run_id, payload
            FROM journal WHERE seq = 5""",
            "entry 6",
        ),
    ],
)
def test_tampering_is_found(tmp_path: Path, statements: str, problem: str) -> None:
    journal = written(tmp_path)
    tampered(tmp_path, statements)
    check = journal.verify()
    assert not check.ok
    assert any(problem in found for found in check.problems), check.problems


def test_a_tail_that_was_written_anew_with_right_hashes_is_found_by_the_head(tmp_path: Path) -> None:
    journal = written(tmp_path)
    (last,) = journal.entries(last=1)
    stored = (last.prev_hash, last.at, "mallory", last.type, last.capability, last.run_id, last.payload)
    tampered(tmp_path, f"UPDATE journal SET actor = 'mallory', hash = '{hash_of(5, stored)}' WHERE seq = 5")
    assert journal.verify().problems == ("entry 5 is not the one that the head names",)


@pytest.mark.parametrize("statements", ["DELETE FROM journal WHERE seq = 5", "UPDATE journal SET hash = '00'"])
def test_nothing_is_appended_to_a_journal_whose_end_does_not_fit(tmp_path: Path, statements: str) -> None:
    journal = written(tmp_path)
    tampered(tmp_path, statements)
    with pytest.raises(JournalBroken, match="strangler journal verify"):
        journal.append("step", "alice", "accounts", {})


@pytest.mark.parametrize("damage", ["remove", "garble"])
def test_a_head_that_was_removed_or_garbled_is_found(tmp_path: Path, damage: str) -> None:
    written(tmp_path)
    head = tmp_path / "journal.head"
    head.unlink() if damage == "remove" else head.write_bytes(b"2 zz")
    journal = written(tmp_path, 0)
    assert journal.verify().problems == ("the head cannot be read",)
    with pytest.raises(JournalBroken):
        journal.append("step", "alice", "accounts", {})


def test_a_kill_between_commit_and_head_is_no_tampering(tmp_path: Path) -> None:
    journal = written(tmp_path)
    before = (tmp_path / "journal.head").read_bytes()
    journal.append("step", "alice", "accounts", {})
    (tmp_path / "journal.head").write_bytes(before)
    assert journal.verify().ok
    journal.append("step", "alice", "accounts", {})
    assert journal.verify().ok


def test_the_database_itself_refuses_changes(tmp_path: Path) -> None:
    written(tmp_path)
    with sqlite3.connect(tmp_path / "control.db") as connection:
        for statement in ("UPDATE journal SET actor = 'x'", "DELETE FROM journal"):
            with pytest.raises(sqlite3.IntegrityError, match="append-only"):
                connection.execute(statement)
    connection.close()


def test_rows_and_entry_are_one_transaction(tmp_path: Path) -> None:
    journal = written(tmp_path)

    def write_and_fail() -> None:
        with journal.page() as page:
            page.append("step", "alice", "accounts", {})
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        write_and_fail()
    assert len(journal.entries()) == 5
    assert journal.verify().ok


@given(flips=st.integers(0, 10_000))
@settings(max_examples=16, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_any_flipped_character_is_found(tmp_path_factory: pytest.TempPathFactory, flips: int) -> None:
    folder = tmp_path_factory.mktemp("flip")
    journal = written(folder, 2)
    columns = ("prev_hash", "hash", "at", "actor", "type", "capability", "run_id", "payload")
    column, seq = columns[flips % len(columns)], 1 + flips % 2
    text = getattr(journal.entries()[seq - 1], column)
    place = flips % len(text)
    changed = text[:place] + ("x" if text[place] != "x" else "y") + text[place + 1 :]
    with sqlite3.connect(folder / "control.db") as connection:
        connection.executescript(NO_TRIGGERS)
        connection.execute(f"UPDATE journal SET {column} = ? WHERE seq = ?", (changed, seq))
    connection.close()
    assert not journal.verify().ok


def _append_many(folder: str, count: int) -> None:
    journal = Journal(Control(f"sqlite:///{folder}/control.db", Path(folder) / "journal.head"))
    for _ in range(count):
        journal.append("step", "bob", "accounts", {})


def test_several_processes_write_one_chain(tmp_path: Path) -> None:
    journal = written(tmp_path, 1)
    context = multiprocessing.get_context("spawn")
    processes = [context.Process(target=_append_many, args=(str(tmp_path), 15)) for _ in range(2)]
    for process in processes:
        process.start()
    for process in processes:
        process.join(30)
    assert [process.exitcode for process in processes] == [0, 0]
    assert journal.verify().ok
    assert len(journal.entries()) == 31


def test_entries_of_one_capability_only_the_last(tmp_path: Path) -> None:
    journal = written(tmp_path)
    journal.append("step", "alice", "payments", {})
    assert [entry.seq for entry in journal.entries("accounts", last=2)] == [4, 5]


def test_a_control_database_that_is_down_refuses(tmp_path: Path) -> None:
    with pytest.raises(DatabaseDown, match="control"):
        Control("postgresql://nobody@127.0.0.1:1/none", tmp_path / "journal.head")


def test_nothing_is_run_on_a_journal_of_which_an_old_entry_was_changed(tmp_path: Path) -> None:
    control = Control(f"sqlite:///{tmp_path / 'control.db'}", tmp_path / "journal.head")
    journal = Journal(control)
    for number in range(3):
        journal.append("step", "alice", "accounts", {"number": number})
    journal.must_be_whole()
    with control.writing() as connection:
        connection.exec_driver_sql("DROP TRIGGER journal_no_update")
        connection.exec_driver_sql("UPDATE journal SET actor = 'mallory' WHERE seq = 2")
    with pytest.raises(JournalBroken, match="entry 2 was changed") as caught:
        journal.must_be_whole()
    assert caught.value.exit_code == 6
    control.close()


def test_an_approval_by_who_made_the_plan_or_first_ran_it_is_counted_as_such(tmp_path: Path) -> None:
    journal = journal_in(tmp_path)
    for kind, actor, plan in (
        ("plan.made", "Alice", "p1"),
        ("run.begun", "bob", "p1"),
        ("run.begun", "carol", "p2"),
        ("approval.given", "alice", "p1"),
        ("approval.given", "bob", "p1"),
        ("approval.given", "carol", "p2"),
        ("approval.given", "bob", "p3"),
    ):
        journal.append(kind, actor, "accounts", {"plan": plan})
    found = journal.verify()
    assert (found.approvals, found.self_approvals) == (4, 2)
