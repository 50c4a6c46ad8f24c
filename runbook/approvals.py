"""Approvals: bound to a plan and to what the gates said of it, never by who made the plan or starts the run.

An approval counts while the plan's hash and the basis (runbook/basis.py) are what they were when it was given. It is
compared each time, so nothing has to notice a change when it happens; what has become as it was counts again. A
rejection has no basis and stands until the same person says otherwise.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Literal

import sqlalchemy as sa

from runbook.basis import Basis, basis_from
from runbook.control import APPROVAL, APPROVAL_BASIS, PLAN_AUTHOR, RUN, Control, now
from runbook.journal import Journal
from runbook.people_errors import NeedsTwoPeople, OwnPlan
from runbook.persons import same_person
from runbook.plan import Plan

Word = Literal["approve", "reject"]
UNBOUND = "it was given by an older version, which did not keep what the gates said"


@dataclass(frozen=True)
class Vote:
    """What one person said of one plan; `basis` is None for a rejection, and for what an older version kept."""

    who: str
    word: Word
    basis: Basis | None = None


@dataclass(frozen=True)
class Void:
    """An approval that counts no more, and each change that made it so."""

    who: str
    because: tuple[str, ...]

    def __str__(self) -> str:
        return f"that of {self.who} is void: {'; '.join(self.because)}"


@dataclass(frozen=True)
class Decisions:
    """Who said what about one plan; each person's last word counts."""

    approved_by: tuple[str, ...]
    rejected_by: tuple[str, ...]
    void: tuple[Void, ...] = ()

    def suffice(self, needed: int) -> bool:
        """Whether enough people approved and nobody rejected."""
        return len(self.approved_by) >= needed and not self.rejected_by


def count(votes: Iterable[Vote], basis: Basis, barred: frozenset[str]) -> Decisions:
    """Return what the votes on one plan, oldest first, come to on today's basis. `barred` may reject, not approve."""
    last = {vote.who: vote for vote in votes}.values()
    approvals = [(vote, why_void(vote, basis)) for vote in last if vote.word == "approve" and vote.who not in barred]
    return Decisions(
        tuple(vote.who for vote, changes in approvals if not changes),
        tuple(vote.who for vote in last if vote.word == "reject"),
        tuple(Void(vote.who, changes) for vote, changes in approvals if changes),
    )


def why_void(vote: Vote, basis: Basis) -> tuple[str, ...]:
    """Return what has changed since an approval was given; nothing where it counts."""
    return (UNBOUND,) if vote.basis is None else basis.changes_since(vote.basis)


def decide(journal: Journal, plan: Plan, word: Word, principal: str, basis: Basis) -> Decisions:
    """Write down a person's decision on a plan. Raises NeedsTwoPeople without a name, OwnPlan for its author."""
    person = same_person(principal)
    if not person:
        raise NeedsTwoPeople("An approval")
    author = author_of(journal.control, plan.hash)
    if word == "approve" and person == author:
        raise OwnPlan(person, plan.hash)
    with journal.page() as page:
        row = {"capability": plan.capability, "plan_hash": plan.hash, "principal": person, "decision": word}
        written = page.connection.execute(sa.insert(APPROVAL).values(at=now(), **row))
        (number,) = written.inserted_primary_key or (None,)
        move = {"kind": plan.transition.kind, "percent": plan.transition.percent}
        kept = basis.as_json() if word == "approve" else ""
        page.connection.execute(sa.insert(APPROVAL_BASIS).values(approval_id=number, facts=kept, **move))
        facts = {"plan": plan.hash, "transition": plan.transition.name, "author": author}
        facts |= {"evidence": basis.digest} if word == "approve" else {}
        page.append("approval.given" if word == "approve" else "approval.refused", person, plan.capability, facts)
    return decisions_on(journal.control, plan.hash, basis)


def decisions_on(control: Control, plan_hash: str, basis: Basis, started_by: str = "") -> Decisions:
    """Return what was decided on a plan, on today's basis, without the one who starts it and the one who made it."""
    joined = APPROVAL.outerjoin(APPROVAL_BASIS, APPROVAL.c.id == APPROVAL_BASIS.c.approval_id)
    columns = (APPROVAL.c.principal, APPROVAL.c.decision, APPROVAL_BASIS.c.facts)
    query = sa.select(*columns).select_from(joined).where(APPROVAL.c.plan_hash == plan_hash).order_by(APPROVAL.c.id)
    with control.reading() as connection:
        rows = connection.execute(query).all()
    votes = [Vote(who, word, basis_from(facts) if facts else None) for who, word, facts in rows]
    return count(votes, basis, frozenset({same_person(started_by), author_of(control, plan_hash)}))


def author_of(control: Control, plan_hash: str) -> str:
    """Return who asked for the plan first, else who first started a run of it; empty where nobody did."""
    made = sa.select(PLAN_AUTHOR.c.author).where(PLAN_AUTHOR.c.plan_hash == plan_hash)
    started = sa.select(RUN.c.actor).where(RUN.c.plan_hash == plan_hash).order_by(RUN.c.started_at).limit(1)
    with control.reading() as connection:
        found = connection.execute(made).scalar() or connection.execute(started).scalar()
    return same_person(str(found or ""))


def note_author(journal: Journal, plan: Plan, actor: str) -> str:
    """Keep who made a plan, if nobody made the same before; return its author."""
    if known := author_of(journal.control, plan.hash):
        return known
    person = same_person(actor)
    with journal.page() as page:
        row = {"plan_hash": plan.hash, "capability": plan.capability, "author": person, "at": now()}
        page.connection.execute(sa.insert(PLAN_AUTHOR).values(**row))
        page.append("plan.made", person, plan.capability, {"plan": plan.hash, "transition": plan.transition.name})
    return person
