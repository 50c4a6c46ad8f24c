"""Every eligible request ends in exactly one place, and the numbers prove it.

    eligible = compared + skipped(reason) + dropped(reason) + errored(side)
    compared = equal + equivalent + different + race + incomparable

A pair whose difference had gone at the second look is counted as `race` and not as `different`. `eligible` is counted
when an event arrives, the parts when it has been judged and sorted; `problems` compares the two, and also either of
them with a count from elsewhere, such as the gateway's own metrics.
"""

from __future__ import annotations

from dataclasses import dataclass, field

VERDICTS = ("equal", "equivalent", "different", "race", "incomparable")
SAMPLED_OUT = frozenset({"sample", "sampled_out", "not_sampled"})
"""Reasons of a random choice: what it leaves out is like what it takes, so it is not held against coverage."""
BY_POLICY = frozenset({"never", "policy", "write", "write_never"})
"""Reasons that routes.yaml gives: such requests are shown in every report, but cannot be waited for."""


@dataclass(frozen=True)
class Accounting:
    """Counts of one route or, summed, of a capability."""

    eligible: int = 0
    skipped: dict[str, int] = field(default_factory=dict)
    dropped: dict[str, int] = field(default_factory=dict)
    errored: dict[str, int] = field(default_factory=dict)
    verdicts: dict[str, int] = field(default_factory=dict)

    @property
    def compared(self) -> int:
        """Pairs that got a verdict, incomparable included."""
        return sum(self.verdicts.values())

    @property
    def comparable(self) -> int:
        """Pairs whose verdict says something about agreement."""
        return self.compared - self.verdicts.get("incomparable", 0)

    @property
    def disagreeing(self) -> int:
        """Pairs that differ, races left out."""
        return self.verdicts.get("different", 0)

    @property
    def countable(self) -> int:
        """Eligible requests without those that a random choice or routes.yaml left out."""
        left_out = sum(count for reason, count in self.skipped.items() if reason in SAMPLED_OUT | BY_POLICY)
        return self.eligible - left_out

    @property
    def coverage(self) -> float:
        """Share of the countable requests that were compared with a result; 0 where there were none."""
        return self.comparable / self.countable if self.countable else 0.0

    @property
    def accounted(self) -> int:
        """The sum of all parts."""
        parts = (self.skipped, self.dropped, self.errored)
        return self.compared + sum(sum(part.values()) for part in parts)


def problems(accounting: Accounting, eligible_elsewhere: int | None = None) -> tuple[str, ...]:
    """What does not add up, one sentence each; empty when all is well."""
    found = []
    if accounting.accounted != accounting.eligible:
        found.append(f"eligible is {accounting.eligible}, but its parts add up to {accounting.accounted}")
    strange = sorted(set(accounting.verdicts) - set(VERDICTS))
    if strange:
        found.append(f"unknown verdicts: {', '.join(strange)}")
    counts = (accounting.skipped, accounting.dropped, accounting.errored, accounting.verdicts)
    if any(count < 0 for part in counts for count in part.values()):
        found.append("a count is negative")
    if eligible_elsewhere is not None and eligible_elsewhere != accounting.eligible:
        found.append(f"{eligible_elsewhere} were eligible at the gateway, {accounting.eligible} arrived here")
    return tuple(found)


def total(parts: list[Accounting]) -> Accounting:
    """The sum over routes."""
    return Accounting(
        sum(part.eligible for part in parts),
        _sum([part.skipped for part in parts]),
        _sum([part.dropped for part in parts]),
        _sum([part.errored for part in parts]),
        _sum([part.verdicts for part in parts]),
    )


def _sum(counts: list[dict[str, int]]) -> dict[str, int]:
    names = sorted({name for count in counts for name in count})
    return {name: sum(count.get(name, 0) for count in counts) for name in names}
