"""A cutover on two real databases ends wholly on one side: refused, undone, killed at any moment, or done."""

from __future__ import annotations

import os
import signal
import sys
from datetime import timedelta
from pathlib import Path

import psycopg
import pytest

from config.reader import read_routes
from runbook.advance import advance, approve, back, make_plan, waive
from runbook.control import Control
from runbook.errors import (
    BlockedByGate,
    LeaseHeld,
    PlanStale,
    RunOfAnotherVersion,
    SpotDifference,
    StepFailed,
    WaitingForApproval,
)
from runbook.execute import Event
from runbook.journal import Journal
from runbook.people_errors import OwnPlan
from tests.support.standing import Standing, standing
from tests.support.waiting import wait_until

LEGACY_HOME = ("canary", "legacy", ("apply", "skip"))
MODERN_HOME = ("modern", "modern", ("skip", "apply"))


def situation(bank: Standing) -> tuple[str, str, tuple[str, str]]:
    return bank.stage, bank.home, bank.modes


def settles_at(bank: Standing, wanted: tuple[str, str, tuple[str, str]]) -> None:
    wait_until(lambda: situation(bank) == wanted, f"{wanted}, not {situation(bank)}")
    assert not bank.gateway.holds


def killed(bank: Standing, step: str, result: str) -> None:
    """Run advance in a process of its own that gets SIGKILL when that event comes."""
    child = os.fork()
    if child == 0:

        def die(event: Event) -> None:
            if (event.step, event.result) == (step, result):
                os.kill(os.getpid(), signal.SIGKILL)

        try:
            advance(bank.routes, "accounts", actor="alice", progress=die)
        except BaseException as error:
            sys.stderr.write(f"{type(error).__name__}: {error}")
            raise
        finally:
            os._exit(99)
    _, status = os.waitpid(child, 0)
    assert os.WIFSIGNALED(status), "the run ended before the moment of its death"


def test_there_and_back_and_there_again(tmp_path: Path, legacy_db: str, modern_db: str) -> None:
    with standing(tmp_path, legacy_db, modern_db) as bank:
        plan = make_plan(bank.routes, "accounts")
        done = advance(bank.routes, "accounts", plan_hash=plan.hash, actor="alice")
        assert done.pause_seconds is not None
        assert done.pause_seconds < 1.0
        settles_at(bank, MODERN_HOME)
        with pytest.raises(psycopg.errors.ReadOnlySqlTransaction):
            bank.write()
        back(bank.routes, "accounts", actor="alice")
        settles_at(bank, LEGACY_HOME)
        bank.write()
        advance(bank.routes, "accounts", actor="alice")
        settles_at(bank, MODERN_HOME)
        assert "# kept" in bank.routes.read_text()
        check = Journal(Control.of(read_routes(bank.routes))).verify()
        assert check.ok


BEFORE = [("hold", "done"), ("fence", "begun"), ("fence", "done"), ("drain", "done"), ("sequences", "done")]
AFTER = [("journal", "done"), ("reverse", "done"), ("stage", "begun"), ("stage", "done"), ("release", "done")]


def test_killed_before_the_point_of_no_return_goes_back(tmp_path: Path, legacy_db: str, modern_db: str) -> None:
    with standing(tmp_path, legacy_db, modern_db) as bank:
        for step, result in BEFORE:
            killed(bank, step, result)
            assert bank.stage == "canary"
            bank.sides.legacy.ask("UPDATE strangler.stream SET alarms = 1")
            with pytest.raises(BlockedByGate, match="way_back"):
                advance(bank.routes, "accounts", actor="alice")
            settles_at(bank, LEGACY_HOME)
            bank.write()
            bank.sides.legacy.ask("UPDATE strangler.stream SET alarms = 0")
        advance(bank.routes, "accounts", actor="alice")
        settles_at(bank, MODERN_HOME)


def test_killed_after_it_goes_on(tmp_path: Path, legacy_db: str, modern_db: str) -> None:
    with standing(tmp_path, legacy_db, modern_db) as bank:
        for step, result in AFTER:
            killed(bank, step, result)
            finished = advance(bank.routes, "accounts", actor="bob")
            assert finished.resolved == "finished"
            settles_at(bank, MODERN_HOME)
            back(bank.routes, "accounts", actor="alice")
            settles_at(bank, LEGACY_HOME)


OLDER = (
    "DROP TABLE gate_answer",
    "DROP TABLE rehearsed",
    "DROP TABLE pause",
    "UPDATE step_attempt SET step = 'a step of long ago'",
)
NEWER = ("UPDATE run SET kind = 'split', to_stage = 'sharded' WHERE status = 'committed'",)


@pytest.mark.parametrize(("version", "ends"), [(OLDER, True), (NEWER, False)], ids=["older", "newer"])
def test_a_run_that_another_version_began_is_finished_or_refused_by_name(
    tmp_path: Path, legacy_db: str, modern_db: str, version: tuple[str, ...], ends: bool
) -> None:
    with standing(tmp_path, legacy_db, modern_db) as bank:
        killed(bank, "journal", "done")
        control = Control.of(read_routes(bank.routes))
        with control.writing() as connection:
            for statement in version:
                connection.exec_driver_sql(statement)
        control.close()
        if ends:
            assert advance(bank.routes, "accounts", actor="bob").resolved == "finished"
            settles_at(bank, MODERN_HOME)
        else:
            with pytest.raises(RunOfAnotherVersion, match="the command 'split'") as refused:
                advance(bank.routes, "accounts", actor="bob")
            assert "'sharded'" in refused.value.sentence
            assert (bank.stage, bank.home) == ("canary", "none")


def test_a_stream_that_stalls_costs_the_budget_and_nothing_else(
    tmp_path: Path, legacy_db: str, modern_db: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("runbook.ground.HOLD_BUDGET_SECONDS", 0.6)
    with standing(tmp_path, legacy_db, modern_db) as bank:

        def stall(event: Event) -> None:
            if (event.step, event.result) == ("fence", "begun"):
                bank.stream_stalls.set()

        with pytest.raises(StepFailed, match="drain failed: that accounts:forward applies the marker"):
            advance(bank.routes, "accounts", actor="alice", progress=stall)
        bank.stream_stalls.clear()
        settles_at(bank, LEGACY_HOME)
        bank.write()


def test_an_open_writer_costs_the_budget_and_nothing_else(
    tmp_path: Path, legacy_db: str, modern_db: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("runbook.ground.HOLD_BUDGET_SECONDS", 0.6)
    with standing(tmp_path, legacy_db, modern_db) as bank, psycopg.connect(legacy_db) as writer:

        def begin(event: Event) -> None:
            if (event.step, event.result) == ("fence", "begun"):
                writer.execute("UPDATE custmast SET lst_upd = 'x'")

        with pytest.raises(StepFailed, match="fence failed"):
            advance(bank.routes, "accounts", actor="alice", progress=begin)
        writer.commit()
        settles_at(bank, LEGACY_HOME)


def test_rows_that_differ_are_found_in_the_pause_and_everything_is_undone(
    tmp_path: Path, legacy_db: str, modern_db: str
) -> None:
    with standing(tmp_path, legacy_db, modern_db) as bank:
        bank.sides.modern.ask("SET session_replication_role = replica; UPDATE account SET balance = balance + 1")
        with pytest.raises(SpotDifference, match="account: counts or control totals differ"):
            advance(bank.routes, "accounts", actor="alice")
        settles_at(bank, LEGACY_HOME)


def test_a_writer_behind_the_gateway_blocks_until_two_people_waive_it(
    tmp_path: Path, legacy_db: str, modern_db: str
) -> None:
    with standing(tmp_path, legacy_db, modern_db) as bank:
        bank.write("corebank")
        bank.write("corebank-batch")
        with pytest.raises(BlockedByGate, match="corebank-batch") as caught:
            advance(bank.routes, "accounts", actor="alice")
        assert [finding.gate for finding in caught.value.findings] == ["writers:corebank-batch"]
        hour = timedelta(hours=1)
        waive(bank.routes, "accounts", "writers", lasting=hour, reason="stopped by then", actor="alice", second="bob")
        advance(bank.routes, "accounts", actor="alice")
        settles_at(bank, MODERN_HOME)


def test_approvals_are_bound_to_the_plan_and_its_evidence(tmp_path: Path, legacy_db: str, modern_db: str) -> None:
    with standing(tmp_path, legacy_db, modern_db, more="    approvals: 1") as bank:
        plan = make_plan(bank.routes, "accounts")
        with pytest.raises(WaitingForApproval):
            advance(bank.routes, "accounts", plan_hash=plan.hash, actor="alice")
        with pytest.raises(OwnPlan):
            approve(bank.routes, "accounts", plan_hash=plan.hash, actor="alice")
        assert approve(bank.routes, "accounts", plan_hash=plan.hash, actor="bob").suffice(1)
        hour = timedelta(hours=1)
        waive(bank.routes, "accounts", "writers", lasting=hour, reason="a late job", actor="alice", second="carol")
        with pytest.raises(WaitingForApproval, match=r"that of bob is void: waiver of writers by alice and carol"):
            advance(bank.routes, "accounts", plan_hash=plan.hash, actor="alice")
        bank.routes.write_text(bank.routes.read_text() + "# another file\n")
        with pytest.raises(PlanStale):
            advance(bank.routes, "accounts", plan_hash=plan.hash, actor="alice")
        with pytest.raises(PlanStale):
            approve(bank.routes, "accounts", plan_hash=plan.hash, actor="carol")
        new = make_plan(bank.routes, "accounts")
        assert new.approved_by == ()
        approve(bank.routes, "accounts", plan_hash=new.hash[:12], actor="bob")
        advance(bank.routes, "accounts", plan_hash=new.hash, actor="alice")
        settles_at(bank, MODERN_HOME)


def test_one_run_at_a_time(tmp_path: Path, legacy_db: str, modern_db: str) -> None:
    with standing(tmp_path, legacy_db, modern_db) as bank:
        refused: list[int] = []

        def try_too(event: Event) -> None:
            if (event.step, event.result) == ("drain", "begun"):
                with pytest.raises(LeaseHeld) as caught:
                    back(bank.routes, "accounts", actor="bob")
                refused.append(caught.value.exit_code)

        advance(bank.routes, "accounts", actor="alice", progress=try_too)
        assert refused == [7]
        settles_at(bank, MODERN_HOME)
