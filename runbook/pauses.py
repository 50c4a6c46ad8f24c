"""A capability that a person has paused goes no further until somebody resumes it; it may still go back."""

from __future__ import annotations

from dataclasses import dataclass

import sqlalchemy as sa

from runbook.control import PAUSE, Control, now
from runbook.journal import Journal
from runbook.people_errors import Paused
from runbook.persons import same_person


@dataclass(frozen=True)
class Pause:
    """Who paused a capability, why, and when."""

    capability: str
    actor: str
    reason: str
    at: str


def pause(journal: Journal, capability: str, actor: str, reason: str) -> Pause:
    """Write a pause down; one that is there is replaced."""
    given = Pause(capability, same_person(actor), reason.strip(), now())
    with journal.page() as page:
        page.connection.execute(sa.delete(PAUSE).where(PAUSE.c.capability == capability))
        page.connection.execute(sa.insert(PAUSE).values(**vars(given)))
        page.append("capability.paused", given.actor, capability, {"reason": given.reason})
    return given


def resume(journal: Journal, capability: str, actor: str) -> Pause | None:
    """Take the pause back; None where there was none, and then nothing is written."""
    found = pause_of(journal.control, capability)
    if found is not None:
        with journal.page() as page:
            page.connection.execute(sa.delete(PAUSE).where(PAUSE.c.capability == capability))
            page.append("capability.resumed", same_person(actor), capability, {"paused_by": found.actor})
    return found


def pause_of(control: Control, capability: str) -> Pause | None:
    """The pause that is on, if any."""
    with control.reading() as connection:
        row = connection.execute(sa.select(PAUSE).where(PAUSE.c.capability == capability)).mappings().first()
    return Pause(**row) if row else None


def must_not_be_paused(control: Control, capability: str) -> None:
    """Raise Paused where it is."""
    found = pause_of(control, capability)
    if found is not None:
        raise Paused(capability, found.actor, found.at, found.reason)
