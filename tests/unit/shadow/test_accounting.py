from dataclasses import replace

from shadow.accounting import Accounting, problems, total

GOOD = Accounting(
    20,
    {"body_too_large": 2, "sample": 4},
    {"queue_full": 1},
    {"modern": 3},
    {"equal": 7, "different": 1, "race": 1, "incomparable": 1},
)


def test_numbers_that_add_up_have_no_problem() -> None:
    assert problems(GOOD) == ()
    assert problems(GOOD, eligible_elsewhere=20) == ()
    assert (GOOD.compared, GOOD.comparable, GOOD.disagreeing) == (10, 9, 1)


def test_whatever_is_lost_is_found() -> None:
    assert "its parts add up to 20" in problems(replace(GOOD, eligible=21))[0]
    assert "19 were eligible at the gateway" in problems(GOOD, eligible_elsewhere=19)[0]
    assert "unknown verdicts: odd" in problems(replace(GOOD, eligible=21, verdicts={**GOOD.verdicts, "odd": 1}))[0]
    assert "negative" in problems(Accounting(0, {"a": -1}, {"b": 1}))[0]


def test_a_random_choice_is_not_held_against_coverage() -> None:
    assert GOOD.countable == 16
    assert GOOD.coverage == 9 / 16
    assert Accounting().coverage == 0


def test_the_total_is_the_sum_of_all_routes() -> None:
    both = total([GOOD, Accounting(1, {"sample": 1})])
    assert both.eligible == 21
    assert both.skipped == {"body_too_large": 2, "sample": 5}
    assert problems(both) == ()
