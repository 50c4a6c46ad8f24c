"""Approvals bound to a plan's hash, and waivers of gates by two people until they expire."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Literal

import sqlalchemy as sa

from runbook.control import APPROVAL, WAIVER, Control, now, stamp
from runbook.gates import BY_NAME
from runbook.journal import Journal
from runbook.people_errors import NeedsTwoPeople, UnknownGate, WaiverTooLong
from runbook.plan import Plan

WAIVER_LASTING_MAX = timedelta(days=30)


@dataclass(frozen=True)
class Decisions:
    """Who said what about one plan; each person's last word counts, and the starter's does not."""

    approved_by: tuple[str, ...]
    rejected_by: tuple[str, ...]

    def suffice(self, needed: int) -> bool:
        """Whether enough people approved and nobody rejected."""
        return len(self.approved_by) >= needed and not self.rejected_by


@dataclass(frozen=True)
class Waiver:
    """A gate that is let pass until it expires: who asked, who agreed, and why."""

    capability: str
    gate: str
    reason: str
    actor: str
    second: str
    expires_at: str

    @property
    def people(self) -> str:
        """Both names."""
        return f"{self.actor} and {self.second}"


def decide(journal: Journal, plan: Plan, decision: Literal["approve", "reject"], principal: str) -> Decisions:
    """Write down a person's decision on a plan; whether it counts is known when somebody starts the run."""
    person = same_person(principal)
    if not person:
        raise NeedsTwoPeople("An approval")
    with journal.page() as page:
        row = {"capability": plan.capability, "plan_hash": plan.hash, "principal": person, "decision": decision}
        page.connection.execute(sa.insert(APPROVAL).values(at=now(), **row))
        facts = {"plan": plan.hash, "transition": plan.transition.name}
        page.append("approval.given" if decision == "approve" else "approval.refused", person, plan.capability, facts)
    return decisions_on(journal.control, plan.hash)


def decisions_on(control: Control, plan_hash: str, started_by: str = "") -> Decisions:
    """Return who approved and who rejected a plan, without the one who started it."""
    query = sa.select(APPROVAL.c.principal, APPROVAL.c.decision).where(APPROVAL.c.plan_hash == plan_hash)
    with control.reading() as connection:
        rows = connection.execute(query.order_by(APPROVAL.c.id)).all()
    last_word: dict[str, str] = {row.principal: row.decision for row in rows}
    starter = same_person(started_by)
    approved = tuple(who for who, decision in last_word.items() if decision == "approve" and who != starter)
    return Decisions(approved, tuple(who for who, decision in last_word.items() if decision == "reject"))


def give_waiver(journal: Journal, waiver: Waiver, lasting: timedelta) -> Waiver:
    """Write a waiver down. Raises NeedsTwoPeople, UnknownGate, WaiverTooLong."""
    actor, second = same_person(waiver.actor), same_person(waiver.second)
    if not actor or not second or actor == second:
        raise NeedsTwoPeople(f"A waiver of {waiver.gate}")
    if waiver.gate.partition(":")[0] not in BY_NAME:
        raise UnknownGate(waiver.gate, tuple(BY_NAME))
    if not timedelta(0) < lasting <= WAIVER_LASTING_MAX:
        raise WaiverTooLong(str(lasting), f"{WAIVER_LASTING_MAX.days} days")
    expires_at = stamp(datetime.now(UTC) + lasting)
    given = Waiver(waiver.capability, waiver.gate, waiver.reason.strip(), actor, second, expires_at)
    with journal.page() as page:
        page.connection.execute(sa.insert(WAIVER).values(at=now(), **vars(given)))
        facts = {"gate": given.gate, "second": second, "reason": given.reason, "expires_at": expires_at}
        page.append("waiver.given", actor, given.capability, facts)
    return given


def waivers_of(control: Control, capability: str) -> tuple[Waiver, ...]:
    """Return the waivers that have not expired, oldest first."""
    query = sa.select(WAIVER).where(WAIVER.c.capability == capability, WAIVER.c.expires_at > now())
    with control.reading() as connection:
        rows = connection.execute(query.order_by(WAIVER.c.id)).all()
    return tuple(Waiver(r.capability, r.gate, r.reason, r.actor, r.second, r.expires_at) for r in rows)


def same_person(name: str) -> str:
    """Return a name as it is compared: `Alice ` is alice."""
    return " ".join(name.split()).casefold()
