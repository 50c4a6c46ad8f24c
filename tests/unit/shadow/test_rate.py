import math
import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shadow.rate import judge_rate, log_evidence
from tests.false_pass import first_answer, judge_quickly, simulate


@pytest.mark.parametrize(("limit", "needed"), [(0.01, 472), (0.001, 4741), (0.0001, 47436)])
def test_without_a_mismatch_it_passes_where_the_reference_says(limit: float, needed: int) -> None:
    assert judge_rate(0, 0, limit).more == needed
    assert judge_rate(needed - 1, 0, limit).answer == "need more"
    assert judge_rate(needed, 0, limit).answer == "pass"


def test_the_evidence_is_the_ratio_of_the_mixture_to_the_limit() -> None:
    b, n, k, p = 100.0, 50, 2, 0.01
    beta = math.exp(math.lgamma(1 + k) + math.lgamma(b + n - k) - math.lgamma(1 + b + n))
    expected = beta * b / (p**k * (1 - p) ** (n - k))
    assert math.isclose(math.exp(log_evidence(n, k, p, p)), expected, rel_tol=1e-9)


def test_the_evidence_has_the_mean_one_under_the_limit() -> None:
    n, p = 40, 0.05
    mean = sum(math.comb(n, k) * p**k * (1 - p) ** (n - k) * math.exp(log_evidence(n, k, p, p)) for k in range(n + 1))
    assert math.isclose(mean, 1.0, rel_tol=1e-9)


def test_the_quick_form_is_the_same_test() -> None:
    for keys, mismatched in [(471, 0), (472, 0), (10, 5), (2000, 3), (2000, 60), (300, 3)]:
        assert judge_rate(keys, mismatched, 0.01).answer == judge_quickly(keys, mismatched, 0.01)


@pytest.mark.parametrize("times", [1.0001, 1.5])
def test_a_candidate_above_the_limit_passes_at_most_one_time_in_twenty_however_often_one_looks(times: float) -> None:
    row = simulate(0.01, times, 1000, 20_000)
    assert row.share <= 0.05


def test_a_candidate_below_the_limit_fails_at_most_one_time_in_twenty_and_passes_in_the_end() -> None:
    chance, runs, limit = random.Random(7), 500, 0.01
    fails = sum(first_answer(limit * 0.999, limit, 20_000, "fail", chance) is not None for _ in range(runs))
    assert fails <= 0.05 * runs
    assert simulate(limit, 0.1, 200, 20_000).passes >= 190


def test_a_pass_comes_at_the_first_key_that_allows_it() -> None:
    assert first_answer(0.0, 0.01, 1000, "pass", random.Random(1)) == 472


@given(st.integers(0, 3000), st.integers(0, 40), st.sampled_from([0.001, 0.01, 0.05]))
def test_needing_more_means_exactly_that_many_more(keys: int, mismatched: int, limit: float) -> None:
    verdict = judge_rate(max(keys, mismatched), mismatched, limit)
    assert verdict.more is not None
    n = verdict.keys + verdict.more
    assert judge_rate(n, mismatched, limit).answer == "pass"
    if verdict.more:
        assert judge_rate(n - 1, mismatched, limit).answer != "pass"


@given(st.integers(1, 5000), st.integers(0, 60), st.sampled_from([0.001, 0.01]))
def test_the_interval_says_the_same_as_the_answer(keys: int, mismatched: int, limit: float) -> None:
    verdict = judge_rate(max(keys, mismatched), mismatched, limit)
    assert verdict.low <= verdict.rate <= verdict.high
    if verdict.answer == "pass":
        assert verdict.high <= limit
    elif verdict.answer == "fail":
        assert verdict.low >= limit
    else:
        assert verdict.low <= limit <= verdict.high


@pytest.mark.parametrize(
    ("keys", "mismatched"), [(1, 0), (1, 1), (7, 6), (10**6, 0), (10**6, 10**6 - 1), (10**6, 10**6)]
)
def test_the_interval_reaches_the_ends_without_leaving_them(keys: int, mismatched: int) -> None:
    verdict = judge_rate(keys, mismatched, 0.001)
    assert 0 <= verdict.low <= verdict.rate <= verdict.high <= 1


def test_many_mismatches_never_pass_although_the_evidence_is_large() -> None:
    verdict = judge_rate(1000, 900, 0.01)
    assert verdict.evidence > 20
    assert verdict.answer == "fail"


def test_limits_at_the_ends_need_no_test() -> None:
    assert judge_rate(10, 0, 0.0).answer == "need more"
    assert judge_rate(10, 0, 0.0).more is None
    assert judge_rate(10, 1, 0.0).answer == "fail"
    assert judge_rate(10, 10, 1.0).answer == "pass"
    assert judge_rate(10, 0, 0.01, confidence=1.0).answer == "need more"


def test_impossible_numbers_are_refused() -> None:
    with pytest.raises(ValueError, match="no test"):
        judge_rate(1, 2, 0.01)
