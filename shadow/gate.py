"""Whether a capability may move on: pass, fail, or need more - with every reason that stands in the way.

Five conditions, each with its own answer; the worst is the answer of the gate. Before all others: no answer of
modern may ever have been about another customer than legacy's (`compare.identity`).

1. mismatches: the share of distinct keys that ever mismatched, on any route, is below `gates.mismatch_rate`, by the
   test in `shadow/rate.py`. No single route may be proven above the limit either, so that a rare route that is
   broken does not hide behind a busy one that is well (at confidence 1 - alpha / routes).
2. coverage: on every route the share of countable requests that were compared with a result, and the shares of
   answers whose status classes and whose shape have been seen, reach `gates.coverage`. The share of what has not been
   seen yet is estimated by Good and Turing: how many kinds were seen once over how many answers were looked at (Good
   1953).
3. latency: p99 of modern over legacy on the same requests is within `gates.latency_p99_ratio`.
4. accounting: the numbers add up.

Pure: time is in the evidence.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from shadow.accounting import Accounting, problems
from shadow.figures import percent
from shadow.latency import LatencyEstimate, estimate
from shadow.rate import Answer, RateVerdict, judge_rate
from shadow.summary import Keys, Moment, RouteSummary, Summary

if TYPE_CHECKING:
    from config.model import Gates

Condition = Literal["identity", "mismatches", "coverage", "latency", "accounting"]

CONDITIONS: tuple[Condition, ...] = ("identity", "mismatches", "coverage", "latency", "accounting")
RECENT_SHARE, RECENT_MOMENTS_MIN = 0.2, 5
_BADNESS: dict[Answer, int] = {"pass": 0, "need more": 1, "fail": 2}


@dataclass(frozen=True)
class RouteEvidence:
    """What speaks for or against one route."""

    route: str
    keys: Keys
    accounting: Accounting
    shapes_seen: int
    shapes_unseen_share: float
    classes_unseen_share: float
    latency: LatencyEstimate | None
    foreign: int = 0


@dataclass(frozen=True)
class Evidence:
    """What speaks for or against a capability; `new_keys_per_second` is the rate of the last part of the run."""

    keys: Keys
    routes: tuple[RouteEvidence, ...]
    latency: LatencyEstimate | None
    new_keys_per_second: float


@dataclass(frozen=True)
class Reason:
    """One condition that is not met: what is the case, and what would clear it. `route` is empty for all routes."""

    condition: Condition
    answer: Answer
    route: str
    text: str
    remedy: str


@dataclass(frozen=True)
class GateVerdict:
    """The answer. `more` is how many more distinct keys, all agreeing, the mismatch test takes; `forecast_seconds` how
    long they take at today's rate (None where none arrive or none are needed)."""

    answer: Answer
    more: int | None
    forecast_seconds: float | None
    rate: RateVerdict
    reasons: tuple[Reason, ...]
    latency: LatencyEstimate | None


def evidence_of(summary: Summary) -> Evidence:
    """The evidence in a summary."""
    return Evidence(
        summary.keys, tuple(_route_evidence(route) for route in summary.routes), estimate(summary.latency),
        new_keys_per_second(summary.timeline),
    )  # fmt: skip


def _route_evidence(route: RouteSummary) -> RouteEvidence:
    return RouteEvidence(
        route.route, route.keys, route.accounting, len(route.shapes), unseen_share(route.shapes),
        unseen_share(route.statuses), estimate(route.latency), route.foreign,
    )  # fmt: skip


def unseen_share(seen: Mapping[str, int]) -> float:
    """The estimated share of answers that are of a kind not seen yet, from how often each kind was seen."""
    looked_at = sum(seen.values())
    return sum(count == 1 for count in seen.values()) / looked_at if looked_at else 1.0


def new_keys_per_second(timeline: tuple[Moment, ...]) -> float:
    """The rate at which new keys arrive, over the last fifth of the run: regular customers have been seen by then."""
    recent = timeline[-max(RECENT_MOMENTS_MIN, math.ceil(len(timeline) * RECENT_SHARE)) :]
    if not recent:
        return 0.0
    seconds = recent[-1].at + recent[-1].seconds - recent[0].at
    return sum(moment.new_keys for moment in recent) / seconds if seconds > 0 else 0.0


def judge(evidence: Evidence, gates: Gates) -> GateVerdict:
    """The verdict on a capability under its gates."""
    rate = judge_rate(evidence.keys.distinct, evidence.keys.mismatched, gates.mismatch_rate, gates.confidence)
    reasons = [
        *_identity(evidence),
        *_accounting(evidence),
        *_mismatches(evidence, rate),
        *_routes_mismatching(evidence, gates),
        *_coverage(evidence, gates),
        *_latency(evidence, gates),
    ]
    reasons.sort(key=lambda reason: -_BADNESS[reason.answer])
    return GateVerdict(
        reasons[0].answer if reasons else "pass",
        rate.more,
        _forecast(rate, evidence.new_keys_per_second),
        rate,
        tuple(reasons),
        evidence.latency,
    )


def _forecast(rate: RateVerdict, per_second: float) -> float | None:
    return rate.more / per_second if rate.more and per_second > 0 else None


def _identity(evidence: Evidence) -> list[Reason]:
    return [
        Reason(
            "identity",
            "fail",
            route.route,
            f"in {route.foreign:,} pairs both sides answered about different customers",
            "Find out whose data was shown to whom, mend it, deploy it, and begin the run anew.",
        )
        for route in evidence.routes
        if route.foreign
    ]


def _accounting(evidence: Evidence) -> list[Reason]:
    return [
        Reason("accounting", "fail", route.route, problem, "This is a defect of the gateway: report it.")
        for route in evidence.routes
        for problem in problems(route.accounting)
    ]


def _mismatches(evidence: Evidence, rate: RateVerdict) -> list[Reason]:
    seen = f"{rate.mismatched:,} of {rate.keys:,} keys mismatched, limit {percent(rate.limit)}"
    if rate.answer == "pass":
        return []
    if rate.answer == "fail":
        worse = f"{seen}: surely above it ({percent(rate.low)} or more)"
        return [Reason("mismatches", "fail", "", worse, "Mend the differences listed, then begin the run anew.")]
    if evidence.keys.is_full:
        return [Reason("mismatches", "need more", "", f"{seen}; the store of keys is full", "Begin the run anew.")]
    if rate.more is None:
        return [Reason("mismatches", "need more", "", seen, "No number of keys is enough for this limit: raise it.")]
    remedy = f"{rate.more:,} more distinct keys, all agreeing."
    if _forecast(rate, evidence.new_keys_per_second) is None:
        remedy += " No new keys arrive at present."
    return [Reason("mismatches", "need more", "", seen, remedy)]


def _routes_mismatching(evidence: Evidence, gates: Gates) -> list[Reason]:
    found = []
    confidence = 1 - (1 - gates.confidence) / max(1, len(evidence.routes))
    for route in evidence.routes:
        rate = judge_rate(route.keys.distinct, route.keys.mismatched, gates.mismatch_rate, confidence)
        if rate.answer == "fail":
            text = f"{rate.mismatched:,} of {rate.keys:,} keys mismatched here, surely {percent(rate.low)} or more"
            found.append(Reason("mismatches", "fail", route.route, text, "Mend the differences listed."))
    return found


def _coverage(evidence: Evidence, gates: Gates) -> list[Reason]:
    found = []
    for route in evidence.routes:
        accounting = route.accounting
        if not accounting.countable:
            continue
        if accounting.coverage < gates.coverage:
            text = f"only {percent(accounting.coverage)} of {accounting.countable:,} requests were compared"
            text += f", floor {percent(gates.coverage)}"
            found.append(Reason("coverage", "need more", route.route, text, f"Look at: {_largest_loss(accounting)}."))
            continue
        for unseen, kind in ((route.classes_unseen_share, "status class"), (route.shapes_unseen_share, "shape")):
            if 1 - unseen < gates.coverage:
                text = f"about {percent(unseen)} of its answers have a {kind} not seen yet"
                found.append(Reason("coverage", "need more", route.route, text, "More traffic on this route."))
                break
    return found


def _largest_loss(accounting: Accounting) -> str:
    losses = [(count, f"skipped ({reason})") for reason, count in accounting.skipped.items()]
    losses += [(count, f"dropped ({reason})") for reason, count in accounting.dropped.items()]
    losses += [(count, f"no answer from {side}") for side, count in accounting.errored.items()]
    losses.append((accounting.verdicts.get("incomparable", 0), "incomparable answers"))
    count, name = max(losses)
    return f"{count:,} {name}"


def _latency(evidence: Evidence, gates: Gates) -> list[Reason]:
    limit, found = gates.latency_p99_ratio, []
    if evidence.routes and (evidence.latency is None or not evidence.latency.is_enough):
        pairs = evidence.latency.pairs if evidence.latency else 0
        found.append(Reason("latency", "need more", "", f"only {pairs} timed pairs", "More traffic."))
    for name, latency in [("", evidence.latency), *((route.route, route.latency) for route in evidence.routes)]:
        if latency is None or not latency.is_enough or latency.p99.estimate <= limit:
            continue
        high = "?" if latency.p99.high is None else f"{latency.p99.high:.2f}"
        text = (
            f"p99 of modern is {latency.p99.estimate:.2f} x legacy ({latency.p99.low:.2f} to {high}), limit {limit:g}"
        )
        answer: Answer = "fail" if latency.p99.low > limit else "need more"
        found.append(Reason("latency", answer, name, text, "Make modern quicker, or raise latency_p99_ratio."))
    return found
