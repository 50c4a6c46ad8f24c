from __future__ import annotations

from datetime import timedelta
from pathlib import Path

import pytest

from config.errors import UnknownCapability
from runbook.advance import advance, approve, back, gates, make_plan, waive
from runbook.errors import BlockedByGate, NoSuchTransition, PlanStale
from runbook.runs import last_runs
from tests.support.desk import journal_in
from tests.support.fake_gateway import fake_gateway
from tests.support.two_homes import write_routes


@pytest.fixture
def routes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A capability without databases: every transition is a change of the file."""
    monkeypatch.delenv("STRANGLER_RUN", raising=False)
    return tmp_path / "routes.yaml"


def written(path: Path, url: str, stage: str) -> Path:
    instances = f', instances: ["{url}"]'
    write_routes(path.parent, "postgresql://a/b", "postgresql://a/c", stage=stage, gateway=instances)
    path.write_text("".join(line for line in path.read_text().splitlines(True) if "sync:" not in line))
    return path


def test_a_walk_over_every_stage_and_back(routes: Path) -> None:
    hour = timedelta(hours=1)
    with fake_gateway(routes) as gateway:
        written(routes, gateway.url, "legacy")
        waive(routes, "accounts", "comparison", lasting=hour, reason="a test", actor="alice", second="bob")
        walked = [advance(routes, "accounts", percent=p, actor="alice") for p in (None, 10, 25, None)]
        walked += [back(routes, "accounts", actor="alice") for _ in range(3)]
        assert [outcome.transition.name for outcome in walked] == [
            "legacy -> shadow",
            "shadow -> canary 10 %",
            "canary 10 % -> canary 25 %",
            "canary 25 % -> modern",
            "modern -> canary 25 %",
            "canary 25 % -> shadow",
            "shadow -> legacy",
        ]
        assert [outcome.pause_seconds is not None for outcome in walked] == [False] * 3 + [True] * 2 + [False] * 2
        journal = journal_in(routes.parent / ".strangler")
        assert journal.verify().ok
        assert {run.status for run in last_runs(journal.control, "accounts", 99)} == {"done"}
        with pytest.raises(NoSuchTransition):
            back(routes, "accounts", actor="alice")


def test_what_the_gate_blocks_is_undone_and_kept_in_the_journal(routes: Path) -> None:
    with fake_gateway(routes) as gateway:
        written(routes, gateway.url, "canary")
        with pytest.raises(BlockedByGate, match="comparison"):
            advance(routes, "accounts", actor="alice")
        types = [entry.type for entry in journal_in(routes.parent / ".strangler").entries()]
        assert types[:2] == ["run.begun", "gates"]
        assert types[-1] == "run.undone"
        assert [f.gate for f in gates(routes, "accounts") if f.blocks] == ["comparison"]


def test_a_plan_names_its_steps_and_goes_stale(routes: Path) -> None:
    with fake_gateway(routes) as gateway:
        written(routes, gateway.url, "shadow")
        plan = make_plan(routes, "accounts", percent=10)
        assert [action.step for action in plan.actions] == ["preflight", "approvals", "journal", "stage"]
        assert make_plan(routes, "accounts", percent=10).hash == plan.hash
        assert make_plan(routes, "accounts", percent=11).hash != plan.hash
        for stale in (make_plan(routes, "accounts", kind="back").hash, "00", plan.hash[:7]):
            with pytest.raises(PlanStale):
                advance(routes, "accounts", percent=10, plan_hash=stale, actor="alice")
            with pytest.raises(PlanStale):
                approve(routes, "accounts", plan_hash=stale, actor="bob", percent=10)
        assert approve(routes, "accounts", plan_hash=plan.hash, actor="bob", percent=10).approved_by == ("bob",)


def test_the_same_step_later_is_another_plan(routes: Path) -> None:
    with fake_gateway(routes) as gateway:
        written(routes, gateway.url, "legacy")
        first = make_plan(routes, "accounts")
        advance(routes, "accounts", actor="alice")
        back(routes, "accounts", actor="alice")
        assert make_plan(routes, "accounts").hash != first.hash, "an approval would count twice"


def test_unknown_names_are_refused(routes: Path) -> None:
    with fake_gateway(routes) as gateway:
        written(routes, gateway.url, "canary")
        for call in (
            lambda: advance(routes, "acounts", actor="alice"),
            lambda: make_plan(routes, "acounts"),
            lambda: waive(routes, "acounts", "lag", lasting=timedelta(1), reason="", actor="alice", second="bob"),
        ):
            with pytest.raises(UnknownCapability, match="Known: accounts"):
                call()
