"""Runs in the control database: begin one, find the one that was interrupted, and record what its steps did."""

from __future__ import annotations

import secrets
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from time import monotonic
from typing import Literal

import sqlalchemy as sa

from runbook.control import GATE_RESULT, RUN, STEP_ATTEMPT, Control, now
from runbook.errors import RunOfAnotherVersion
from runbook.execute import Result
from runbook.gates import Finding
from runbook.journal import Journal, Page
from runbook.lease import LEASE_SECONDS, Lease, renew
from runbook.plan import Plan
from runbook.stages import KINDS, STAGES, Transition

POINT_OF_NO_RETURN = "run.committed"


@dataclass(frozen=True)
class Run:
    """One row of `run`."""

    id: str
    capability: str
    transition: Transition
    status: Literal["open", "committed", "done", "undone"]
    actor: str
    plan_hash: str
    started_at: str
    ended_at: str | None
    pause_seconds: float | None


@dataclass(frozen=True)
class _Attempt:
    step: str
    result: Result
    evidence: str
    seconds: float
    at: str


class RunRecord:
    """The record of one run, as runbook.execute wants it: each transaction renews the lease too.

    While writes are held (`is_paused`), attempts are kept in memory and written together with the point of no return,
    the next undone step, or the end: a commit to disk costs milliseconds that clients would wait for. A process that is
    killed in between loses these lines of the journal and nothing that anybody relies on.
    """

    def __init__(self, journal: Journal, lease: Lease, run_id: str, actor: str) -> None:
        self._journal, self._lease = journal, lease
        self.run_id, self._actor = run_id, actor
        self.pause_seconds: float | None = None
        self.is_paused: Callable[[], bool] = lambda: False
        self._kept: list[_Attempt] = []
        self._renewed = monotonic()

    def is_committed(self) -> bool:
        """Whether the run is past the point of no return: its row and the journal's entry are one transaction."""
        with self._journal.control.reading() as connection:
            status = connection.execute(sa.select(RUN.c.status).where(RUN.c.id == self.run_id)).scalar()
        return status in ("committed", "done")

    def must_be_ours(self) -> None:
        """Raise LeaseLost when another run may work. Young enough, the lease cannot have expired: nothing is asked."""
        if monotonic() - self._renewed > LEASE_SECONDS / 2:
            with self._page():
                pass

    def attempt(self, step: str, result: Result, evidence: str, seconds: float) -> None:
        """Note an attempt, in the journal too."""
        self._kept.append(_Attempt(step, result, evidence, seconds, now()))
        if not self.is_paused():
            with self._page():
                pass

    def commit(self, evidence: str) -> None:
        """Pass the point of no return."""
        with self._page() as page:
            self._set(page, {"status": "committed"})
            page.append(POINT_OF_NO_RETURN, self._actor, self._lease.capability, {"evidence": evidence})

    def flush(self) -> None:
        """Write what was kept, if anything."""
        if self._kept:
            with self._page():
                pass

    def end(self, status: Literal["done", "undone"]) -> None:
        """End the run."""
        with self._page() as page:
            self._set(page, {"status": status, "ended_at": now(), "pause_seconds": self.pause_seconds})
            facts = {"pause_seconds": self.pause_seconds} if self.pause_seconds is not None else {}
            page.append(f"run.{status}", self._actor, self._lease.capability, facts)

    def gates(self, findings: tuple[Finding, ...]) -> None:
        """Keep what the gates found, with the evidence."""
        with self._page() as page:
            for finding in findings:
                row = {"gate": finding.gate, "ok": finding.ok, "evidence": finding.evidence}
                row |= {"threshold": finding.threshold, "waived_by": finding.waived_by or None, "at": now()}
                insert = sa.insert(GATE_RESULT).values(capability=self._lease.capability, run_id=self.run_id, **row)
                page.connection.execute(insert)
            passed = [finding.gate for finding in findings if finding.ok]
            waived = {finding.gate: finding.waived_by for finding in findings if finding.waived_by}
            blocked = [finding.gate for finding in findings if finding.blocks]
            facts = {"passed": passed, "waived": waived, "blocked": blocked}
            page.append("gates", self._actor, self._lease.capability, facts)

    @contextmanager
    def _page(self) -> Iterator[Page]:
        kept = tuple(self._kept)
        with _renewing(self._journal, self._lease, self.run_id) as page:
            for attempt in kept:
                page.connection.execute(sa.insert(STEP_ATTEMPT).values(run_id=self.run_id, **vars(attempt)))
                facts = {key: value for key, value in vars(attempt).items() if key != "at"}
                facts["seconds"] = round(attempt.seconds, 4)
                page.append("step", self._actor, self._lease.capability, facts, attempt.at)
            yield page
        del self._kept[: len(kept)]
        self._renewed = monotonic()

    def _set(self, page: Page, values: dict[str, object]) -> None:
        page.connection.execute(sa.update(RUN).where(RUN.c.id == self.run_id).values(**values))


@contextmanager
def _renewing(journal: Journal, lease: Lease, run_id: str) -> Iterator[Page]:
    """A page of the journal whose transaction renews the lease first, so that one who lost it writes nothing."""
    with journal.page(run_id) as page:
        renew(page.connection, lease)
        yield page


def begin(journal: Journal, lease: Lease, plan: Plan, actor: str) -> RunRecord:
    """Begin a run: its row and its first entry."""
    run_id = f"r-{secrets.token_hex(4)}"
    transition = plan.transition
    with _renewing(journal, lease, run_id) as page:
        page.connection.execute(
            sa.insert(RUN).values(
                id=run_id,
                capability=plan.capability,
                **vars(transition),
                plan_hash=plan.hash,
                routes_digest=plan.bindings.routes_digest,
                actor=actor,
                status="open",
                generation=lease.generation,
                started_at=now(),
            )
        )
        facts = {"transition": transition.name, "plan": plan.hash, "routes": plan.bindings.routes_digest}
        page.append("run.begun", actor, plan.capability, facts | {"generation": lease.generation})
    return RunRecord(journal, lease, run_id, actor)


def interrupted(control: Control, capability: str) -> Run | None:
    """Return the capability's run that has neither ended nor been undone. Raises RunOfAnotherVersion."""
    found = _runs(control, (RUN.c.capability == capability) & RUN.c.status.in_(("open", "committed")), 1)
    return _known(found[0]) if found else None


def _known(run: Run) -> Run:
    """A run of an older version is ended by the steps of this one, which look at reality; a newer one's perhaps not."""
    of = run.transition
    unknown = [repr(one) for one in (of.from_stage, of.to_stage) if one not in STAGES]
    if of.kind not in KINDS:
        unknown.append(f"the command {of.kind!r}")
    if unknown:
        raise RunOfAnotherVersion(run.id, " and ".join(unknown))
    return run


def last_runs(control: Control, capability: str, count: int = 5) -> tuple[Run, ...]:
    """Return the newest runs, newest first."""
    return _runs(control, RUN.c.capability == capability, count)


def completed_runs(control: Control, capability: str) -> int:
    """Count the capability's runs that were done."""
    query = sa.select(sa.func.count()).select_from(RUN).where(RUN.c.capability == capability, RUN.c.status == "done")
    with control.reading() as connection:
        return int(connection.execute(query).scalar_one())


def moved_by(control: Control, capability: str) -> str:
    """Return a run that passed the point of no return of a cutover, so that writes reached modern; or nothing."""
    passed = (RUN.c.capability == capability) & RUN.c.status.in_(("committed", "done"))
    with control.reading() as connection:
        query = sa.select(RUN.c.id).where(passed & (RUN.c.to_stage == "modern")).limit(1)
        return str(connection.execute(query).scalar() or "")


def shadow_since(control: Control, capability: str) -> datetime | None:
    """Return when the comparison last began: the end of the newest run that led forward into shadow."""
    into_shadow = (RUN.c.capability == capability) & (RUN.c.kind == "advance") & (RUN.c.to_stage == "shadow")
    query = sa.select(RUN.c.ended_at).where(into_shadow, RUN.c.status == "done").order_by(RUN.c.ended_at.desc())
    with control.reading() as connection:
        found = connection.execute(query.limit(1)).scalar()
    return datetime.fromisoformat(found) if found else None


def last_pauses(control: Control, transition: Transition, capability: str, count: int = 5) -> tuple[float, ...]:
    """Return how long writes were held in the newest runs of the same move, in seconds, newest first."""
    same = (RUN.c.capability == capability) & (RUN.c.kind == transition.kind) & (RUN.c.to_stage == transition.to_stage)
    query = sa.select(RUN.c.pause_seconds).where(same, RUN.c.status == "done", RUN.c.pause_seconds.is_not(None))
    with control.reading() as connection:
        return tuple(connection.execute(query.order_by(RUN.c.started_at.desc()).limit(count)).scalars())


def last_findings(control: Control, capability: str) -> tuple[tuple[str, bool, str, str], ...]:
    """Return (gate, ok, evidence, at) of the last time that the capability's gates were asked in a run."""
    newest = sa.select(GATE_RESULT.c.run_id).where(GATE_RESULT.c.capability == capability)
    newest = newest.order_by(GATE_RESULT.c.id.desc()).limit(1)
    columns = (GATE_RESULT.c.gate, GATE_RESULT.c.ok, GATE_RESULT.c.evidence, GATE_RESULT.c.at)
    with control.reading() as connection:
        rows = connection.execute(sa.select(*columns).where(GATE_RESULT.c.run_id == newest.scalar_subquery())).all()
    return tuple((gate, ok, evidence, at) for gate, ok, evidence, at in rows)


def _runs(control: Control, condition: sa.ColumnElement[bool], count: int) -> tuple[Run, ...]:
    with control.reading() as connection:
        rows = connection.execute(sa.select(RUN).where(condition).order_by(RUN.c.started_at.desc()).limit(count)).all()
    return tuple(
        Run(
            row.id,
            row.capability,
            Transition(row.kind, row.from_stage, row.to_stage, row.from_percent, row.percent),
            row.status,
            row.actor,
            row.plan_hash,
            row.started_at,
            row.ended_at,
            row.pause_seconds,
        )
        for row in rows
    )
