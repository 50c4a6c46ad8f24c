"""Legacy's own noise: how often it differs from itself at a path, and the rule that a person may make of it.

Where a share of safe reads is asked of legacy twice (`shadow.noise`), what differs there is no fault of modern. Nothing
is hidden for that by itself: a proposal is the evidence and the line for routes.yaml, and it is in force when somebody
has accepted it. A protected path is never proposed.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from datetime import date, timedelta
from typing import TYPE_CHECKING

from config.paths import PatternInvalid, covers, parse_pattern
from shadow.figures import percent
from shadow.redact import head_place
from shadow.summary import RouteSummary

if TYPE_CHECKING:
    from config.comparing import Compare

READS_MIN = 30
"""Below that many reads asked twice nothing is proposed."""
VALID_DAYS = 90
Z_95 = 1.96


@dataclass(frozen=True)
class Noisy:
    """A path at which legacy differed from itself in `differing` of `reads`; the true share is between `low` and `high`
    (95 %). `explains` is in how many pairs the two sides differed there."""

    route: str
    path: str
    reads: int
    differing: int
    low: float
    high: float
    explains: int
    is_protected: bool
    is_ignored: bool = False

    @property
    def is_proposed(self) -> bool:
        """Whether there is enough evidence for a rule, and the path may have one."""
        return not self.objection

    @property
    def objection(self) -> str:
        """Why no rule is proposed; empty where one is."""
        is_place = self.path.startswith(("$", "header:", "cookie:")) and "*:" not in self.path and ":*" not in self.path
        reasons = (
            (self.is_protected, "it is protected"),
            (self.is_ignored, "compare.ignore has it already"),
            (not is_place or self.path == "$", "no rule may name it"),
            (self.reads < READS_MIN, f"legacy was asked twice only {self.reads} times, and {READS_MIN} are needed"),
            (not self.explains, "the sides do not differ there"),
        )
        return next((reason for holds, reason in reasons if holds), "")

    @property
    def evidence(self) -> str:
        """The figures in a few words."""
        share = f"{percent(self.low)} to {percent(self.high)}"
        return f"legacy differs from itself in {self.differing:,} of {self.reads:,} reads ({share})"


def noise_of(route: RouteSummary, compare: Compare | None) -> tuple[Noisy, ...]:
    """Every noisy path of a route, the noisiest first."""
    reads = route.noise.get("", 0)
    protected = [parse_pattern(path) for path in (*compare.protect, *compare.identity)] if compare else []
    ignored = {one.path for one in compare.ignore} if compare else set()
    explained = {cluster.path: 0 for cluster in route.clusters}
    for cluster in route.clusters:
        explained[cluster.path] += cluster.count + cluster.races
    found = [
        Noisy(
            route.route, path, reads, differing, *interval(differing, reads), explained.get(path, 0),
            any(covers(pattern, _place(path)) for pattern in protected), path in ignored,
        )
        for path, differing in route.noise.items()
        if path
    ]  # fmt: skip
    return tuple(sorted(found, key=lambda one: (-one.differing, one.path)))


def _place(path: str) -> tuple[str | int, ...]:
    """A place that the pattern names."""
    try:
        steps = parse_pattern(path)
    except PatternInvalid:
        return (head_place(path),)
    return tuple(0 if step.is_index and step.key is None else "*" if step.key is None else step.key for step in steps)


def interval(differing: int, reads: int) -> tuple[float, float]:
    """Wilson's interval of a share at 95 % (Wilson 1927); it stays within 0 and 1 however few the reads are."""
    if not reads:
        return 0.0, 1.0
    share, square = differing / reads, Z_95 * Z_95
    middle = share + square / (2 * reads)
    half = Z_95 * math.sqrt(share * (1 - share) / reads + square / (4 * reads * reads))
    whole = 1 + square / reads
    # Rounding may put an end of it on the wrong side of the share.
    return min(share, max(0.0, (middle - half) / whole)), max(share, min(1.0, (middle + half) / whole))


def proposal(noisy: Noisy, today: date, said: str = "") -> str:
    """The line for `compare.ignore` of the route, with what a person `said` about it; it holds for VALID_DAYS."""
    words = "".join(letter if letter.isprintable() else " " for letter in (f"{said};" if said else ""))
    reason = f"{' '.join(words.split())} noise, seen {today.isoformat()}: {noisy.evidence}".strip()
    path, reason = noisy.path.replace("'", "''"), reason.replace("'", "''")
    return f"- {{path: '{path}', reason: '{reason}', until: {last_day(today).isoformat()}}}"


def last_day(today: date) -> date:
    """The last day of a rule that is accepted today."""
    return today + timedelta(days=VALID_DAYS)
