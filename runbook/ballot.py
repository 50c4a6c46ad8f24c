"""Where the approvals of a capability stand, for the board: which count, which are void and why, and what to do."""

from __future__ import annotations

from dataclasses import dataclass

import sqlalchemy as sa

from config.errors import NotConfigured
from config.model import Routes
from runbook.approvals import Decisions, Void, decisions_on
from runbook.basis import Basis
from runbook.control import APPROVAL, APPROVAL_BASIS, RUN, Control
from runbook.errors import NoSuchTransition
from runbook.gate_round import last_basis
from runbook.ground import standing_on, transition_of
from runbook.journal import Journal
from runbook.plan import options_of
from runbook.planning import bare_plan_on
from runbook.stages import Kind

PLANS_MAX = 5  # each of them is made anew to see whether it is still the plan


@dataclass(frozen=True)
class Ballot:
    """What was decided on one plan since the capability last moved. `todo` is empty where nothing is void."""

    plan: str
    decisions: Decisions
    todo: str = ""


@dataclass(frozen=True)
class _Move:
    plan: str
    kind: Kind
    percent: float | None


def ballots(routes: Routes, name: str, journal: Journal) -> tuple[Ballot, ...]:
    """Return the newest plans that somebody decided on, oldest first. Raises DatabaseDown. The gates are not asked."""
    return tuple(_ballot(routes, name, move, journal) for move in _decided(journal.control, name))


def _ballot(routes: Routes, name: str, move: _Move, journal: Journal) -> Ballot:
    try:
        transition = transition_of(routes, name, move.kind, move.percent)
    except (NoSuchTransition, NotConfigured) as error:
        return _void(journal.control, move, error.sentence, f"strangler plan {name}")
    with standing_on(routes, name, transition, journal) as ground:
        current = bare_plan_on(ground).hash
    shown = f"strangler plan {name}{options_of(transition)}"
    if current != move.plan:
        return _void(journal.control, move, f"the plan is {current[:12]} now", f"{shown}, then approve that one")
    found = decisions_on(journal.control, move.plan, last_basis(journal.control, name, transition))
    again = f"strangler gates {name}, then strangler approve {name}{options_of(transition)} --plan {current[:12]}"
    return Ballot(move.plan, found, again if found.void else "")


def _void(control: Control, move: _Move, reason: str, todo: str) -> Ballot:
    found = decisions_on(control, move.plan, Basis())
    void = tuple(Void(who, (reason,)) for who in (*found.approved_by, *(one.who for one in found.void)))
    return Ballot(move.plan, Decisions((), found.rejected_by, void), todo if void else "")


def _decided(control: Control, name: str) -> tuple[_Move, ...]:
    joined = APPROVAL.join(APPROVAL_BASIS, APPROVAL.c.id == APPROVAL_BASIS.c.approval_id)
    ended = sa.select(sa.func.max(RUN.c.ended_at)).where(RUN.c.capability == name, RUN.c.status == "done")
    query = sa.select(APPROVAL.c.plan_hash, APPROVAL_BASIS.c.kind, APPROVAL_BASIS.c.percent).select_from(joined)
    query = query.where(APPROVAL.c.capability == name, APPROVAL.c.at > sa.func.coalesce(ended.scalar_subquery(), ""))
    with control.reading() as connection:
        rows = connection.execute(query.order_by(APPROVAL.c.id.desc())).all()
    moves = dict.fromkeys(_Move(plan, kind, percent) for plan, kind, percent in rows)
    return tuple(moves)[:PLANS_MAX][::-1]
