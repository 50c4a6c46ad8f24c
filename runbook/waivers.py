"""Waivers: a gate that is let pass for a time, on the word of two people."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

import sqlalchemy as sa

from runbook.control import WAIVER, Control, now, stamp
from runbook.gates import BY_NAME
from runbook.journal import Journal
from runbook.people_errors import NeedsTwoPeople, UnknownGate, WaiverTooLong
from runbook.persons import same_person

WAIVER_LASTING_MAX = timedelta(days=30)


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
