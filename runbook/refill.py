"""One table of a capability filled again while its stream goes on, with an entry in the journal."""

from __future__ import annotations

from dataclasses import asdict

from cdc.filling.backfill import Watch
from cdc.filling.refill import Refilled, refill
from cdc.setup import streams_of
from cdc.streaming.stream_errors import TableNotMapped
from config.model import Routes
from runbook.control import Control
from runbook.journal import Journal


def fill_again(routes: Routes, capability: str, table: str, actor: str, watch: Watch) -> Refilled:
    """Make modern's table what legacy has. Raises TableNotMapped, RepairRefused, DatabaseDown, Stopped."""
    plan = streams_of(routes, capability).forward
    found = next((mapping for mapping in plan.mappings if mapping.target_table == table), None)
    if found is None:
        raise TableNotMapped(plan.name, table, tuple(mapping.target_table for mapping in plan.mappings))
    control = Control.of(routes)
    try:
        journal = Journal(control)
        journal.append("refill.started", actor, capability, {"table": table})
        done = refill(plan, found, watch)
        journal.append("refill.done", actor, capability, asdict(done))
        return done
    finally:
        control.close()
