"""Rows that a stream wrote are compared again: what differs is told by key and column, and forgotten when it agrees."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from cdc.exposition import families
from cdc.verification import noted, recheck
from cdc.watch import Look, look
from runbook.control import Control
from runbook.journal import Journal
from runbook.repair import find, put_right
from tests.scenarios.test_stream_repair import with_control
from tests.support.item_pair import BOTH_WAYS, ItemPair, item_pair
from tests.support.streams import REVERSE, mark, rows, streaming
from tests.support.waiting import wait_until

# A row of modern that gets another value than it is sent, whoever sends it.
WRONG = """
CREATE FUNCTION wrong() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN NEW.body := 'secret'; RETURN NEW; END $$;
CREATE TRIGGER wrong BEFORE INSERT OR UPDATE ON thing FOR EACH ROW WHEN (NEW.thing_id % 10 = 7) EXECUTE FUNCTION wrong();
ALTER TABLE thing ENABLE ALWAYS TRIGGER wrong;
"""


@pytest.fixture(autouse=True)
def _soon(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(noted, "SETTLED_SECONDS", 0.2)
    monkeypatch.setattr(recheck, "LOOK_SECONDS", 0.05)


@pytest.fixture
def pair(tmp_path: Path, legacy_db: str, modern_db: str) -> Iterator[ItemPair]:
    with item_pair(tmp_path, legacy_db, modern_db, BOTH_WAYS) as found:
        found.legacy.execute("INSERT INTO item SELECT n, 'a', 'n' || n, 'right', 1 FROM generate_series(1, 50) AS n")
        yield found


def forward(pair: ItemPair) -> Look:
    return look(pair.routes, "accounts")[0]


def test_a_row_that_is_written_wrong_is_told_until_it_is_repaired(
    pair: ItemPair, tmp_path: Path, modern_db: str, capsys: pytest.CaptureFixture[str]
) -> None:
    routes = with_control(pair.routes, tmp_path)
    with streaming(pair.routes, modern_db):
        pair.modern.execute(WRONG)
        pair.legacy.execute("UPDATE item SET size = 2 WHERE id BETWEEN 1 AND 9")
        wait_until(lambda: forward(pair).differences == 1 and forward(pair).rechecked_rows == 9, "it is told", 20)
        seen = forward(pair)
        assert seen.last_difference == 'thing {"thing_id": "7"} changed body'
        assert seen.unchecked_rows == 0
        samples = {sample.name: sample.value for family in families([seen]) for sample in family.samples}
        assert samples["strangler_stream_differences"] == 1
        view = "SELECT differences, rechecked_rows FROM strangler.status WHERE name = 'accounts:forward'"
        assert rows(pair.modern, view) == [(1, 9)]
        pair.modern.execute("DROP TRIGGER wrong ON thing")
        found = find(routes, "accounts", "forward", known=True)
        assert {one.target: (one.rows, one.differences) for one in found.tables} == {"thing": (1, 1), "piece": (0, 0)}
        assert put_right(routes, "accounts", found, "ada", known=True).equal
        wait_until(lambda: forward(pair).differences == 0, "it is forgotten", 20)
        control = Control.of(routes)
        entries = [entry.type for entry in Journal(control).entries("accounts")]
        control.close()
        assert entries == ["repair.started", "repair.batch", "repair.done"]
    said = capsys.readouterr().out
    assert "recheck.differs" in said
    assert "secret" not in said + json.dumps(seen.last_difference)
    assert rows(pair.modern, "SELECT to_regclass('strangler.verify_result')") == [(None,)]  # it says nothing of others


def test_what_differs_is_known_after_a_restart_and_goes_when_the_source_writes_the_row_again(
    pair: ItemPair, modern_db: str
) -> None:
    with streaming(pair.routes, modern_db):
        pair.modern.execute(WRONG)
        pair.legacy.execute("DELETE FROM item WHERE id = 6; UPDATE item SET size = 2 WHERE id = 7")
        pair.legacy.execute("UPDATE item SET id = 107 WHERE id = 8")
        wait_until(lambda: forward(pair).differences == 2, "they are told", 20)
    pair.modern.execute("DROP TRIGGER wrong ON thing")
    with streaming(pair.routes, modern_db):
        pair.legacy.execute("UPDATE item SET size = 3 WHERE id = 7")
        pair.legacy.execute("DELETE FROM item WHERE id = 107")
        wait_until(lambda: forward(pair).differences == 0, "they are forgotten", 20)
        pair.catches_up()


def test_of_a_large_transaction_a_share_is_rechecked_and_the_rest_is_counted(pair: ItemPair, modern_db: str) -> None:
    with streaming(pair.routes, modern_db):
        pair.legacy.execute("INSERT INTO item SELECT n, 'a', NULL, 'right', 1 FROM generate_series(101, 1100) AS n")
        wait_until(lambda: forward(pair).rechecked_rows == 100, "a share is looked at", 20)
        assert forward(pair).unchecked_rows == 900
        assert forward(pair).differences == 0


def test_a_row_that_is_written_all_the_time_is_no_difference(pair: ItemPair, legacy_db: str, modern_db: str) -> None:
    with streaming(pair.routes, modern_db):
        for number in range(300):
            pair.legacy.execute("UPDATE item SET size = %s WHERE id %% 5 = %s", (number, number % 5))
            pair.legacy.execute("INSERT INTO part VALUES (1, %s, 'x')", (number,))
            pair.legacy.execute("DELETE FROM part WHERE number < %s", (number - 3,))
        pair.catches_up()
        wait_until(lambda: forward(pair).rechecked_rows > 50, "rows are looked at", 20)
        assert forward(pair).differences == 0


def test_after_the_cutover_the_reverse_stream_is_rechecked(pair: ItemPair, legacy_db: str, modern_db: str) -> None:
    with streaming(pair.routes, modern_db):
        mark(pair.legacy, pair.modern, "over", mode="skip")
        mark(pair.modern, pair.legacy, "back", stream=REVERSE, mode="apply")
        pair.legacy.execute(WRONG.replace("thing_id % 10", "id").replace("thing", "item"))
        pair.modern.execute("SET session_replication_role = replica; UPDATE thing SET size = 5 WHERE thing_id < 9")
        wait_until(lambda: look(pair.routes, "accounts")[1].differences == 1, "it is told", 20)
        assert look(pair.routes, "accounts")[1].last_difference == 'thing {"thing_id": "7"} changed body'
