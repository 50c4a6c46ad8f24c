"""The steps that every transition has: preflight, approvals, preparations, the point of no return, stage."""

from __future__ import annotations

from datetime import UTC, datetime

from config.errors import RoutesChanged
from config.model import Routes
from config.writer import Change, prepare_stage, write
from runbook import census
from runbook.approvals import decisions_on
from runbook.errors import BlockedByGate, GatewayUnreachable, PlanStale, WaitingForApproval
from runbook.execute import Step
from runbook.gate_round import ask
from runbook.gates import gates_for
from runbook.gateways import DIGEST_SECONDS
from runbook.ground import Ground
from runbook.plan import options_of
from runbook.runs import RunRecord

STAGE_TRIES = 5


class GroundStep:
    """What the steps share: the ground they work on, and that most leave nothing to undo."""

    name = ""

    def __init__(self, ground: Ground) -> None:
        self.ground = ground

    def is_done(self) -> bool:
        """Not known from reality: run again."""
        return False

    def undo(self) -> None:
        """Nothing remains of it."""


class Preflight(GroundStep):
    """Every gate of the transition is asked; the answers are kept; one that blocks ends the run."""

    name = "preflight"

    def __init__(self, ground: Ground, record: RunRecord | None) -> None:
        super().__init__(ground)
        self._record = record

    def describe(self) -> str:
        """Name the gates."""
        gates = gates_for(self.ground.transition, has_sync=self.ground.sides is not None)
        return f"gates: {', '.join(gate.name for gate in gates)}"

    def run(self) -> str:
        """Ask the gates. Raises BlockedByGate."""
        found = ask(self.ground)
        findings, self.ground.basis = found.findings, found.basis
        if self._record is not None:
            self._record.gates(findings)
        blocking = tuple(finding for finding in findings if finding.blocks)
        if blocking:
            raise BlockedByGate(self.ground.name, blocking)
        waivers = sum(bool(finding.waived_by) for finding in findings)
        return f"{sum(f.ok for f in findings)} gates pass" + (f", {waivers} waived" if waivers else "")


class Approvals(GroundStep):
    """As many other people as routes.yaml asks for approved exactly this plan, on what the preflight found."""

    name = "approvals"

    def describe(self) -> str:
        """How many are needed."""
        needed = self.ground.capability.approvals
        return f"{needed} of this plan on this evidence, none by who made it or starts it" if needed else "none needed"

    def run(self) -> str:
        """Count them. Raises WaitingForApproval."""
        needed = self.ground.capability.approvals
        ground = self.ground
        given = decisions_on(ground.control, ground.plan_hash, ground.basis, ground.actor)
        if not given.suffice(needed) and (needed or given.rejected_by):
            move, void = options_of(ground.transition), tuple(map(str, given.void))
            people = given.approved_by, given.rejected_by
            raise WaitingForApproval(ground.name, ground.plan_hash, needed, *people, move, void)
        return f"{len(given.approved_by)} of {needed}: {', '.join(given.approved_by)}" if needed else "none needed"


class CensusBegins(GroundStep):
    """Who writes the tables is counted from now on, on both sides."""

    name = "census"

    def describe(self) -> str:
        """Name the tables."""
        tables = ", ".join((*self.ground.both.legacy.tables, *self.ground.both.modern.tables))
        return f"count writers by role and application_name on {tables}"

    def run(self) -> str:
        """Install the trigger on both sides."""
        for side in (self.ground.both.legacy, self.ground.both.modern):
            census.install(self.ground.both, side)
        return "counting"


class CensusEnds(GroundStep):
    """Nobody is counted any more: the trigger goes."""

    name = "census"

    def describe(self) -> str:
        """Say that it is removed."""
        return "remove the trigger that counts writers, on both sides"

    def is_done(self) -> bool:
        """Whether no table has it."""
        return not any(census.is_installed(side) for side in (self.ground.both.legacy, self.ground.both.modern))

    def run(self) -> str:
        """Remove it."""
        for side in (self.ground.both.legacy, self.ground.both.modern):
            census.remove(self.ground.both, side)
        return "removed"


class ComparisonBegins(GroundStep):
    """What an earlier shadow run learned is forgotten, so that the gate judges the service of today."""

    name = "comparison"

    def describe(self) -> str:
        """Say that it starts anew."""
        return "start the comparison's evidence anew"

    def run(self) -> str:
        """Reset the store."""
        from shadow.store import Store

        store = Store(self.ground.store_place)
        try:
            store.reset(self.ground.name, datetime.now(UTC).timestamp())
        finally:
            store.close()
        return "starts anew"


class PointOfNoReturn(GroundStep):
    """The journal says that the run goes on to its end. The engine writes the entry; here is what must hold then."""

    name = "journal"

    def describe(self) -> str:
        """The words that stand in every plan."""
        return "POINT OF NO RETURN; before it everything is undone, after it a rerun finishes"

    def run(self) -> str:
        """Look at the budget and at the file once more. Raises BudgetExceeded, PlanStale."""
        self.ground.budget.check()
        if self.ground.file_digest() != self.ground.routes.digest:
            raise PlanStale(self.ground.name, self.ground.plan_hash)
        return "committed"


class StageWritten(GroundStep):
    """routes.yaml says the new stage, and every worker of every gateway uses it."""

    name = "stage"

    def __init__(self, ground: Ground) -> None:
        super().__init__(ground)
        self._prepared: Change | None = None

    def prepare(self) -> None:
        """Make the change ready and show it to the gateways, so that inside a pause only bytes are exchanged."""
        self._prepared = self._change(self.ground.routes)
        if self._prepared is not None:
            self.ground.gateways.foresee(self._prepared.content)

    def describe(self) -> str:
        """Name the value that is written, and where."""
        transition, routes = self.ground.transition, self.ground.routes
        percent = f", {transition.percent:g} %" if transition.percent is not None else ""
        mine = [route.name for route in routes.routes if route.capability == self.ground.name]
        gateways = ", ".join(self.ground.gateways.urls)
        return (
            f"{routes.path.name}: {self.ground.name} is {transition.to_stage}{percent}; {len(mine)} routes; "
            f"acknowledged by {gateways}"
        )

    def is_done(self) -> bool:
        """Whether the file says so and every gateway has it."""
        if not self._is_written():
            return False
        digest = self.ground.file_digest()
        if not self.ground.transition.moves_writes:
            return all(table.has(digest) for table in self.ground.gateways.tables())
        found = self.ground.gateways.tables_or_silence()
        return all(isinstance(each, GatewayUnreachable) or each.has(digest) for each in found)

    def run(self) -> str:
        """Write what is not written yet, and wait for the gateways. Raises BudgetExceeded."""
        change = self._prepared
        for attempt in range(STAGE_TRIES):
            try:
                change = change or self._change(self.ground.routes_now())
                if change is not None:
                    write(change)
                break
            except RoutesChanged:
                change = None
                # Somebody edited another part of the file: read it again and change only our value.
                if attempt == STAGE_TRIES - 1:
                    raise
        return f"{self.ground.transition.to_stage}; {self._acknowledged()}"

    def _acknowledged(self) -> str:
        """Wait for the gateways. Every one of them held the writes that move: what has fallen silent refuses them."""
        gateways, digest = self.ground.gateways, self.ground.file_digest
        if self.ground.transition.moves_writes:
            return gateways.wait_for_those_that_answer(digest, DIGEST_SECONDS).words
        return f"every gateway on {gateways.wait_for_digest(digest, DIGEST_SECONDS)[:12]}"

    def _is_written(self) -> bool:
        capability = self.ground.routes_now().capabilities[self.ground.name]
        wanted = self.ground.transition.percent
        return capability.stage == self.ground.transition.to_stage and wanted in (None, capability.canary_percent)

    def _change(self, routes: Routes) -> Change | None:
        """What is to be written, stage and percentage at once; nothing where the file says it already."""
        transition = self.ground.transition
        capability = routes.capabilities[self.ground.name]
        percent = transition.percent if transition.percent != capability.canary_percent else None
        if capability.stage == transition.to_stage and percent is None:
            return None
        return prepare_stage(routes.path, self.ground.name, transition.to_stage, percent, routes.digest)


def preparations(ground: Ground) -> list[Step]:
    """Return what a simple transition prepares before its point of no return."""
    if ground.transition.to_stage != "shadow" or ground.transition.kind == "back":
        return []
    return [CensusBegins(ground), ComparisonBegins(ground)] if ground.sides else [ComparisonBegins(ground)]
