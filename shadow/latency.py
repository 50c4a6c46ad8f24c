"""Paired latencies to a ratio modern / legacy, typical and at the 99th percentile, each with an interval.

Both sides answered the same requests, so the comparison is within pairs. Whoever goes first warms caches for the
other, so the pairs are split by who did and the two groups weigh the same, whatever their sizes. The typical ratio is
the geometric mean with a normal interval on ln(modern / legacy). For p99 the interval is that of order statistics
(distribution-free; the 97.5 % intervals of both sides together hold at 95 %). Unlike the mismatch gate, these
intervals are for one look.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from shadow.summary import LatencyGroup

QUANTILE = 0.99
PAIRS_MIN = 100
Z_95, Z_97_5 = 1.96, 2.2414


@dataclass(frozen=True)
class Ratio:
    """An estimate with its interval; `high` is None where the pairs are too few to bound it."""

    estimate: float
    low: float
    high: float | None


@dataclass(frozen=True)
class LatencyEstimate:
    """Modern against legacy. `is_corrected` says that both orders were seen: who went first has been averaged out."""

    pairs: int
    typical: Ratio
    p99: Ratio
    legacy_p99_seconds: float
    modern_p99_seconds: float
    is_corrected: bool

    @property
    def is_enough(self) -> bool:
        """Whether there are enough pairs for a 99th percentile to mean anything."""
        return self.pairs >= PAIRS_MIN


def estimate(groups: Sequence[LatencyGroup]) -> LatencyEstimate | None:
    """The estimate over the groups of one route, or of several routes together; None without any pair."""
    sides = [_merged(groups, modern_first) for modern_first in (False, True)]
    seen = [side for side in sides if side.pairs]
    if not seen:
        return None
    p99s = [_p99(side.sample) for side in seen if side.sample]
    everything = [pair for side in seen for pair in side.sample]
    return LatencyEstimate(
        sum(side.pairs for side in seen),
        _typical(seen),
        _mean_ratio(p99s),
        _order_statistic(sorted(legacy for legacy, _ in everything), QUANTILE),
        _order_statistic(sorted(modern for _, modern in everything), QUANTILE),
        len(seen) == 2,
    )


def _merged(groups: Sequence[LatencyGroup], modern_first: bool) -> LatencyGroup:
    these = [group for group in groups if group.modern_first is modern_first]
    return LatencyGroup(
        modern_first,
        sum(group.pairs for group in these),
        math.fsum(group.sum_log for group in these),
        math.fsum(group.sum_log_squared for group in these),
        tuple(pair for group in these for pair in group.sample),
    )


def _typical(groups: Sequence[LatencyGroup]) -> Ratio:
    means = [group.sum_log / group.pairs for group in groups]
    variances = [
        max(0.0, group.sum_log_squared / group.pairs - mean * mean) / group.pairs
        for group, mean in zip(groups, means, strict=True)
    ]
    mean = math.fsum(means) / len(groups)
    error = math.sqrt(math.fsum(variances)) / len(groups)
    return Ratio(math.exp(mean), math.exp(mean - Z_95 * error), math.exp(mean + Z_95 * error))


def _p99(sample: Sequence[tuple[float, float]]) -> Ratio:
    legacy, modern = sorted(pair[0] for pair in sample), sorted(pair[1] for pair in sample)
    count = len(sample)
    spread = Z_97_5 * math.sqrt(count * QUANTILE * (1 - QUANTILE))
    low, high = max(0, math.floor(count * QUANTILE - spread) - 1), math.ceil(count * QUANTILE + spread)
    at = _order_statistic(modern, QUANTILE) / _order_statistic(legacy, QUANTILE)
    if high >= count:
        return Ratio(at, modern[low] / legacy[-1] if count >= PAIRS_MIN else 0.0, None)
    return Ratio(at, modern[low] / legacy[high], modern[high] / legacy[low])


def _order_statistic(ordered: Sequence[float], quantile: float) -> float:
    return ordered[max(0, math.ceil(len(ordered) * quantile) - 1)]


def _mean_ratio(ratios: Sequence[Ratio]) -> Ratio:
    highs = [ratio.high for ratio in ratios if ratio.high is not None]
    return Ratio(
        _geometric([ratio.estimate for ratio in ratios]),
        _geometric([ratio.low for ratio in ratios]),
        _geometric(highs) if len(highs) == len(ratios) else None,
    )


def _geometric(values: Sequence[float]) -> float:
    return math.exp(math.fsum(map(math.log, values)) / len(values)) if all(values) else 0.0
