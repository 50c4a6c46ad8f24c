"""The board: for each capability its stage, run, streams, gates, waivers and what may be done next, as data.

A part that cannot be asked is shown as such; a board that fails because one database is down helps nobody.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any, TypeVar

from psycopg import errors

from cdc import state
from config.errors import StranglerError, UnknownCapability
from config.model import Capability, Routes
from config.reader import read_routes
from runbook import runs
from runbook.ballot import Ballot, ballots
from runbook.control import Control
from runbook.gateways import Gateways
from runbook.journal import Entry, Journal
from runbook.sides import connect, mapped
from runbook.stages import HOME, next_percent
from runbook.waivers import Waiver, waivers_of

T = TypeVar("T")
EVENTS = 6


@dataclass(frozen=True)
class StreamLine:
    """One stream: what its row in the target says, and how far it is behind."""

    name: str
    state: str
    mode: str
    applied_rows: int
    alarms: int
    lag_seconds: float | None
    lag_bytes: int | None


@dataclass(frozen=True)
class GatewayLine:
    """One gateway: whether it has the file in force, and what it holds of the capability."""

    url: str
    is_current: bool
    is_holding: bool
    held: int
    in_flight: int
    is_cut_off: bool = False  # it refuses these writes, because it has not heard how a cutover ended


@dataclass(frozen=True)
class Board:
    """One capability. `unknown` lists what could not be asked, and why."""

    capability: str
    stage: str
    percent: float | None
    home: str
    legal: tuple[str, ...]
    next_command: str
    run: runs.Run | None
    last_runs: tuple[runs.Run, ...]
    streams: tuple[StreamLine, ...]
    gateways: tuple[GatewayLine, ...]
    last_gates: tuple[tuple[str, bool, str, str], ...]
    waivers: tuple[Waiver, ...]
    events: tuple[Entry, ...]
    unknown: tuple[str, ...] = ()
    ballots: tuple[Ballot, ...] = ()


@dataclass
class _Asking:
    """Collects what could not be asked."""

    unknown: list[str] = field(default_factory=list)

    def try_(self, ask: Callable[[], T], otherwise: T) -> T:
        try:
            return ask()
        except StranglerError as error:
            if error.sentence not in self.unknown:
                self.unknown.append(error.sentence)
            return otherwise


def read_boards(routes_path: Path, capability: str | None = None) -> tuple[Board, ...]:
    """Return the board of one capability, or of all. Raises UnknownCapability, DatabaseDown (control)."""
    routes = read_routes(routes_path)
    if capability is not None and capability not in routes.capabilities:
        raise UnknownCapability(capability, tuple(routes.capabilities))
    control = Control.of(routes)
    gateways = Gateways.of(routes)
    try:
        names = (capability,) if capability else tuple(routes.capabilities)
        return tuple(_board(routes, name, control, gateways) for name in names)
    finally:
        gateways.close()
        control.close()


def legal_commands(capability: str, stage: str) -> tuple[str, ...]:
    """Return the commands that are legal in a stage."""
    commands = {
        "legacy": ("advance",),
        "shadow": ("advance", "back", "abandon"),
        "canary": ("advance", "advance --percent N", "advance --auto", "back"),
        "modern": ("advance", "back"),
        "retired": (),
    }[stage]
    verbs = (command.partition(" ") for command in commands)
    return tuple(f"strangler {verb} {capability}{space}{rest}" for verb, space, rest in verbs)


def _board(routes: Routes, name: str, control: Control, gateways: Gateways) -> Board:
    asking = _Asking()
    one = routes.capabilities[name]
    left, journal = runs.interrupted(control, name), Journal(control)
    decided: tuple[Ballot, ...] = asking.try_(lambda: ballots(routes, name, journal), ())
    return Board(
        name,
        one.stage,
        one.canary_percent if one.stage == "canary" else None,
        HOME[one.stage],
        legal_commands(name, one.stage),
        _next(name, one, left),
        left,
        runs.last_runs(control, name),
        asking.try_(lambda: _streams(routes, name, one, asking), ()),
        asking.try_(lambda: _gateways(routes, name, gateways), ()),
        runs.last_findings(control, name),
        waivers_of(control, name),
        journal.entries(name, last=EVENTS),
        tuple(asking.unknown),
        decided,
    )


def _next(name: str, one: Capability, left: runs.Run | None) -> str:
    if left is not None:
        return f"strangler {left.transition.kind} {name}  (completes or undoes run {left.id})"
    if one.stage == "canary" and (percent := next_percent(one.canary_percent)) is not None:
        return f"strangler advance {name} --percent {percent:g}"
    return f"strangler plan {name}" if one.stage != "retired" else "nothing: it is retired"


def _gateways(routes: Routes, name: str, gateways: Gateways) -> tuple[GatewayLine, ...]:
    return tuple(
        GatewayLine(table.url, table.has(routes.digest), hold.is_holding, hold.held, hold.in_flight, hold.is_cut_off)
        for table, hold in zip(gateways.tables(), gateways.holds(name), strict=True)
    )


def _streams(routes: Routes, name: str, one: Capability, asking: _Asking) -> tuple[StreamLine, ...]:
    if one.sync is None:
        return ()
    ends = {"forward": (one.sync.source, one.sync.target), "reverse": (one.sync.target, one.sync.source)}
    lines = []
    for direction, (source, target) in ends.items():
        stream = f"{name}:{direction}"
        line = asking.try_(partial(_stream, routes, source, target, stream), None)
        lines.append(line or StreamLine(stream, "unknown", "", 0, 0, None, None))
    return tuple(lines)


def _stream(routes: Routes, source: str, target: str, stream: str) -> StreamLine | None:
    with connect(routes, target) as at_target, connect(routes, source) as at_source, mapped(target):
        try:
            found = state.read_state(at_target, stream)
            lag: Any = state.lag(at_source, at_target, stream) if found else None
        except (errors.UndefinedTable, errors.InvalidSchemaName):
            return None
    if found is None:
        return None
    seconds, lag_bytes = (lag.seconds, lag.bytes) if lag else (None, None)
    return StreamLine(stream, found.state, found.mode, found.applied_rows, found.alarms, seconds, lag_bytes)
