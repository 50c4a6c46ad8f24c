from __future__ import annotations

import pytest

from runbook.errors import BudgetExceeded
from runbook.waiting import Budget, wait_for


def test_the_first_true_value_is_returned() -> None:
    answers = iter([0, None, 7])
    assert wait_for(lambda: next(answers), "seven", 5) == 7


def test_a_deadline_that_passed_is_looked_at_once_more() -> None:
    assert wait_for(lambda: "there", "it", -1) == "there"


def test_what_does_not_happen_is_named() -> None:
    with pytest.raises(BudgetExceeded, match=r"^the marker did not happen within 0.0 s"):
        wait_for(lambda: None, "the marker", 0.01)


def test_the_reserve_is_kept() -> None:
    now = [100.0]
    budget = Budget(3.0, clock=lambda: now[0])
    assert budget.left() == 2.0
    budget.start()
    now[0] += 1.9
    budget.check()
    now[0] += 0.2
    with pytest.raises(BudgetExceeded, match="point of no return"):
        budget.check()


def test_the_pause_is_known_when_both_ends_were_seen() -> None:
    now = [1.0]
    budget = Budget(3.0, clock=lambda: now[0])
    budget.end()
    assert budget.pause_seconds is None
    budget.start()
    assert budget.pause_seconds is None
    now[0] = 1.2
    budget.end()
    assert budget.pause_seconds == pytest.approx(0.2)
