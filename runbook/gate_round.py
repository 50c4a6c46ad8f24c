"""One round of the gates: the findings with waivers marked, and the basis of approvals, kept for who asks nothing."""

from __future__ import annotations

import json
from dataclasses import dataclass

import sqlalchemy as sa

from runbook.basis import Basis, basis_of, verdicts
from runbook.checks import findings_of
from runbook.control import GATES_SEEN, Control, now
from runbook.gates import Finding, with_waivers
from runbook.ground import Ground
from runbook.stages import Transition
from runbook.waivers import waivers_of


@dataclass(frozen=True)
class Round:
    """What the gates of a transition say now."""

    findings: tuple[Finding, ...]
    basis: Basis


def ask(ground: Ground) -> Round:
    """Ask every gate. Raises DatabaseDown."""
    waivers = waivers_of(ground.control, ground.name)
    findings = with_waivers(findings_of(ground), {waiver.gate: waiver.people for waiver in waivers})
    seen = verdicts(findings)
    move = _key(ground.name, ground.transition)
    table = GATES_SEEN
    with ground.control.writing() as connection:
        connection.execute(sa.delete(table).where(*(table.c[name] == value for name, value in move.items())))
        connection.execute(sa.insert(table).values(verdicts=json.dumps(seen), at=now(), **move))
    return Round(findings, basis_of(seen, waivers))


def last_basis(control: Control, capability: str, transition: Transition) -> Basis:
    """Return the basis by the last answers of the gates and by today's waivers; empty where they were never asked."""
    move = _key(capability, transition)
    query = sa.select(GATES_SEEN.c.verdicts).where(*(GATES_SEEN.c[name] == value for name, value in move.items()))
    with control.reading() as connection:
        kept = connection.execute(query).scalar()
    return basis_of(json.loads(kept), waivers_of(control, capability)) if kept else Basis()


def _key(capability: str, transition: Transition) -> dict[str, str]:
    return {"capability": capability, "kind": transition.kind, "transition": transition.name}
