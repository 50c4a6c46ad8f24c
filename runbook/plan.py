"""What a command would do, step by step, and the hash that binds approvals to exactly that; pure."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from typing import Protocol

from runbook.stages import Transition


@dataclass(frozen=True)
class Action:
    """One step, with the concrete objects that it touches."""

    step: str
    text: str
    is_final: bool = False


@dataclass(frozen=True)
class Bindings:
    """What the plan relies on; when any of it changes, the hash does, and approvals of the old plan count no more.

    `completed_runs` counts the capability's ended runs: the same step on the same file is another plan the next time.
    """

    capability: str
    routes_digest: str
    mappings_digest: str
    completed_runs: int


class Rehearsed(Protocol):
    """What a rehearsal measured (runbook.durations)."""

    @property
    def steps(self) -> Mapping[str, float]: ...  # noqa: D102  # seconds by step
    @property
    def pause_seconds(self) -> float: ...  # noqa: D102
    @property
    def at(self) -> str: ...  # noqa: D102


@dataclass(frozen=True)
class Plan:
    """The actions in order. `interrupted` names a run that was killed and is resolved before anything else."""

    transition: Transition
    bindings: Bindings
    actions: tuple[Action, ...]
    approvals_needed: int
    approved_by: tuple[str, ...] = ()
    rejected_by: tuple[str, ...] = ()
    interrupted: str = ""
    last_pauses: tuple[float, ...] = ()
    rehearsed: Rehearsed | None = None
    author: str = ""
    void: tuple[str, ...] = ()

    @property
    def predicted_pause_seconds(self) -> float | None:
        """How long writes will be held: as in the last runs of the same move, else as rehearsed; None without."""
        if self.last_pauses:
            return median(self.last_pauses)
        return self.rehearsed.pause_seconds if self.rehearsed else None

    @property
    def predicted_by(self) -> str:
        """What the prediction rests on."""
        if self.last_pauses or self.rehearsed is None:
            return f"as in the last {len(self.last_pauses)} run(s)"
        return f"as rehearsed at {self.rehearsed.at[:16]}"

    @property
    def step_seconds(self) -> Mapping[str, float]:
        """How long each step took in the last rehearsal; empty without one."""
        return self.rehearsed.steps if self.rehearsed else {}

    @property
    def capability(self) -> str:
        """Whose plan it is."""
        return self.bindings.capability

    @property
    def loses(self) -> str:
        """What is lost by it: fence, marker and drain leave nothing behind, and without them only reads move."""
        if not self.transition.moves_writes:
            return "nothing: only reads are answered elsewhere"
        return "nothing: every write of the home is on the other side before it becomes the home"

    @property
    def hash(self) -> str:
        """SHA-256 over transition, bindings and actions; evidence and approvals are not part of it."""
        return plan_hash(self.transition, self.bindings, self.actions)


def plan_hash(transition: Transition, bindings: Bindings, actions: Sequence[Action]) -> str:
    """Return the hash of a plan in hex."""
    content = [vars(transition), vars(bindings), [vars(action) for action in actions]]
    return hashlib.sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()


def options_of(transition: Transition) -> str:
    """Return what `plan` and `approve` need to mean this transition, with a space before it."""
    if transition.kind == "back":
        return " --back"
    is_chosen = transition.kind == "advance" and transition.percent is not None
    return f" --percent {transition.percent:g}" if is_chosen else ""


def is_stale(given: str, current: str) -> bool:
    """Whether a hash that a person gave (at least 8 characters of it) is not the current one."""
    return len(given) < 8 or not current.startswith(given.lower())


def mappings_digest(folder: Path | None) -> str:
    """Return SHA-256 over the names and contents of a capability's mapping files; empty without a folder."""
    if folder is None:
        return ""
    digest = hashlib.sha256()
    for file in sorted(folder.rglob("*.sql")):
        raw = file.read_bytes()
        digest.update(f"{file.relative_to(folder)}\0{len(raw)}\0".encode() + raw)
    return digest.hexdigest()
