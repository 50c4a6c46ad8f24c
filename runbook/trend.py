"""How a gate's answer has changed: the last answers are kept in the control database and shown beside today's."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from statistics import median

import sqlalchemy as sa

from runbook.control import GATE_ANSWER, Control, now
from runbook.gates import Finding

KEPT = 20  # answers of each gate
SHOWN = 5
STEADY = 0.1  # a change below this share of the larger one is none


@dataclass(frozen=True)
class Answer:
    """One earlier answer; `value` where the gate measures something."""

    ok: bool
    value: float | None
    at: str


def note(control: Control, capability: str, findings: Sequence[Finding]) -> None:
    """Keep today's answers, and of each gate no more than the newest."""
    at = now()
    rows = [{"capability": capability, "gate": f.gate, "ok": f.ok, "value": f.value, "at": at} for f in findings]
    if not rows:
        return
    with control.writing() as connection:
        connection.execute(sa.insert(GATE_ANSWER), rows)
        number = sa.func.row_number().over(partition_by=GATE_ANSWER.c.gate, order_by=GATE_ANSWER.c.id.desc())
        rank = number.label("rank")
        ranked = sa.select(GATE_ANSWER.c.id, rank).where(GATE_ANSWER.c.capability == capability).subquery()
        old = sa.select(ranked.c.id).where(ranked.c.rank > KEPT)
        connection.execute(sa.delete(GATE_ANSWER).where(GATE_ANSWER.c.id.in_(old)))


def history(control: Control, capability: str) -> dict[str, tuple[Answer, ...]]:
    """Return the last answers of each gate, oldest first."""
    columns = GATE_ANSWER.c
    query = sa.select(columns.gate, columns.ok, columns.value, columns.at).where(columns.capability == capability)
    found: dict[str, list[Answer]] = {}
    with control.reading() as connection:
        for gate, ok, value, at in connection.execute(query.order_by(columns.id)):
            found.setdefault(gate, []).append(Answer(ok, value, at))
    return {gate: tuple(answers[-SHOWN:]) for gate, answers in found.items()}


def with_trend(findings: Sequence[Finding], earlier: Mapping[str, Sequence[Answer]]) -> tuple[Finding, ...]:
    """Say beside each finding how it was before."""
    return tuple(replace(f, trend=words(f, earlier[f.gate])) if earlier.get(f.gate) else f for f in findings)


def words(finding: Finding, earlier: Sequence[Answer]) -> str:
    """One line: the values before and where they go, or how often it passed and since when it does not."""
    values = [answer.value for answer in earlier if answer.value is not None]
    if finding.value is not None and values:
        before = ", ".join(f"{value:.3g}" for value in values)
        return f"{before}, now {finding.value:.3g}: {direction(values, finding.value)}"
    if not finding.ok:
        since = next((at.at for at in _blocked_lately(earlier)), "")
        return f"blocks since {since[:16]}" if since else "passed before"
    passed = sum(answer.ok for answer in earlier)
    return f"passed {passed} of the last {len(earlier)} times"


def direction(values: Sequence[float], today: float) -> str:
    """`rising`, `falling` or `steady`, against the middle of what was before."""
    before = median(values)
    if abs(today - before) <= STEADY * max(abs(today), abs(before)):
        return "steady"
    return "rising" if today > before else "falling"


def _blocked_lately(earlier: Sequence[Answer]) -> list[Answer]:
    """The answers since it last passed, oldest first."""
    since = max((at for at, answer in enumerate(earlier) if answer.ok), default=-1)
    return list(earlier[since + 1 :])
