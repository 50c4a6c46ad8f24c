"""Rehearses a cutover: the program's own advance and back, on copies of both databases and behind a second gateway.

Progression: the originals are read (SELECT, nothing else) and copied, the streams fill modern's copy, both are
verified; then advance and back are run as an operator would, in turn, with clients that write all the time; what each
step took and what the clients waited for is kept in the control database, where `strangler plan` finds it. Nothing of
the copies survives, whether it ends by itself, by an error or by Ctrl-C; one that was killed is cleared away by the
next.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from statistics import median
from time import monotonic
from typing import Any

from config.errors import NotConfigured, UnknownCapability
from config.reader import read_routes
from runbook.control import Control
from runbook.durations import Durations, keep
from runbook.journal import Journal
from runbook.rehearsal.copies import Copied
from runbook.rehearsal.place import Place, take_place
from runbook.sides import open_sides

SECOND = "rehearsal-2"
KINDS = ("advance", "back")
BACKWARDS: dict[str, tuple[str, ...]] = {"advance": (), "back": ("--back",)}

Say = Callable[[str], None]


@dataclass(frozen=True)
class Plan:
    """How it is rehearsed."""

    rounds: int = 3
    clients: int = 8
    rate: float = 50.0
    folder: Path | None = None


@dataclass(frozen=True)
class Move:
    """What one kind of move took: seconds of each step (the middle of all rounds), pauses by runbook and by clients."""

    kind: str
    steps: dict[str, float]
    pauses: tuple[float, ...]
    client_pauses: tuple[float, ...]

    @property
    def pause_seconds(self) -> float:
        """The middle of the rounds: what a plan predicts."""
        return median(self.pauses)


@dataclass
class Rehearsal:
    """What came of it."""

    capability: str
    folder: str
    moves: tuple[Move, ...] = ()
    writes: int = 0
    failed_writes: int = 0
    seconds: float = 0.0
    rows: dict[str, int] = field(default_factory=dict)
    size_bytes: int = 0
    left_out: tuple[str, ...] = ()


def rehearse(routes_path: Path, capability: str, plan: Plan, actor: str, say: Say) -> Rehearsal:
    """Do it all. Raises NotConfigured without `sync`, NoRoom, TypeUnknown, CommandFailed, DatabaseDown."""
    routes = read_routes(routes_path)
    if capability not in routes.capabilities:
        raise UnknownCapability(capability, tuple(routes.capabilities))
    began = monotonic()
    sides = open_sides(routes, capability)
    if sides is None:
        raise NotConfigured(f"capabilities.{capability}.sync", "a rehearsal")
    try:
        load = plan.clients, plan.rate
        with take_place(sides, capability, routes.capabilities[capability], load, plan.folder, say) as place:
            found = _moves(place, plan.rounds, say)
            writes = _writes(place.waits)
            result = _result(place, place.copied, found, writes)
    finally:
        sides.close()
    result.seconds = monotonic() - began
    control = Control.of(routes)
    try:
        keep(Journal(control), capability, [Durations(m.kind, m.steps, m.pause_seconds) for m in result.moves], actor)
    finally:
        control.close()
    return result


Window = tuple[str, float, float, dict[str, Any]]
Write = tuple[str, float, float, bool]


def _moves(place: Place, rounds: int, say: Say) -> list[Window]:
    """Advance and back, so many times; each with when it began and ended, and what it said of itself."""
    name = place.name
    place.wait_for_streams(say)
    place.run("sync", "verify", name, "--json")
    say("both copies are equal")
    words = ("--for", "1h", "--reason", "a rehearsal", "--as", "rehearsal", "--second", SECOND)
    place.run("waive", name, "comparison", *words)
    place.begin_traffic()
    windows = []
    for number in range(rounds):
        for kind in KINDS:
            if not number:  # whoever writes the home is counted from the first time on that the gate is asked
                place.run("gates", name, "--json", *BACKWARDS[kind], may_block=True)
            began = monotonic()
            outcome = place.run(kind, name, "--yes", "--json", "--as", "rehearsal")
            windows.append((kind, began, monotonic(), outcome))
            held = float(outcome["pause_seconds"]) * 1000
            say(f"round {number + 1} of {rounds}, {kind}: writes held for {held:.0f} ms")
    place.processes.stop("traffic")
    return windows


def _writes(path: Path) -> list[Write]:
    lines = [line.split() for line in path.read_text().splitlines()]
    return [(client, float(began), float(seconds), ok == "1") for client, began, seconds, ok in lines]


def _result(place: Place, copied: Copied, windows: list[Window], writes: list[Write]) -> Rehearsal:
    moves = tuple(_move(kind, [window for window in windows if window[0] == kind], writes) for kind in KINDS)
    failed = sum(not ok for *_, ok in writes)
    return Rehearsal(
        place.name,
        str(place.folder),
        moves,
        len(writes),
        failed,
        rows=copied.rows,
        size_bytes=copied.size_bytes,
        left_out=copied.left_out,
    )


def _move(kind: str, windows: list[Window], writes: list[Write]) -> Move:
    steps: dict[str, list[float]] = {}
    for *_, outcome in windows:
        for event in outcome["events"]:
            if event["result"] == "done":
                steps.setdefault(event["step"], []).append(event["seconds"])
    pauses = tuple(float(outcome["pause_seconds"]) for *_, outcome in windows)
    return Move(kind, {step: median(took) for step, took in steps.items()}, pauses, _longest_waits(windows, writes))


def _longest_waits(windows: list[Window], writes: list[Write]) -> tuple[float, ...]:
    """Of each client in each window, the longest wait for a write that was under way in it."""
    longest: dict[tuple[int, str], float] = {}
    for number, (_, began, ended, _outcome) in enumerate(windows):
        for client, at, seconds, _ok in writes:
            if at < ended and at + seconds > began:
                longest[number, client] = max(longest.get((number, client), 0.0), seconds)
    return tuple(sorted(longest.values()))
