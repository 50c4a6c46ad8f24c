import math
import random

from shadow.latency import PAIRS_MIN, estimate
from shadow.summary import LatencyGroup


def group(modern_first: bool, pairs: list[tuple[float, float]]) -> LatencyGroup:
    logs = [math.log(modern / legacy) for legacy, modern in pairs]
    return LatencyGroup(modern_first, len(pairs), sum(logs), sum(log * log for log in logs), tuple(pairs))


def noisy(chance: random.Random, factor: float, count: int) -> list[tuple[float, float]]:
    return [(legacy, legacy * factor) for legacy in (chance.lognormvariate(-5, 0.5) for _ in range(count))]


def test_without_pairs_there_is_no_estimate() -> None:
    assert estimate([]) is None
    assert estimate([LatencyGroup(False, 0, 0.0, 0.0)]) is None


def test_a_constant_factor_is_found_exactly() -> None:
    found = estimate([group(False, noisy(random.Random(1), 1.25, 500))])
    assert found is not None
    assert math.isclose(found.typical.estimate, 1.25)
    assert math.isclose(found.p99.estimate, 1.25)
    assert found.p99.low < 1.25
    assert not found.is_corrected


def test_who_went_first_is_averaged_out_whatever_the_sizes() -> None:
    chance = random.Random(2)
    # Whoever goes second finds warm caches and takes half of the time.
    found = estimate([group(False, noisy(chance, 0.5, 900)), group(True, noisy(chance, 2.0, 100))])
    assert found is not None
    assert found.is_corrected
    assert math.isclose(found.typical.estimate, 1.0, rel_tol=1e-9)
    assert math.isclose(found.p99.estimate, 1.0, rel_tol=1e-9)


def test_the_interval_holds_the_true_ratio_nearly_always() -> None:
    chance, held, runs = random.Random(3), 0, 200
    for _ in range(runs):
        pairs = [(chance.lognormvariate(-5, 0.5), 1.3 * chance.lognormvariate(-5, 0.5)) for _ in range(1024)]
        found = estimate([group(False, pairs)])
        assert found is not None
        assert found.p99.high is not None
        held += found.p99.low <= 1.3 <= found.p99.high
    assert held >= 0.95 * runs


def test_too_few_pairs_bound_nothing() -> None:
    found = estimate([group(False, noisy(random.Random(4), 3.0, PAIRS_MIN - 1))])
    assert found is not None
    assert not found.is_enough
    assert found.p99.high is None
    assert found.p99.low == 0.0


def test_routes_are_merged() -> None:
    one = group(False, noisy(random.Random(5), 2.0, 60))
    found = estimate([one, one])
    assert found is not None
    assert found.pairs == 120
    assert found.is_enough
