"""A repair of a capability's rows: found by a verification, written into the journal, verified again."""

from __future__ import annotations

from cdc.filling.repair import Repaired, is_streaming
from cdc.filling.repair import repair as repair_rows
from cdc.setup import streams_of
from cdc.streaming.stream_errors import RepairRefused
from cdc.verification.verify import VerifyResult, Wanted, verify
from cdc.verification.verify_sides import Direction
from config.model import Routes
from runbook.control import Control
from runbook.journal import Journal


def find(routes: Routes, capability: str, direction: Direction, *, known: bool = False) -> VerifyResult:
    """What differs; with `known` only of the rows that the re-check has found. Raises DatabaseDown, NotConfigured."""
    return verify(capability, routes, direction, wanted=Wanted(known=known))


def put_right(routes: Routes, capability: str, found: VerifyResult, actor: str, *, known: bool = False) -> VerifyResult:
    """Repair what was found and look again as before. Raises RepairRefused, and what `find` raises."""
    streams = streams_of(routes, capability)
    plan = streams.forward if found.direction == "forward" else streams.reverse
    if plan is None:
        raise RepairRefused(f"{capability}:reverse", "the mappings have no way back")
    if not is_streaming(plan):
        raise RepairRefused(plan.name, "the stream does not run")
    by_target = {mapping.target_table: mapping for mapping in streams.forward.mappings}
    keys = [(by_target[one.target], one.keys) for one in found.tables if one.keys]
    facts = {"direction": found.direction, "keys": {one.target: len(one.keys) for one in found.tables if one.keys}}
    control = Control.of(routes)
    try:
        journal = Journal(control)
        journal.append("repair.started", actor, capability, facts)

        def note(done: Repaired) -> None:
            journal.append("repair.batch", actor, capability, {"direction": found.direction, **vars(done)})

        repair_rows(plan, keys, note)
        after = find(routes, capability, found.direction, known=known)
        journal.append("repair.done", actor, capability, {"direction": found.direction, "equal": after.equal})
        return after
    finally:
        control.close()
