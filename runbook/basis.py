"""What an approval rests on beside the plan: verdicts, thresholds, waivers, and no figure that jitters; pure."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Protocol

from runbook.gates import Finding


class GivenWaiver(Protocol):
    """What is said of runbook.waivers.Waiver."""

    @property
    def gate(self) -> str: ...  # noqa: D102
    @property
    def people(self) -> str: ...  # noqa: D102
    @property
    def reason(self) -> str: ...  # noqa: D102
    @property
    def expires_at(self) -> str: ...  # noqa: D102


@dataclass(frozen=True)
class Basis:
    """Each fact by its name: a gate with its verdict and threshold, or a waiver with its reason."""

    facts: Mapping[str, str] = field(default_factory=dict)

    @property
    def digest(self) -> str:
        """SHA-256 over all of it, in hex."""
        return hashlib.sha256(self.as_json().encode()).hexdigest()

    def as_json(self) -> str:
        """The form in which it is kept."""
        return json.dumps(dict(self.facts), sort_keys=True)

    def changes_since(self, then: Basis) -> tuple[str, ...]:
        """Return a clause for each fact that was not so then; nothing if and only if both have one digest."""
        names = sorted(then.facts.keys() | self.facts.keys())
        return tuple(
            _change(name, then.facts.get(name), self.facts.get(name))
            for name in names
            if then.facts.get(name) != self.facts.get(name)
        )


def verdicts(findings: Iterable[Finding]) -> dict[str, str]:
    """Return of each gate whether it passes, and what it needs: not what was measured, which never stands still."""
    return {f"gate {one.gate}": f"{'passes' if one.ok else 'does not pass'} ({one.threshold})" for one in findings}


def basis_of(seen: Mapping[str, str], waivers: Sequence[GivenWaiver]) -> Basis:
    """Join the verdicts with the waivers of these gates, also of those that pass: one may let it pass tomorrow."""
    asked = {name.removeprefix("gate ").partition(":")[0] for name in seen}
    given = {
        f"waiver of {one.gate} by {one.people} until {one.expires_at[:16]}": one.reason
        for one in waivers
        if one.gate.partition(":")[0] in asked
    }
    return Basis({**seen, **given})


def basis_from(kept: str) -> Basis:
    """Read what `as_json` wrote."""
    return Basis(json.loads(kept))


def _change(name: str, then: str | None, now: str | None) -> str:
    if then is None:
        return f"{name} is new: {now}"
    if now is None:
        return f"{name} is gone"
    return f"{name}: {then} then, {now} now"
