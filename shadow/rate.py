"""The test behind the gate: is the share of keys that mismatch below its limit? It may be asked after every request.

Keys in the order of their first appearance mismatch (1) or agree (0). Under a share theta, n keys with k mismatches
have the likelihood theta^k (1-theta)^(n-k). Mixed over theta by a Beta(1, b) prior it is B(1+k, b+n-k) / B(1, b), so

    E_n(theta) = B(1+k, b+n-k) / (B(1, b) theta^k (1-theta)^(n-k))

is a non-negative martingale of mean 1 under theta, and by Ville's inequality it ever reaches 1/alpha with a
probability of at most alpha (Ville 1939; Robbins 1970; Howard, Ramdas, McAuliffe, Sekhon 2021). The theta with
E_n(theta) < 1/alpha are therefore a confidence sequence: it holds the true share at all n at once with probability
1 - alpha, however often one looks and whenever one stops. The likelihood has one peak, at k/n, so the sequence is an
interval around it, and the limit p is outside exactly where E_n(p) >= 1/alpha. Hence

    pass       E_n(p) >= 1/alpha and k/n < p    the whole interval is below the limit
    fail       E_n(p) >= 1/alpha and k/n > p    the whole interval is above it
    need more  otherwise

The direction matters: with many mismatches E_n(p) is large as well. If the true share is p or more, `pass` means that
the interval does not hold it: at most alpha. b = 1/p puts the prior's mean at about p; with k = 0 the test passes at
the first n with b / (b+n) >= (1-p)^n / alpha, which is 472 for p = 1 % and 4,741 for 0.1 % at alpha = 5 %
(reference/gateway.md, section 8).

A key that agreed may mismatch later: then k grows and n does not, E_n(p) becomes smaller below the limit, and a pass
comes later than by first impressions, never earlier. So the guarantee for `pass` holds.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Literal

Answer = Literal["pass", "fail", "need more"]

MORE_MAX = 1 << 40
BISECTIONS = 60


@dataclass(frozen=True)
class RateVerdict:
    """The answer with its evidence: the share seen, the interval around it, and how many more agreeing keys a pass
    takes (0 for a pass, None where no number is enough)."""

    answer: Answer
    keys: int
    mismatched: int
    limit: float
    confidence: float
    low: float
    high: float
    evidence: float
    more: int | None

    @property
    def rate(self) -> float:
        """The share of keys that mismatched; 0 where there are none."""
        return self.mismatched / self.keys if self.keys else 0.0


def judge_rate(keys: int, mismatched: int, limit: float, confidence: float = 0.95) -> RateVerdict:
    """The verdict on `mismatched` of `keys` distinct keys; `limit` and `confidence` are shares fixed before the data.

    A limit of 0 or a confidence of 1 can be refuted but never be proven. Raises ValueError for impossible numbers.
    """
    if not (0 <= limit <= 1 and 0 <= confidence <= 1 and 0 <= mismatched <= keys):
        raise ValueError(f"no test for {mismatched} of {keys} keys, limit {limit}, confidence {confidence}")
    if limit in (0, 1) or confidence in (0, 1):
        return _without_test(keys, mismatched, limit, confidence)
    needed = -math.log1p(-confidence)
    evidence = log_evidence(keys, mismatched, limit, limit)
    low, high = _interval(keys, mismatched, limit, needed)
    return RateVerdict(
        _answer(keys, mismatched, limit, evidence, needed),
        keys, mismatched, limit, confidence, low, high,
        math.exp(min(evidence, 700.0)),
        _more(keys, mismatched, limit, needed),
    )  # fmt: skip


def _without_test(keys: int, mismatched: int, limit: float, confidence: float) -> RateVerdict:
    if limit == 1 or confidence == 0:
        return RateVerdict("pass", keys, mismatched, limit, confidence, 0.0, 1.0, math.inf, 0)
    answer: Answer = "fail" if limit == 0 and mismatched else "need more"
    return RateVerdict(answer, keys, mismatched, limit, confidence, 0.0, 1.0, 1.0, None)


def log_evidence(keys: int, mismatched: int, theta: float, limit: float) -> float:
    """ln E_n(theta) with the prior Beta(1, 1 / limit)."""
    b = 1 / limit
    return _log_mixture(keys, mismatched, b) - _log_likelihood(keys, mismatched, theta)


def _log_mixture(keys: int, mismatched: int, b: float) -> float:
    # B(1, b) = 1 / b
    beta = math.lgamma(1 + mismatched) + math.lgamma(b + keys - mismatched) - math.lgamma(1 + b + keys)
    return beta + math.log(b)


def _log_likelihood(keys: int, mismatched: int, theta: float) -> float:
    agreeing = keys - mismatched
    return (mismatched * math.log(theta) if mismatched else 0.0) + (agreeing * math.log1p(-theta) if agreeing else 0.0)


def _answer(keys: int, mismatched: int, limit: float, evidence: float, needed: float) -> Answer:
    if evidence < needed:
        return "need more"
    return "pass" if mismatched < limit * keys else "fail"


def _more(keys: int, mismatched: int, limit: float, needed: float) -> int | None:
    # With one more agreeing key E grows if and only if the share so far is below the limit, so from the first n
    # where it is, passing is a matter of n alone and can be bisected.
    def passes(more: int) -> bool:
        n = keys + more
        return _answer(n, mismatched, limit, log_evidence(n, mismatched, limit, limit), needed) == "pass"

    if passes(0):
        return 0
    high = 1
    while not passes(high):
        high *= 2
        if high > MORE_MAX:
            return None
    low = high // 2
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (low, middle) if passes(middle) else (middle, high)
    return high


def _interval(keys: int, mismatched: int, limit: float, needed: float) -> tuple[float, float]:
    if not keys:
        return 0.0, 1.0
    peak = mismatched / keys
    high = _edge(keys, mismatched, limit, needed, (peak, 1.0)) if peak < 1 else 1.0
    low = _edge(keys, mismatched, limit, needed, (peak, 0.0)) if peak > 0 else 0.0
    return low, high


def _edge(keys: int, mismatched: int, limit: float, needed: float, between: tuple[float, float]) -> float:
    inside, outside = between
    for _ in range(BISECTIONS):
        middle = (inside + outside) / 2
        if middle in (inside, outside):
            break
        if log_evidence(keys, mismatched, middle, limit) < needed:
            inside = middle
        else:
            outside = middle
    return outside
