"""Before the first write reached modern a capability can be paused and given up; the doctor says what stops a step."""

from __future__ import annotations

from pathlib import Path

import pytest

from cdc.fence import fence_is_raised
from cdc.streaming.slots import Slot
from runbook import advance as moves
from runbook.doctor import examine
from runbook.errors import BlockedByGate, NoSuchTransition, StepFailed
from runbook.people_errors import Paused, StreamsRun
from tests.support.standing import standing

SLOTS = "SELECT count(*) FROM pg_replication_slots WHERE database = current_database() AND slot_name LIKE 'strangler%%'"
MAKE = "SELECT pg_create_logical_replication_slot('strangler_accounts_forward', 'test_decoding')"


def test_a_paused_capability_goes_back_but_not_on(tmp_path: Path, legacy_db: str, modern_db: str) -> None:
    with standing(tmp_path, legacy_db, modern_db) as bank:
        moves.pause(bank.routes, "accounts", actor="alice", reason="month end")
        with pytest.raises(Paused, match="month end"):
            moves.advance(bank.routes, "accounts", actor="bob")
        moves.back(bank.routes, "accounts", actor="bob")
        assert bank.stage == "shadow"
        moves.resume(bank.routes, "accounts", actor="bob")
        bank.sides.modern.ask("DELETE FROM strangler.verify_result")
        with pytest.raises(BlockedByGate, match="verify"):  # by a gate, no longer by the pause
            moves.advance(bank.routes, "accounts", actor="bob")


def test_an_abandoned_capability_is_on_legacy_and_nothing_is_left_of_its_streams(
    tmp_path: Path, legacy_db: str, modern_db: str
) -> None:
    with standing(tmp_path, legacy_db, modern_db) as bank:
        bank.sides.legacy.ask(MAKE)
        moves.abandon(bank.routes, "accounts", actor="alice")
        assert bank.stage == "legacy"
        for side in (bank.sides.legacy, bank.sides.modern):
            assert side.ask(SLOTS)[0][0] == 0
            assert not fence_is_raised(side.conn, side.tables)
        assert bank.sides.modern.ask("SELECT count(*) FROM account")[0][0] > 0
        bank.write()


def test_what_has_been_on_modern_is_not_abandoned(tmp_path: Path, legacy_db: str, modern_db: str) -> None:
    with standing(tmp_path, legacy_db, modern_db) as bank:
        moves.advance(bank.routes, "accounts", actor="alice")
        with pytest.raises(NoSuchTransition, match="on modern"):
            moves.abandon(bank.routes, "accounts", actor="alice")
        moves.back(bank.routes, "accounts", actor="alice")
        with pytest.raises(NoSuchTransition, match="have been on modern"):
            moves.abandon(bank.routes, "accounts", actor="alice")


def test_the_doctor_names_every_part_that_stops_the_next_step_and_its_remedy(
    tmp_path: Path, legacy_db: str, modern_db: str
) -> None:
    with standing(tmp_path, legacy_db, modern_db) as bank:
        bank.gateway.digest = "another"
        bank.sides.legacy.ask("UPDATE strangler.stream SET alarms = 1")
        moves.pause(bank.routes, "accounts", actor="alice", reason="month end")
        found = examine(bank.routes)
        stopping = {one.part for one in found if one.stops}
        assert {"gateways", "runs", "slots", "gate way_back", "gate gateways"} <= stopping
        assert "journal" not in stopping
        assert all(one.remedy for one in found if one.stops and one.part in ("runs", "slots"))


def test_streams_that_run_are_not_taken_away(
    tmp_path: Path, legacy_db: str, modern_db: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    with standing(tmp_path, legacy_db, modern_db) as bank:
        bank.sides.legacy.ask(MAKE)
        found = Slot("strangler_accounts_forward", "0/0", "reserved", 1, 0)
        monkeypatch.setattr("runbook.farewell.slots.read_slot", lambda *_: found)
        with pytest.raises(StepFailed, match="still reads the slot") as caught:
            moves.abandon(bank.routes, "accounts", actor="alice")
        assert isinstance(caught.value.__cause__, StreamsRun)
        monkeypatch.undo()
        assert bank.stage == "canary"
        bank.sides.legacy.ask("SELECT pg_drop_replication_slot('strangler_accounts_forward')")
