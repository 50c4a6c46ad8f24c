"""Makes the plan of a transition: its steps, what it is bound to, what was decided on it, what it will take."""

from __future__ import annotations

from dataclasses import replace

from runbook import durations, runs
from runbook.approvals import author_of, decisions_on
from runbook.cutover import steps_for
from runbook.gate_round import last_basis
from runbook.ground import Ground
from runbook.plan import Action, Bindings, Plan, mappings_digest


def bare_plan_on(ground: Ground) -> Plan:
    """The plan alone, which is what its hash is made of."""
    steps, sync = steps_for(ground), ground.capability.sync
    bindings = Bindings(
        ground.name,
        ground.routes.digest,
        mappings_digest(sync.mappings if sync else None),
        runs.completed_runs(ground.control, ground.name),
    )
    actions = tuple(Action(step.name, step.describe(), step is steps.commit) for step in steps.all)
    return Plan(ground.transition, bindings, actions, ground.capability.approvals)


def plan_on(ground: Ground) -> Plan:
    """The plan with all that is shown beside it; approvals by the last answers of the gates, which are not asked."""
    plan, control = bare_plan_on(ground), ground.control
    given = decisions_on(control, plan.hash, last_basis(control, ground.name, ground.transition), ground.actor)
    left = runs.interrupted(control, ground.name)
    moves_writes = ground.transition.moves_writes
    return replace(
        plan,
        author=author_of(control, plan.hash),
        approved_by=given.approved_by,
        rejected_by=given.rejected_by,
        void=tuple(map(str, given.void)),
        interrupted=f"{left.id} ({left.transition.name}, {left.status})" if left else "",
        last_pauses=runs.last_pauses(control, ground.transition, ground.name) if moves_writes else (),
        rehearsed=durations.last(control, ground.name, ground.transition.kind) if moves_writes else None,
    )
