from __future__ import annotations

import io
from dataclasses import replace
from pathlib import Path

import pytest
from rich.console import Console, RenderableType

from runbook.advance import Outcome
from runbook.approvals import Decisions
from runbook.board import read_boards
from runbook.execute import Event
from runbook.gates import with_waivers
from runbook.journal import JournalCheck
from runbook.judging import judge_lag, judge_verify
from runbook.screen_run import (
    board_screen,
    check_screen,
    decisions_screen,
    findings_screen,
    journal_screen,
    outcome_screen,
    plan_screen,
    print_event,
    waiver_screen,
)
from runbook.waivers import Waiver
from tests.support.desk import PLAN, begun, journal_in
from tests.support.two_homes import write_routes


def shown(renderable: RenderableType) -> str:
    console = Console(width=200, file=io.StringIO(), force_terminal=False)
    console.print(renderable)
    text = console.file.getvalue()  # type: ignore[attr-defined]
    return str(text)


def test_the_plan_shows_what_is_bound_and_who_approved() -> None:
    plan = replace(PLAN, approved_by=("bob",), rejected_by=("carol",), interrupted="r-1 (canary -> modern, open)")
    text = shown(plan_screen(plan))
    for part in (plan.hash, "canary 5 % -> modern", "routes.yaml d1", "1 of 2 (bob)", "carol", "r-1", "new writes"):
        assert part in text


def test_gates_with_evidence_and_in_red_what_was_waived() -> None:
    findings = with_waivers(
        (judge_lag(9, 1, 2), judge_verify(True, 1, 1), judge_verify(None, 0, None)), {"lag": "a and b"}
    )
    text = shown(findings_screen(findings))
    assert "BLOCKS" in text
    assert "waived" in text
    explained = shown(findings_screen(findings, "lag"))
    assert "a and b" in explained
    assert "clear it" in explained
    assert "no gate x" in shown(findings_screen(findings, "x"))


def test_an_outcome_says_how_long_writes_were_held() -> None:
    outcome = Outcome("accounts", PLAN.transition, "r-1", PLAN.hash, (), 0.1834, "undone")
    assert "held for 183 ms" in shown(outcome_screen(outcome))
    assert "undone first" in shown(outcome_screen(outcome))


def test_the_journal_and_its_check(tmp_path: Path) -> None:
    journal = journal_in(tmp_path)
    begun(journal).attempt("hold", "done", "[all] held", 0.02)
    text = shown(journal_screen(journal.entries()))
    assert "run.begun" in text
    assert "[all] held" in text, "evidence is text, not markup"
    assert "2 entries, chain intact" in shown(check_screen(journal.verify()))
    broken = JournalCheck(2, "00", ("entry 1 is missing",), 0, 0)
    assert "BROKEN" in shown(check_screen(broken))
    assert "entry 1 is missing" in shown(check_screen(broken))


def test_the_board_with_everything_down(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("STRANGLER_RUN", raising=False)
    routes = write_routes(tmp_path, "postgresql://x@127.0.0.1:1/a", "postgresql://x@127.0.0.1:1/b")
    text = shown(board_screen(read_boards(routes)))
    assert "stage canary 5 %" in text
    assert "does not answer" in text
    assert "strangler back accounts" in text


def test_what_people_said() -> None:
    assert "1 of 2 approvals (bob), rejected by carol" in shown(decisions_screen(Decisions(("bob",), ("carol",)), 2))
    waiver = Waiver("accounts", "lag", "known", "alice", "bob", "2026-11-24T12:00:00")
    assert "lag is waived by alice and bob until 2026-11-24T12:00: known" in shown(waiver_screen(waiver))


def test_one_line_an_event(capsys: pytest.CaptureFixture[str]) -> None:
    print_event(Event("fence", "done", "3 tables of legacy", 0.0152))
    assert capsys.readouterr().err == "ok  fence        3 tables of legacy  15 ms\n"
