"""The steps that move the writes from one home to the other, in both directions."""

from __future__ import annotations

from contextlib import suppress

import structlog

from cdc import fence, state
from runbook.errors import BudgetExceeded, GatewayUnreachable, SpotDifference
from runbook.execute import Step, Steps
from runbook.farewell import StreamsEnded, StreamsStandStill
from runbook.ground import Ground
from runbook.runs import RunRecord
from runbook.sequences import GAP, SequencePlan
from runbook.sides import mapped, table_name
from runbook.spot import SpotCheck
from runbook.steps import (
    Approvals,
    CensusEnds,
    GroundStep,
    PointOfNoReturn,
    Preflight,
    StageWritten,
    preparations,
)
from runbook.waiting import wait_for

_log = structlog.get_logger()

UNDO_SECONDS = 10.0
CALM_WRITES, CALM_SECONDS_MAX = 1, 0.5
FENCING = """
SELECT pid FROM pg_locks WHERE relation = ANY(%s::regclass[]) AND mode = 'ShareRowExclusiveLock' AND granted
  AND pid <> pg_backend_pid()
"""
MARKER = "SELECT marker FROM strangler.stream WHERE name = %s"


class Prepared(GroundStep):
    """Everything that can be made ready before the pause is: statements, keys of large tables, warm connections."""

    name = "prepare"

    def __init__(self, ground: Ground, stage: StageWritten) -> None:
        super().__init__(ground)
        self._stage = stage
        self.spot: SpotCheck | None = None
        self.sequences: SequencePlan | None = None

    def describe(self) -> str:
        """What is made ready."""
        return "statements, connections and the next routes.yaml, so that the pause is short"

    def run(self) -> str:
        """Build them, and bound every statement by the budget."""
        sides = self.ground.both
        self.spot = SpotCheck(sides, self.ground.home)
        self.sequences = SequencePlan(sides, self.ground.home)
        for side in (sides.legacy, sides.modern):
            side.ask("SELECT set_config('statement_timeout', %s, false)", (f"{self.ground.budget.seconds:.0f}s",))
        self._stage.prepare()
        with suppress(SpotDifference):
            # Only to have catalogues, functions and pages in memory: while writes go on, the sides may well differ.
            self.spot.run()
        with suppress(BudgetExceeded):
            wait_for(self._is_calm, f"a moment with few writes of {self.ground.name} in flight", CALM_SECONDS_MAX)
        return "ready"

    def _is_calm(self) -> bool:
        """Whether hardly a write is in flight, for whose end the hold would have to wait: then let it begin."""
        return sum(hold.in_flight for hold in self.ground.gateways.holds(self.ground.name)) <= CALM_WRITES


class Held(GroundStep):
    """Every gateway holds new writes of the capability, and none is in flight."""

    name = "hold"

    def describe(self) -> str:
        """How long at most."""
        return f"new writes of {self.ground.name} at every gateway, at most {self.ground.budget.seconds:g} s; then undo"

    def is_done(self) -> bool:
        """Whether all hold."""
        return all(hold.is_quiet for hold in self.ground.gateways.holds(self.ground.name))

    def run(self) -> str:
        """Ask all, and wait until they hold and nothing is in flight. Raises BudgetExceeded."""
        budget, gateways, name = self.ground.budget, self.ground.gateways, self.ground.name
        budget.start()
        if not gateways.hold(name, budget.seconds, self.ground.run_id, budget.left()):
            wait_for(self.is_done, f"that no write of {name} is in flight", budget.left())
        return f"{len(gateways.urls)} gateway(s) hold, nothing in flight"

    def undo(self) -> None:
        """Let the held writes go to where they went before; one that does not answer learns of it from the journal."""
        for error in self.ground.gateways.release(self.ground.name, self.ground.home):
            _log.warning("release.unreachable", gateway=error.url, reason=error.reason)
        self.ground.budget.end()


class Fenced(GroundStep):
    """The old home's database refuses writes; the same transaction wrote the marker."""

    name = "fence"

    def describe(self) -> str:
        """Name the tables."""
        old = self.ground.old
        return f"{old.database} refuses writes to {', '.join(old.tables)}; marker into the log of {self.ground.flow}"

    def is_done(self) -> bool:
        """Whether the fence is up."""
        return bool(fence.fence_is_raised(self.ground.old.conn, self.ground.old.tables))

    def run(self) -> str:
        """Raise it; waits for open writers no longer than the budget allows."""
        old = self.ground.old
        marker = state.Marker(self.ground.flow, self.ground.run_id)
        with mapped(old.database):
            fence.raise_fence(old.conn, old.tables, marker, max(self.ground.budget.left(), 0.001))
        return f"{len(old.tables)} tables of {old.database}"

    def undo(self) -> None:
        """Lift it if it is up. The marker stays in the log and changes nothing.

        A killed run's session may be about to commit: whether the fence is up is known once nobody holds its lock.
        """
        old = self.ground.old
        names = [table_name(table).as_string(old.conn) for table in old.tables]
        wait_for(lambda: not old.ask(FENCING, (names,)), "the end of an earlier fence's transaction", UNDO_SECONDS)
        if self.is_done():
            with mapped(old.database):
                fence.lift_fence(old.conn, old.tables)


class Drained(GroundStep):
    """The other side has everything that the old home committed before the fence."""

    name = "drain"

    def describe(self) -> str:
        """Which stream."""
        return f"until {self.ground.flow} has applied the marker in {self.ground.new.database}"

    def is_done(self) -> bool:
        """Whether the marker has arrived."""
        rows = self.ground.new.ask(MARKER, (self.ground.flow,))
        return bool(rows) and rows[0][0] == self.ground.run_id

    def run(self) -> str:
        """Wait for the marker. Raises BudgetExceeded."""
        flow = self.ground.flow
        wait_for(self.is_done, f"that {flow} applies the marker", self.ground.budget.left(), poll_seconds=0.002)
        return f"marker {self.ground.run_id} applied"


class SpotVerified(GroundStep):
    """Counts, control totals and the rows touched last are equal on both sides."""

    name = "spot verify"

    def __init__(self, ground: Ground, prepared: Prepared) -> None:
        super().__init__(ground)
        self._prepared = prepared

    def describe(self) -> str:
        """What is compared."""
        pairs = [f"{m.source_table} = {m.target_table}" for m in self.ground.both.mappings]
        return f"counts, control totals, rows touched last: {', '.join(pairs)}"

    def run(self) -> str:
        """Compare. Raises SpotDifference."""
        check = self._prepared.spot or SpotCheck(self.ground.both, self.ground.home)
        return check.run()


class SequencesRaised(GroundStep):
    """No sequence of the new home can give out a value that the old home has used."""

    name = "sequences"

    def __init__(self, ground: Ground, prepared: Prepared) -> None:
        super().__init__(ground)
        self._prepared = prepared

    def describe(self) -> str:
        """Which side."""
        return f"of {self.ground.new.database} above those of {self.ground.old.database}, and {GAP:,} more"

    def run(self) -> str:
        """Raise them."""
        plan = self._prepared.sequences or SequencePlan(self.ground.both, self.ground.home)
        return plan.run()


class Reversed(GroundStep):
    """The stream of the new home applies, the other one skips, and the new home accepts writes."""

    name = "reverse"

    def describe(self) -> str:
        """Name both streams and the fence."""
        ground = self.ground
        return f"{ground.way_back} applies, {ground.flow} skips; the fence of {ground.new.database} is lifted"

    def is_done(self) -> bool:
        """Whether the new home's fence is lifted: that is the last thing done here, with the marker in one transaction.

        The old home's fence is looked at too, though no step lifts it after the point of no return.
        """
        ground = self.ground
        is_open = not fence.fence_is_raised(ground.new.conn, ground.new.tables)
        return is_open and bool(fence.fence_is_raised(ground.old.conn, ground.old.tables))

    def run(self) -> str:
        """Turn the old stream off first; both markers may be written again without harm."""
        ground = self.ground
        with mapped(ground.old.database), ground.old.conn.transaction():
            state.emit_marker(ground.old.conn, ground.flow, f"{ground.run_id}:off", "skip")
        with mapped(ground.new.database), ground.new.conn.transaction():
            # In one transaction: every write that the lifted fence lets in comes after the marker in the log.
            state.emit_marker(ground.new.conn, ground.way_back, f"{ground.run_id}:on", "apply")
            fence.lift_fence(ground.new.conn, ground.new.tables)
        return f"{ground.new.database} accepts writes, {ground.way_back} carries them"


class Released(GroundStep):
    """Held writes go to the new home."""

    name = "release"

    def describe(self) -> str:
        """Where they go."""
        capability = self.ground.capability
        upstream = capability.modern if self.ground.home == "legacy" else capability.legacy
        return f"held writes go to {upstream}"

    def is_done(self) -> bool:
        """Whether nobody holds, as far as all of them can be asked."""
        try:
            return not any(hold.is_holding for hold in self.ground.gateways.holds(self.ground.name))
        except GatewayUnreachable:
            return False

    def run(self) -> str:
        """Let them go."""
        home = self.ground.transition.new_home
        silent = [error.url for error in self.ground.gateways.release(self.ground.name, home)]
        self.ground.budget.end()
        pause = self.ground.budget.pause_seconds
        words = f"writes were held for {pause * 1000:.0f} ms" if pause is not None else "writes flow"
        return words + (f"; {', '.join(silent)} did not answer and refuses them" if silent else "")


def steps_for(ground: Ground, record: RunRecord | None = None) -> Steps:
    """Return the steps of the ground's transition. Without a record (for a plan) the gates' answers are not kept."""
    opening: list[Step] = [Preflight(ground, record), Approvals(ground)]
    commit, stage = PointOfNoReturn(ground), StageWritten(ground)
    if ground.transition.kind == "abandon":
        if ground.sides is None:
            return Steps(opening, commit, [stage])
        return Steps([*opening, StreamsStandStill(ground)], commit, [stage, CensusEnds(ground), StreamsEnded(ground)])
    if not ground.transition.moves_writes:
        closing: list[Step] = [stage]
        if ground.transition.to_stage == "retired" and ground.sides:
            closing.append(CensusEnds(ground))
        return Steps([*opening, *preparations(ground)], commit, closing)
    if ground.sides is None:
        return Steps([*opening, Held(ground)], commit, [stage, Released(ground)])
    prepared = Prepared(ground, stage)
    before: list[Step] = [
        *opening,
        prepared,
        Held(ground),
        Fenced(ground),
        Drained(ground),
        SpotVerified(ground, prepared),
        SequencesRaised(ground, prepared),
    ]
    return Steps(before, commit, [Reversed(ground), stage, Released(ground)])
