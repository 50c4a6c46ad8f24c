"""What would stop the next step: reality is looked at, part by part, and each part that is not well has its remedy.

A part that cannot be looked at is a finding of its own; the others are looked at all the same.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

from cdc import fence
from cdc.streaming import slots
from config.errors import StranglerError, UnknownCapability
from config.model import Routes
from config.reader import read_routes
from runbook import pauses, runs
from runbook.advance import gates
from runbook.control import Control
from runbook.errors import NoSuchTransition
from runbook.gateways import Gateways
from runbook.journal import Journal
from runbook.sides import Side, Sides, mapped, open_sides, table_name
from runbook.stages import HOME
from runbook.waivers import waivers_of

SLOT_BYTES_MAX = 1 << 30
INVALID_INDEXES = """
SELECT i.indexrelid::regclass::text FROM pg_index i WHERE NOT i.indisvalid AND i.indrelid = ANY(%s::regclass[])
"""


@dataclass(frozen=True)
class Ailment:
    """One part: whether it is well, what was seen, what to do. `stops` says whether a step would be refused by it."""

    capability: str
    part: str
    stops: bool
    seen: str
    remedy: str = ""


def examine(routes_path: Path, capability: str | None = None) -> tuple[Ailment, ...]:
    """Look at everything. Raises RoutesInvalid, UnknownCapability."""
    routes = read_routes(routes_path)
    if capability is not None and capability not in routes.capabilities:
        raise UnknownCapability(capability, tuple(routes.capabilities))
    found = [*_tried("", "control", lambda: _control(routes)), *_tried("", "gateways", lambda: _gateways(routes))]
    for name in (capability,) if capability else tuple(routes.capabilities):
        for part, look in (("runs", _runs), ("databases", _databases)):
            found += _tried(name, part, lambda look=look, name=name: look(routes, name))  # type: ignore[misc]
        found += _tried(name, "gates", lambda name=name: _gates(routes_path, name))  # type: ignore[misc]
    return tuple(found)


def _tried(capability: str, part: str, look: Callable[[], Iterator[Ailment]]) -> list[Ailment]:
    try:
        return list(look())
    except StranglerError as error:
        return [Ailment(capability, part, stops=True, seen=error.sentence, remedy=error.hint)]


def _control(routes: Routes) -> Iterator[Ailment]:
    control = Control.of(routes)
    try:
        chain = Journal(control).verify()
    finally:
        control.close()
    seen = chain.problems[0] if chain.problems else f"{chain.entries:,} entries, chain intact"
    yield Ailment("", "journal", not chain.ok, seen, "" if chain.ok else "strangler journal verify; restore a backup")


def _gateways(routes: Routes) -> Iterator[Ailment]:
    gateways = Gateways.of(routes)
    try:
        for table in gateways.tables():
            is_current = table.has(routes.digest)
            seen = f"{table.url} is on {'the same' if is_current else 'another'} file"
            yield Ailment("", "gateways", not is_current, seen, "" if is_current else "; ".join(table.refused[:1]))
    finally:
        gateways.close()


def _runs(routes: Routes, name: str) -> Iterator[Ailment]:
    control = Control.of(routes)
    try:
        left, waivers, pause = (
            runs.interrupted(control, name),
            waivers_of(control, name),
            pauses.pause_of(control, name),
        )
    finally:
        control.close()
    if left is not None:
        verb = left.transition.kind
        seen = f"run {left.id} ({left.transition.name}) of {left.actor} is {left.status}: it was interrupted"
        yield Ailment(name, "runs", True, seen, f"strangler {verb} {name} completes or undoes it")
    if pause is not None:
        seen = f"paused by {pause.actor}: {pause.reason}"
        yield Ailment(name, "runs", True, seen, f"strangler resume {name}")
    for waiver in waivers:
        yield Ailment(
            name, "waivers", False, f"{waiver.gate} is waived by {waiver.people} until {waiver.expires_at[:16]}"
        )


def _databases(routes: Routes, name: str) -> Iterator[Ailment]:
    sides = open_sides(routes, name)
    if sides is None:
        return
    try:
        home = HOME[routes.capabilities[name].stage]
        yield from _fences(sides, name, home)
        for side, direction in ((sides.legacy, "forward"), (sides.modern, "reverse")):
            yield from _slot(side, name, direction)
            yield from _indexes(side, name)
    finally:
        sides.close()


def _fences(sides: Sides, name: str, home: str) -> Iterator[Ailment]:
    raised = {}
    for side in (sides.legacy, sides.modern):
        with mapped(side.database):
            raised[side.home] = bool(fence.fence_is_raised(side.conn, side.tables))
    accepting = [side for side, is_raised in raised.items() if not is_raised]
    is_well = accepting == [home]
    remedy = "" if is_well else f"strangler status {name}; a run that was interrupted puts it right"
    yield Ailment(name, "fences", not is_well, f"writes are accepted by {' and '.join(accepting) or 'nobody'}", remedy)


def _slot(side: Side, name: str, direction: str) -> Iterator[Ailment]:
    with mapped(side.database):
        slot = slots.read_slot(side.conn, slots.name_of(name, direction))
    run = f"strangler sync run {name}"
    if slot is None:
        yield Ailment(name, "slots", True, f"{side.database} has no slot of the {direction} stream", run)
        return
    seen = f"{slot.name} in {side.database}: {slot.status}, holds {slot.retained_bytes / (1 << 20):,.0f} MiB of the log"
    if slot.status == "lost":
        yield Ailment(name, "slots", True, seen, "drop it and begin anew: the changes it kept are gone")
    elif slot.active_pid is None:
        yield Ailment(name, "slots", True, f"{seen}, read by nobody", run)
    else:
        is_fat = slot.retained_bytes > SLOT_BYTES_MAX
        yield Ailment(
            name, "slots", False, seen, "find what holds the target back: strangler sync status" if is_fat else ""
        )


def _indexes(side: Side, name: str) -> Iterator[Ailment]:
    tables = [table_name(table).as_string(side.conn) for table in side.tables]
    for (index,) in side.ask(INVALID_INDEXES, (tables,)):
        yield Ailment(
            name, "indexes", True, f"{index} in {side.database} is invalid", f"REINDEX INDEX CONCURRENTLY {index}"
        )


def _gates(routes_path: Path, name: str) -> Iterator[Ailment]:
    try:
        found = gates(routes_path, name)
    except NoSuchTransition as error:
        yield Ailment(name, "gates", False, error.sentence)
        return
    for one in found:
        yield Ailment(name, f"gate {one.gate}", one.blocks, one.evidence, "" if one.ok else one.remedy)
