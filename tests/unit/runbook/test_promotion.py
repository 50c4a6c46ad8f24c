from __future__ import annotations

from typing import get_args

import pytest
from hypothesis import given
from hypothesis import strategies as st

from config.model import Stage
from runbook.pauses import Pause
from runbook.promotion import Answer, Patience, Situation, decide

PATIENCE = Patience(dwell_seconds=60, undecided_seconds=600)
PAUSE = Pause("accounts", "alice", "month end", "now")

SITUATIONS = st.builds(
    Situation,
    stage=st.sampled_from(get_args(Stage)),
    percent=st.floats(0, 100),
    answer=st.sampled_from(get_args(Answer)),
    reason=st.just("why"),
    for_seconds=st.floats(0, 10_000),
    pause=st.sampled_from([None, PAUSE]),
)


@pytest.mark.parametrize(
    ("stage", "percent", "answer", "seconds", "what", "to_percent"),
    [
        ("legacy", 0, "need more", 0, "advance", None),
        ("shadow", 0, "need more", 10, "wait", None),
        ("shadow", 0, "need more", 601, "stop", None),
        ("shadow", 0, "fail", 10, "stop", None),
        ("shadow", 0, "pass", 0, "advance", None),
        ("canary", 1, "pass", 10, "wait", None),
        ("canary", 1, "pass", 61, "advance", 5),
        ("canary", 5, "need more", 61, "wait", None),
        ("canary", 5, "fail", 0, "back", None),
        ("canary", 50, "pass", 61, "done", None),
        ("modern", 0, "pass", 0, "done", None),
    ],
)
def test_the_walk(stage: Stage, percent: float, answer: Answer, seconds: float, what: str, to_percent: float) -> None:
    decision = decide(Situation(stage, percent, answer, "why", seconds), PATIENCE)
    assert (decision.what, decision.percent) == (what, to_percent)


@given(SITUATIONS)
def test_a_failing_verdict_always_takes_canary_back_even_when_it_is_paused(now: Situation) -> None:
    if now.stage == "canary" and now.answer == "fail":
        assert decide(now, PATIENCE).what == "back"


@given(SITUATIONS)
def test_it_never_makes_a_cutover_and_never_moves_what_is_paused_or_undecided(now: Situation) -> None:
    decision = decide(now, PATIENCE)
    if decision.what == "advance":
        assert now.pause is None
        assert now.stage in ("legacy", "shadow", "canary")
        assert now.stage == "legacy" or now.answer == "pass"
        assert now.stage != "canary" or decision.percent is not None
