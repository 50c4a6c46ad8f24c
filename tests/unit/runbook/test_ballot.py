from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import pytest

from config.reader import read_routes
from runbook.advance import advance, approve, make_plan, waive
from runbook.ballot import Ballot, ballots
from runbook.errors import WaitingForApproval
from runbook.people_errors import OwnPlan
from tests.support.desk import journal_in
from tests.support.fake_gateway import fake_gateway
from tests.support.two_homes import write_routes


@pytest.fixture
def routes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A capability without databases, in shadow, that needs one approval; a comparison it does not have is waived."""
    monkeypatch.delenv("STRANGLER_RUN", raising=False)
    with fake_gateway(tmp_path / "routes.yaml") as gateway:
        instances = f', instances: ["{gateway.url}"]'
        urls = "postgresql://a/b", "postgresql://a/c"
        path = write_routes(tmp_path, *urls, stage="shadow", gateway=instances, capability="    approvals: 1")
        path.write_text("".join(line for line in path.read_text().splitlines(True) if "sync:" not in line))
        let_pass(path, "comparison", "a test")
        yield path


def let_pass(path: Path, gate: str, reason: str) -> None:
    waive(path, "accounts", gate, lasting=timedelta(hours=1), reason=reason, actor="alice", second="bob")


def board(path: Path) -> Ballot:
    (found,) = ballots(read_routes(path), "accounts", journal_in(path.parent / ".strangler"))
    return found


def test_an_approval_is_void_after_a_waiver_and_after_a_change_of_the_file_and_the_board_says_what_to_do(
    routes: Path,
) -> None:
    plan = make_plan(routes, "accounts", percent=10.0, actor="alice")
    assert plan.author == "alice"
    approve(routes, "accounts", plan_hash=plan.hash, percent=10.0, actor="bob")
    assert (board(routes).decisions.approved_by, board(routes).todo) == (("bob",), "")
    assert make_plan(routes, "accounts", percent=10.0, actor="bob").approved_by == ("bob",), (
        "who reads it may approve it"
    )

    let_pass(routes, "gateways", "one is being repaired")
    (void,) = board(routes).decisions.void
    assert void.because[0].startswith("waiver of gateways by alice and bob until ")
    assert board(routes).todo.endswith(f"strangler approve accounts --percent 10 --plan {plan.hash[:12]}")
    with pytest.raises(WaitingForApproval, match=r"that of bob is void: waiver of gateways .* is new: one is being"):
        advance(routes, "accounts", percent=10.0, actor="carol")
    approve(routes, "accounts", plan_hash=plan.hash, percent=10.0, actor="bob")
    assert board(routes).decisions.void == ()

    routes.write_text(routes.read_text() + "# another file\n")
    now = make_plan(routes, "accounts", percent=10.0).hash[:12]
    assert [one.because for one in board(routes).decisions.void] == [(f"the plan is {now} now",)]


def test_what_was_decided_before_the_capability_moved_is_not_shown(routes: Path) -> None:
    plan = make_plan(routes, "accounts", percent=10.0, actor="alice")
    with pytest.raises(OwnPlan):
        approve(routes, "accounts", plan_hash=plan.hash, percent=10.0, actor="alice")
    approve(routes, "accounts", plan_hash=plan.hash, percent=10.0, actor="bob")
    advance(routes, "accounts", percent=10.0, actor="alice")
    assert ballots(read_routes(routes), "accounts", journal_in(routes.parent / ".strangler")) == ()


def test_a_step_that_is_none_any_more_voids_its_approval(routes: Path) -> None:
    plan = make_plan(routes, "accounts", percent=10.0)
    approve(routes, "accounts", plan_hash=plan.hash, percent=10.0, actor="bob")
    routes.write_text(routes.read_text().replace("stage: shadow", "stage: legacy"))
    assert board(routes).todo == "strangler plan accounts"
