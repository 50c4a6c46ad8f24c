"""A batch of events to sums, in memory: what one transaction of the store has to add, and nothing per event.

Pure but for the choice which shapes are looked at; bounded by the size of the batch.
"""

from __future__ import annotations

import hashlib
import math
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from shadow.compare import Difference, Verdict
from shadow.observation import Agreed, Dropped, Errored, Event, Noise, Pair, Side, Skipped
from shadow.redact import coarse_shape
from shadow.shapes import shape_of

SHAPES_LOOKED_AT_MAX = 32
DETAIL_CHARACTERS_MAX = 80
NOISE_PATH_CHARACTERS_MAX = 300
KEYLESS = 0

ClusterKey = tuple[str, str, str]


@dataclass(slots=True)
class Occurrence:
    """One difference of one pair, with the time of the pair."""

    at: float
    difference: Difference
    race: bool


class Times:
    """Paired latencies of pairs in which the same side was asked first: both columns, and the sums of ln(modern /
    legacy) and of its square."""

    __slots__ = ("legacy", "modern", "sum_log", "sum_log_squared")

    def __init__(self) -> None:
        self.legacy: list[float] = []
        self.modern: list[float] = []
        self.sum_log = self.sum_log_squared = 0.0

    def add(self, legacy: Sequence[float], modern: Sequence[float]) -> None:
        """Add pairs; every number is positive."""
        logs = [math.log(after / before) for before, after in zip(legacy, modern, strict=True)]
        self.sum_log += math.fsum(logs)
        self.sum_log_squared += math.fsum([log * log for log in logs])
        self.legacy += legacy
        self.modern += modern

    def merge(self, other: Times) -> None:
        """Add what another one holds."""
        self.sum_log += other.sum_log
        self.sum_log_squared += other.sum_log_squared
        self.legacy += other.legacy
        self.modern += other.modern


@dataclass(slots=True)
class Instant:
    """What the timeline needs of pairs of one time; their seconds are sums over those that are timed."""

    at: float
    compared: int = 0
    disagreeing: int = 0
    timed: int = 0
    legacy_seconds: float = 0.0
    modern_seconds: float = 0.0


@dataclass(slots=True)
class RouteTally:
    """What a batch adds to one route. `keys` maps each key's hash to whether it mismatched."""

    counts: Counter[tuple[str, str]] = field(default_factory=Counter)
    keys: dict[int, bool] = field(default_factory=dict)
    clusters: dict[ClusterKey, list[Occurrence]] = field(default_factory=dict)
    instants: list[Instant] = field(default_factory=list)
    times: dict[bool, Times] = field(default_factory=dict)
    """By whether modern was asked first."""
    shapes_looked_at: int = 0


@dataclass(slots=True)
class CapabilityTally:
    """What a batch adds to one capability."""

    routes: dict[str, RouteTally] = field(default_factory=dict)
    first_at: float = math.inf
    last_at: float = 0.0

    def keys(self) -> dict[int, bool]:
        """Each key of the batch once over all routes; it mismatches if it does on any."""
        merged: dict[int, bool] = {}
        for route in self.routes.values():
            for key, mismatched in route.keys.items():
                merged[key] = merged.get(key, False) or mismatched
        return merged

    def times(self) -> dict[bool, Times]:
        """The latencies of all routes together."""
        merged: dict[bool, Times] = {}
        for route in self.routes.values():
            for is_modern_first, times in route.times.items():
                merged.setdefault(is_modern_first, Times()).merge(times)
        return merged


Judged = tuple[Event, Verdict | None]


@dataclass(frozen=True, slots=True)
class Progress:
    """How far a worker's events are stored: up to which number, and how many requests by capability and route."""

    number: int = 0
    counted: Mapping[tuple[str, str], int] = field(default_factory=dict)


class Batch:
    """Events that are stored in one transaction, and their sums, which grow with each of them: what is summed up while
    the events come need not be done in one piece, in which a worker that shares our processor would wait."""

    def __init__(self, events: Iterable[Judged] = ()) -> None:
        self.events: list[Judged] = []
        self.capabilities: dict[str, CapabilityTally] = {}
        for event, verdict in events:
            self.add(event, verdict)

    def __len__(self) -> int:
        return len(self.events)

    def add(self, event: Event, verdict: Verdict | None) -> None:
        """Add an event: a pair comes with its verdict, everything else with None."""
        capability = self.capabilities.get(event.capability)
        if capability is None:
            capability = self.capabilities[event.capability] = CapabilityTally()
        route = capability.routes.get(event.route)
        if route is None:
            route = capability.routes[event.route] = RouteTally()
        if event.at:
            capability.first_at = min(capability.first_at, event.at)
            capability.last_at = max(capability.last_at, event.at)
        _add(route, event, verdict)
        self.events.append((event, verdict))


def tally(events: Iterable[Judged]) -> dict[str, CapabilityTally]:
    """Sums by capability and route."""
    return Batch(events).capabilities


def _add(route: RouteTally, event: Event, verdict: Verdict | None) -> None:
    if isinstance(event, Pair):
        if verdict is None:
            raise TypeError("a pair is recorded together with its verdict")
        route.counts["eligible", ""] += 1
        _add_pair(route, event, verdict)
        return
    if isinstance(event, Noise):
        _add_noise(route, verdict)
        return
    route.counts["eligible", ""] += event.count
    if isinstance(event, Agreed):
        _add_agreed(route, event)
    elif isinstance(event, Errored):
        route.counts["errored", event.side] += event.count
    elif isinstance(event, Dropped):
        route.counts["dropped", _detail(event.reason)] += event.count
    elif isinstance(event, Skipped):
        route.counts["skipped", _detail(event.reason)] += event.count


def _add_pair(route: RouteTally, pair: Pair, verdict: Verdict) -> None:
    counts = route.counts
    counts["verdict", "race" if verdict.race else verdict.kind] += 1
    counts["status", f"{pair.control.status // 100}xx/{pair.candidate.status // 100}xx"] += 1
    if verdict.reason:
        counts["reason", _detail(f"{verdict.kind}: {verdict.reason}")] += 1
    if verdict.foreign:
        counts["foreign", ""] += 1
    for rule in verdict.rules:
        counts["rule", _detail(rule)] += 1
    if verdict.reached is not None:
        for rule in ("", *verdict.reached):
            counts["reached", _detail(rule)] += 1
    if route.shapes_looked_at < SHAPES_LOOKED_AT_MAX:
        route.shapes_looked_at += 1
        counts["shape", shape_of(pair.control)] += 1
    _add_key(route, pair, verdict)
    instant = Instant(pair.at, 1, int(verdict.counts_against))
    route.instants.append(instant)
    control, candidate = pair.control, pair.candidate
    if control.side != candidate.side:
        is_modern_first = pair.candidate_first == (control.side == "legacy")
        _add_times(route, instant, _by_side(control.side, [control.seconds], [candidate.seconds]), is_modern_first)
    for difference in verdict.differences:
        occurrence = Occurrence(pair.at, difference, verdict.race)
        route.clusters.setdefault(_cluster_of(difference), []).append(occurrence)


def _add_noise(route: RouteTally, verdict: Verdict | None) -> None:
    """How often legacy was asked twice, under the empty name, and at which paths it differed from itself."""
    if verdict is None or verdict.kind == "incomparable":
        return
    route.counts["noise", ""] += 1
    for path in {difference.path for difference in verdict.differences}:
        route.counts["noise", path[:NOISE_PATH_CHARACTERS_MAX]] += 1


def _add_agreed(route: RouteTally, event: Agreed) -> None:
    counts = route.counts
    counts["verdict", "equal"] += event.count
    counts["status", f"{event.status // 100}xx/{event.status // 100}xx"] += event.count
    if event.keyless:
        counts["keyless", ""] += event.keyless
        route.keys.setdefault(KEYLESS, False)
    for key in event.keys:
        route.keys.setdefault(key_hash(key), False)
    instant = Instant(event.at, event.count)
    route.instants.append(instant)
    columns = _by_side(event.side, event.seconds[::2], event.seconds[1::2])
    _add_times(route, instant, columns, event.side == "modern")


Columns = tuple[Sequence[float], Sequence[float]]
"""Seconds of legacy, and of modern."""


def _by_side(control: Side, of_control: Sequence[float], of_candidate: Sequence[float]) -> Columns:
    return (of_control, of_candidate) if control == "legacy" else (of_candidate, of_control)


def _add_times(route: RouteTally, instant: Instant, columns: Columns, is_modern_first: bool) -> None:
    """Whole columns and no object for each pair: a second of agreeing pairs may be tens of thousands."""
    legacy, modern = columns
    if min((*legacy, *modern), default=0.0) <= 0.0:  # some are not known
        known = [both for both in zip(legacy, modern, strict=True) if min(both) > 0.0]
        legacy, modern = [before for before, _ in known], [after for _, after in known]
    if legacy:
        instant.timed += len(legacy)
        instant.legacy_seconds += math.fsum(legacy)
        instant.modern_seconds += math.fsum(modern)
        route.times.setdefault(is_modern_first, Times()).add(legacy, modern)


def _add_key(route: RouteTally, pair: Pair, verdict: Verdict) -> None:
    if pair.key is None:
        route.counts["keyless", ""] += 1
    if verdict.agrees or verdict.counts_against:
        key = key_hash(pair.key)
        route.keys[key] = route.keys.get(key, False) or verdict.counts_against


def _cluster_of(difference: Difference) -> ClusterKey:
    shapes = " / ".join(
        "-" if shown is None else coarse_shape(shown)
        for shown in (difference.control_shown, difference.candidate_shown)
    )
    return difference.path, difference.kind, shapes


def _detail(text: str) -> str:
    return text[:DETAIL_CHARACTERS_MAX]


def key_hash(key: str | None) -> int:
    """Eight bytes of BLAKE2b of a key as a signed number; KEYLESS for none."""
    if key is None:
        return KEYLESS
    digest = hashlib.blake2b(key.encode("utf-8", "surrogatepass"), digest_size=8).digest()
    return int.from_bytes(digest, "big", signed=True)
