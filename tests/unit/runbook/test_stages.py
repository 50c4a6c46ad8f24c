from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from runbook.errors import NoSuchTransition
from runbook.stages import HOME, STAGES, Transition, advance_from, back_from, next_percent


@pytest.mark.parametrize(
    ("stage", "current", "percent", "expected"),
    [
        ("legacy", 0, None, "legacy -> shadow"),
        ("shadow", 0, None, "shadow -> canary 1 %"),
        ("shadow", 5, None, "shadow -> canary 5 %"),
        ("shadow", 5, 0.5, "shadow -> canary 0.5 %"),
        ("canary", 5, 25, "canary 5 % -> canary 25 %"),
        ("canary", 25, None, "canary 25 % -> modern"),
        ("modern", 25, None, "modern -> retired"),
    ],
)
def test_one_stage_on(stage: str, current: float, percent: float | None, expected: str) -> None:
    assert advance_from("accounts", stage, current, percent).name == expected  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("stage", "expected"),
    [("shadow", "shadow -> legacy"), ("canary", "canary 5 % -> shadow"), ("modern", "modern -> canary 5 %")],
)
def test_one_stage_back(stage: str, expected: str) -> None:
    assert back_from("accounts", stage, 5.0).name == expected  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("stage", "current", "percent", "why"),
    [
        ("legacy", 0, 5.0, "belongs to canary"),
        ("modern", 0, 5.0, "belongs to canary"),
        ("canary", 25, 25.0, "at 25 % already"),
        ("canary", 25, 5.0, "strangler back"),
        ("canary", 25, 101.0, "not a percentage"),
        ("shadow", 0, 0.0, "not a percentage"),
        ("retired", 0, None, "last stage"),
    ],
)
def test_what_is_not_possible_is_said(stage: str, current: float, percent: float | None, why: str) -> None:
    with pytest.raises(NoSuchTransition, match=why):
        advance_from("accounts", stage, current, percent)  # type: ignore[arg-type]


@pytest.mark.parametrize("stage", ["legacy", "retired"])
def test_no_way_back(stage: str) -> None:
    with pytest.raises(NoSuchTransition):
        back_from("accounts", stage, 0.0)  # type: ignore[arg-type]


def test_writes_move_only_between_canary_and_modern() -> None:
    moving = {
        (a, b) for a in STAGES for b in STAGES if Transition("advance", a, b).moves_writes and b in _neighbours(a)
    }
    assert moving == {("canary", "modern"), ("modern", "canary")}
    assert HOME["canary"] == "legacy"


def _neighbours(stage: str) -> set[str]:
    index = [str(s) for s in STAGES].index(stage)
    return {str(s) for s in STAGES[max(0, index - 1) : index + 2]}


@given(st.lists(st.sampled_from(["advance", "back"]), max_size=30))
def test_any_walk_stays_on_the_line_and_one_step_at_a_time(walk: list[str]) -> None:
    stage, percent = STAGES[0], 0.0
    for kind in walk:
        try:
            move = advance_from("a", stage, percent, None) if kind == "advance" else back_from("a", stage, percent)
        except NoSuchTransition:
            continue
        assert abs(STAGES.index(move.to_stage) - STAGES.index(stage)) == 1
        assert move.from_stage == stage
        stage, percent = move.to_stage, move.percent if move.percent is not None else percent


def test_usual_percentages_end_with_the_cutover() -> None:
    assert [next_percent(p) for p in (0.0, 1.0, 3.0, 25.0, 50.0)] == [1.0, 5.0, 5.0, 50.0, None]
