"""A repair makes rows equal through the mapping while both sides are written, and nobody takes it for a change of its own."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest

from cdc.streaming import slots
from cdc.streaming.stream_errors import RepairRefused
from config.model import Database, Routes
from runbook.control import Control
from runbook.journal import Journal
from runbook.repair import find, put_right
from tests.support.mapped_pair import Pair, mapped_pair
from tests.support.streams import REVERSE, mark, rows, state, streaming

DAMAGE = """
SET session_replication_role = replica;
UPDATE account SET balance = balance + 0.01 WHERE account_id = '2000000007';
DELETE FROM posting WHERE sequence = 9;
DELETE FROM account WHERE account_id = '2000000010';
INSERT INTO customer VALUES ('19999999', 'NOBODY', '2000-01-01', NULL, NULL, 'active');
RESET session_replication_role;
"""


@pytest.fixture
def pair(tmp_path: Path, legacy_db: str, modern_db: str) -> Iterator[Pair]:
    with mapped_pair(tmp_path, legacy_db, modern_db) as found:
        yield found


def with_control(routes: Routes, folder: Path) -> Routes:
    control = Database(url=f"sqlite:///{folder}/control.db")
    return routes.model_copy(update={"databases": {**routes.databases, "control": control}})


def write(url: str, stop: threading.Event) -> None:
    """Among the rows that are repaired one is being changed."""
    with psycopg.connect(url, autocommit=True) as conn:
        while not stop.wait(0.002):
            conn.execute("UPDATE acctmast SET bal_amt = bal_amt + 1 WHERE acct_no = '2000000007'")


def test_every_kind_of_difference_is_put_right_under_writes(
    pair: Pair, tmp_path: Path, legacy_db: str, modern_db: str
) -> None:
    routes = with_control(pair.routes, tmp_path)
    with streaming(pair.routes, modern_db):
        mark(pair.legacy, pair.modern, "before")
        pair.modern.execute(DAMAGE)
        alarms = state(pair.legacy, REVERSE).alarms
        found = find(routes, "accounts", "forward")
        assert {one.target: one.differences for one in found.tables} == {"customer": 1, "account": 2, "posting": 1}
        stop = threading.Event()
        writer = threading.Thread(target=write, args=(legacy_db, stop))
        writer.start()
        try:
            after = put_right(routes, "accounts", found, "ada")
        finally:
            stop.set()
            writer.join()
        assert after.equal
        mark(pair.modern, pair.legacy, "seen", stream=REVERSE)
        assert state(pair.legacy, REVERSE).alarms == alarms + 4  # the damage itself, and none of the repair
    before = rows(
        pair.modern, "SELECT relation, key ->> 'account_id', before IS NULL FROM strangler.repaired ORDER BY 1, 2"
    )
    assert before == [
        ("account", "2000000007", False),
        ("account", "2000000010", True),
        ("customer", None, False),
        ("posting", None, True),
    ]
    control = Control.of(routes)
    entries = Journal(control).entries("accounts")
    control.close()
    assert [entry.type for entry in entries] == ["repair.started", *["repair.batch"] * 3, "repair.done"]
    assert {entry.actor for entry in entries} == {"ada"}
    assert entries[-1].facts() == {"direction": "forward", "equal": True}


def test_without_a_running_stream_nothing_is_repaired(
    pair: Pair, tmp_path: Path, modern_db: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(slots, "ABSENT_SECONDS", 0.1)
    routes = with_control(pair.routes, tmp_path)
    with streaming(pair.routes, modern_db):
        mark(pair.legacy, pair.modern, "before")
    pair.modern.execute(DAMAGE)
    with pytest.raises(RepairRefused):
        put_right(routes, "accounts", find(routes, "accounts", "forward"), "ada")
    assert rows(pair.modern, "SELECT count(*) FROM customer WHERE customer_id = '19999999'") == [(1,)]
