from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from runbook import trend
from runbook.gates import BY_NAME
from runbook.judging import judge_lag
from runbook.trend import Answer, direction, words
from tests.support.desk import journal_in

LAG = judge_lag(0.4, 10, 2.0)
FENCES = BY_NAME["fences"].finding(True, "as it should be", "so")


def test_values_are_shown_with_where_they_go() -> None:
    earlier = [Answer(True, value, f"2026-03-01T12:0{n}") for n, value in enumerate((1.9, 0.8, 0.5))]
    assert words(LAG, earlier) == "1.9, 0.8, 0.5, now 0.4: falling"


@pytest.mark.parametrize(
    ("values", "today", "expected"),
    [((1.0, 1.0), 1.05, "steady"), ((1.0,), 2.0, "rising"), ((2.0, 2.0), 1.0, "falling"), ((0.0,), 0.0, "steady")],
)
def test_small_changes_are_none(values: tuple[float, ...], today: float, expected: str) -> None:
    assert direction(values, today) == expected


def test_a_gate_without_a_value_says_how_often_it_passed_or_since_when_it_does_not() -> None:
    history = [Answer(ok, None, f"2026-03-01T12:0{n}") for n, ok in enumerate((True, False, True, False, False))]
    assert words(FENCES, history) == "passed 2 of the last 5 times"
    blocking = replace(FENCES, ok=False)
    assert words(blocking, history) == "blocks since 2026-03-01T12:03"
    assert words(blocking, history[:3]) == "passed before"


def test_answers_are_kept_by_capability_and_gate_and_bounded(tmp_path: Path) -> None:
    control = journal_in(tmp_path).control
    for number in range(trend.KEPT + 5):
        trend.note(control, "accounts", [judge_lag(float(number), 0, 99.0), FENCES])
    trend.note(control, "cards", [FENCES])
    found = trend.history(control, "accounts")
    assert [answer.value for answer in found["lag"]] == [20.0, 21.0, 22.0, 23.0, 24.0]
    assert len(found["fences"]) == trend.SHOWN
    assert len(trend.history(control, "cards")["fences"]) == 1
    with control.reading() as connection:
        assert connection.exec_driver_sql("SELECT count(*) FROM gate_answer").scalar() == 2 * trend.KEPT + 1
    first, second = trend.with_trend([LAG, replace(FENCES, gate="new")], found)
    assert (first.trend, second.trend) == ("20, 21, 22, 23, 24, now 0.4: falling", "")
    control.close()
