"""What is known about a capability's comparison, as frozen facts read from the store; and its form as JSON."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import msgspec

from shadow.accounting import Accounting, total


@dataclass(frozen=True)
class Sample:
    """One redacted example of a difference."""

    at: float
    place: str
    control_shown: str | None
    candidate_shown: str | None


@dataclass(frozen=True)
class Cluster:
    """Differences of one sort: where (a path pattern), what kind, and the shapes of both values."""

    path: str
    kind: str
    shape: str
    count: int
    races: int
    first_at: float
    last_at: float
    samples: tuple[Sample, ...] = ()


@dataclass(frozen=True)
class Keys:
    """Distinct keys seen, how many of them ever mismatched, and how many pairs came without a key.

    All pairs without a key count as one key. `is_full` says that the store holds its maximum of keys: more agreeing
    keys are no longer counted, so the evidence stands still and is never overstated.
    """

    distinct: int = 0
    mismatched: int = 0
    keyless_pairs: int = 0
    is_full: bool = False


@dataclass(frozen=True)
class LatencyGroup:
    """Paired latencies by who went first: sums of ln(modern / legacy), and a uniform sample of pairs in seconds."""

    modern_first: bool
    pairs: int
    sum_log: float
    sum_log_squared: float
    sample: tuple[tuple[float, float], ...] = ()


@dataclass(frozen=True)
class RouteSummary:
    """One route. `rules` counts the pairs in which a rule took a difference for none; `reached` the answers looked at
    (under the empty name) and in how many of them a rule named something; `foreign` the pairs in which both sides
    answered about different customers; `noise` the reads that legacy was asked twice (under the empty name) and in how
    many of them it differed from itself, by path."""

    route: str
    accounting: Accounting = field(default_factory=Accounting)
    keys: Keys = Keys()
    reasons: dict[str, int] = field(default_factory=dict)
    statuses: dict[str, int] = field(default_factory=dict)
    shapes: dict[str, int] = field(default_factory=dict)
    latency: tuple[LatencyGroup, ...] = ()
    clusters: tuple[Cluster, ...] = ()
    rules: dict[str, int] = field(default_factory=dict)
    reached: dict[str, int] = field(default_factory=dict)
    foreign: int = 0
    noise: dict[str, int] = field(default_factory=dict)


@dataclass(frozen=True)
class Moment:
    """One interval of the run: `at` is its begin; mean seconds of each side over its pairs."""

    at: float
    seconds: float
    compared: int
    disagreeing: int
    new_keys: int
    legacy_seconds: float
    modern_seconds: float


@dataclass(frozen=True)
class Summary:
    """A capability since its shadow run began. `keys` counts each key once over all routes; a key mismatches if any of
    its pairs does on any route. `latency` is a sample over all routes, each with the weight of its traffic."""

    capability: str
    started_at: float | None = None
    last_at: float | None = None
    keys: Keys = Keys()
    routes: tuple[RouteSummary, ...] = ()
    latency: tuple[LatencyGroup, ...] = ()
    timeline: tuple[Moment, ...] = ()

    @property
    def accounting(self) -> Accounting:
        """The sum over routes."""
        return total([route.accounting for route in self.routes])


def summary_json(summary: Summary) -> dict[str, Any]:
    """The summary as plain dicts, lists, numbers and strings."""
    plain: dict[str, Any] = msgspec.to_builtins(summary)
    return plain


def summary_from_json(plain: Any) -> Summary:
    """The summary that `summary_json` was made of. Raises msgspec.ValidationError."""
    return msgspec.convert(plain, Summary)
