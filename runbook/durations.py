"""How long each step took in the last rehearsal: kept in the control database, and read by plans."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import sqlalchemy as sa

from runbook.control import REHEARSED, Control, now
from runbook.journal import Journal

PAUSE = "(pause)"  # the row that is no step


@dataclass(frozen=True)
class Durations:
    """Seconds by step of one kind of move, and of the pause; `at` is when they were measured."""

    kind: str
    steps: dict[str, float]
    pause_seconds: float
    at: str = ""


def keep(journal: Journal, capability: str, measured: Sequence[Durations], actor: str) -> None:
    """Put them in the place of those of an earlier rehearsal, with an entry in the journal."""
    at = now()
    rows = [
        {"capability": capability, "kind": one.kind, "step": step, "seconds": seconds, "at": at}
        for one in measured
        for step, seconds in (*one.steps.items(), (PAUSE, one.pause_seconds))
    ]
    with journal.page() as page:
        page.connection.execute(sa.delete(REHEARSED).where(REHEARSED.c.capability == capability))
        page.connection.execute(sa.insert(REHEARSED), rows)
        facts = {one.kind: f"pause {one.pause_seconds * 1000:.0f} ms" for one in measured}
        page.append("rehearsed", actor, capability, facts)


def last(control: Control, capability: str, kind: str) -> Durations | None:
    """Return those of the last rehearsal, if there was one."""
    columns = REHEARSED.c
    query = sa.select(columns.step, columns.seconds, columns.at).where(
        columns.capability == capability, columns.kind == kind
    )
    with control.reading() as connection:
        rows = connection.execute(query).all()
    steps = {row.step: row.seconds for row in rows}
    if PAUSE not in steps:
        return None
    return Durations(kind, {step: took for step, took in steps.items() if step != PAUSE}, steps[PAUSE], rows[0].at)
