from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest

from config.errors import RoutesChanged
from config.reader import read_routes
from config.writer import Change, set_percent
from runbook import steps
from runbook.approvals import decide
from runbook.basis import Basis
from runbook.errors import BudgetExceeded, PlanStale, WaitingForApproval
from runbook.ground import Ground, standing_on, transition_of
from runbook.stages import Kind
from tests.support.desk import PLAN, journal_in
from tests.support.fake_gateway import FakeGateway, fake_gateway
from tests.support.two_homes import write_routes


@dataclass
class Place:
    ground: Ground
    gateway: FakeGateway
    path: Path


@contextmanager
def place(
    folder: Path, stage: str, kind: Kind = "advance", percent: float | None = None, more: str = ""
) -> Iterator[Place]:
    """The ground of a capability without databases."""
    with fake_gateway(folder / "routes.yaml") as gateway:
        instances = f', instances: ["{gateway.url}"]'
        path = write_routes(
            folder, "postgresql://a/b", "postgresql://a/c", stage=stage, gateway=instances, capability=more
        )
        path.write_text("".join(line for line in path.read_text().splitlines(True) if "sync:" not in line))
        routes = read_routes(path)
        move = transition_of(routes, "accounts", kind, percent)
        with standing_on(routes, "accounts", move, journal_in(folder), actor="alice") as ground:
            ground.plan_hash = PLAN.hash
            yield Place(ground, gateway, path)


@pytest.mark.parametrize(
    ("stage", "kind", "percent", "expected"),
    [
        ("legacy", "advance", None, ("shadow", 5.0)),
        ("shadow", "advance", 10.0, ("canary", 10.0)),
        ("canary", "advance", 25.0, ("canary", 25.0)),
        ("canary", "advance", None, ("modern", 5.0)),
        ("modern", "back", None, ("canary", 5.0)),
        ("shadow", "back", None, ("legacy", 5.0)),
    ],
)
def test_the_stage_is_written_and_acknowledged(
    tmp_path: Path, stage: str, kind: Kind, percent: float | None, expected: tuple[str, float]
) -> None:
    with place(tmp_path, stage, kind, percent) as here:
        step = steps.StageWritten(here.ground)
        assert not step.is_done()
        step.run()
        assert step.is_done()
        found = read_routes(here.path).capabilities["accounts"]
        assert (found.stage, found.canary_percent) == expected
        step.run()


def test_a_file_that_somebody_else_edited_keeps_their_change(tmp_path: Path) -> None:
    with place(tmp_path, "canary") as here:
        here.path.write_text(here.path.read_text() + "# theirs\n")
        steps.StageWritten(here.ground).run()
        assert here.path.read_text().endswith("# theirs\n")
        assert read_routes(here.path).capabilities["accounts"].stage == "modern"


def test_one_that_is_edited_all_the_time_is_given_up(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def changed(change: Change) -> str:
        raise RoutesChanged(change.path)

    monkeypatch.setattr(steps, "write", changed)
    with place(tmp_path, "canary") as here, pytest.raises(RoutesChanged):
        steps.StageWritten(here.ground).run()


def test_a_stage_that_was_prepared_is_written_as_the_gateways_have_foreseen_it(tmp_path: Path) -> None:
    with place(tmp_path, "canary") as here:
        stage = steps.StageWritten(here.ground)
        stage.prepare()
        before = here.path.read_bytes()
        assert here.gateway.foreseen not in (b"", before)
        stage.run()
        assert here.path.read_bytes() == here.gateway.foreseen
        assert stage.is_done()


def test_what_was_prepared_is_thrown_away_when_somebody_edited_the_file(tmp_path: Path) -> None:
    with place(tmp_path, "canary") as here:
        stage = steps.StageWritten(here.ground)
        stage.prepare()
        here.path.write_text(here.path.read_text() + "# theirs\n")
        stage.run()
        assert here.path.read_text().endswith("# theirs\n")
        assert read_routes(here.path).capabilities["accounts"].stage == "modern"


def test_a_gateway_that_does_not_take_the_file_is_waited_for(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(steps, "DIGEST_SECONDS", 0.05)
    with place(tmp_path, "canary") as here:
        here.gateway.digest = here.ground.routes.digest
        with pytest.raises(BudgetExceeded, match="every gateway"):
            steps.StageWritten(here.ground).run()
        assert not steps.StageWritten(here.ground).is_done()


def test_the_point_of_no_return_needs_time_and_the_same_file(tmp_path: Path) -> None:
    with place(tmp_path, "canary") as here:
        assert steps.PointOfNoReturn(here.ground).run() == "committed"
        here.ground.budget.seconds = 0.0
        with pytest.raises(BudgetExceeded):
            steps.PointOfNoReturn(here.ground).run()
        here.ground.budget.seconds = 3.0
        set_percent(here.path, "accounts", 50, here.ground.routes.digest)
        with pytest.raises(PlanStale, match=r"routes\.yaml is another file"):
            steps.PointOfNoReturn(here.ground).run()


def test_approvals_by_others(tmp_path: Path) -> None:
    with place(tmp_path, "canary", more="    approvals: 1") as here:
        step = steps.Approvals(here.ground)
        decide(here.ground.journal, PLAN, "approve", "alice", Basis())
        with pytest.raises(WaitingForApproval):
            step.run()
        decide(here.ground.journal, PLAN, "approve", "bob", Basis())
        assert step.run() == "1 of 1: bob"
        decide(here.ground.journal, PLAN, "reject", "carol", Basis())
        with pytest.raises(WaitingForApproval, match="rejected by carol"):
            step.run()


def test_where_none_are_needed_a_rejection_still_stops(tmp_path: Path) -> None:
    with place(tmp_path, "canary") as here:
        assert steps.Approvals(here.ground).run() == "none needed"
        decide(here.ground.journal, PLAN, "reject", "carol", Basis())
        with pytest.raises(WaitingForApproval):
            steps.Approvals(here.ground).run()


def test_what_is_prepared_before_shadow(tmp_path: Path) -> None:
    with place(tmp_path, "legacy") as here:
        assert [step.name for step in steps.preparations(here.ground)] == ["comparison"]
        assert [step.run() for step in steps.preparations(here.ground)] == ["starts anew"]
    with place(tmp_path, "canary") as here:
        assert steps.preparations(here.ground) == []
