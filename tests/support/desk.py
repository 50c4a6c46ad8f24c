"""A journal in a file, and a run in it."""

from __future__ import annotations

from pathlib import Path

from runbook import lease, runs
from runbook.control import Control
from runbook.journal import Journal
from runbook.plan import Action, Bindings, Plan
from runbook.stages import Transition

PLAN = Plan(
    Transition("advance", "canary", "modern", from_percent=5.0),
    Bindings("accounts", "d1", "m1", 0),
    (Action("hold", "new writes"),),
    approvals_needed=2,
)


def journal_in(folder: Path) -> Journal:
    """Make or open it."""
    return Journal(Control(f"sqlite:///{folder / 'control.db'}", folder / "journal.head"))


def begun(journal: Journal, plan: Plan = PLAN) -> runs.RunRecord:
    """Begin a run of alice's."""
    return runs.begin(journal, lease.acquire(journal.control, plan.capability, "alice"), plan, "alice")
