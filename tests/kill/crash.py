"""The moments of a run at which it may die, put into a process from outside: the product knows nothing of them.

A point is before or after a call of the runbook's own functions. `install` wraps them in the process that is to die.
"""

from __future__ import annotations

import functools
import importlib
import os
import signal
import sys
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from types import FrameType
from typing import Any, Literal

import msgspec

When = Literal["before", "after"]


@dataclass(frozen=True)
class Point:
    """One named moment."""

    name: str
    module: str
    path: str
    when: When


# name of the step or effect: (module, function); each makes a point before and one after.
CALLS: dict[str, tuple[str, str]] = {
    "lease.acquire": ("runbook.advance", "acquire"),
    "run.begin": ("runbook.runs", "begin"),
    "preflight": ("runbook.steps", "Preflight.run"),
    "approvals": ("runbook.steps", "Approvals.run"),
    "prepare": ("runbook.cutover", "Prepared.run"),
    "hold": ("runbook.cutover", "Held.run"),
    "hold.put": ("runbook.gateways", "Gateways.hold"),
    "fence": ("runbook.cutover", "Fenced.run"),
    "fence.lock": ("cdc.fence", "_lock"),
    "fence.switch": ("cdc.fence", "_switch_all"),
    "fence.marker": ("cdc.fence", "emit_marker"),
    "drain": ("runbook.cutover", "Drained.run"),
    "spot": ("runbook.cutover", "SpotVerified.run"),
    "sequences": ("runbook.cutover", "SequencesRaised.run"),
    "journal": ("runbook.steps", "PointOfNoReturn.run"),
    "commit": ("runbook.runs", "RunRecord.commit"),
    "journal.head": ("runbook.journal", "_write_head"),
    "reverse": ("runbook.cutover", "Reversed.run"),
    "reverse.marker": ("cdc.state", "emit_marker"),
    "reverse.lift": ("cdc.fence", "lift_fence"),
    "stage": ("runbook.steps", "StageWritten.run"),
    "stage.write": ("runbook.steps", "write"),
    "stage.digest": ("runbook.gateways", "Gateways.wait_for_those_that_answer"),
    "release": ("runbook.cutover", "Released.run"),
    "release.delete": ("runbook.gateways", "Gateways.release"),
    "end": ("runbook.runs", "RunRecord.end"),
    "lease.release": ("runbook.advance", "release"),
}
UNDO_CALLS: dict[str, tuple[str, str]] = {
    "undo.hold": ("runbook.cutover", "Held.undo"),
    "undo.fence": ("runbook.cutover", "Fenced.undo"),
}
POINTS = tuple(
    Point(f"{name}.{when}", module, path, when)
    for name, (module, path) in (CALLS | UNDO_CALLS).items()
    for when in ("before", "after")
)
NAMES = tuple(point.name for point in POINTS)
UNDO_NAMES = tuple(name for name in NAMES if name.startswith("undo."))


class Orders(msgspec.Struct, omit_defaults=True):
    """What is done to one command. `crash` is NAME#K; `fail` a step that raises; `line` of execute.py to die at."""

    crash: str = ""
    fail: str = ""  # steps that raise, with commas between them
    line: int = 0
    interrupt: str = ""  # the point at which somebody presses Ctrl-C
    at: str = ""  # the point at which the command waits until the nemesis has acted
    reached: str = ""  # the file that says that it waits; the nemesis removes it
    lines_to: str = ""  # where the lines that were run are written
    hits_to: str = ""  # where the points that were hit are written
    disk_bytes: int = 0  # files may grow to this: a full disk
    clock_seconds: float = 0.0  # how far the clock jumps at `at`
    lease_seconds: float = 0.0


@dataclass
class _Fate:
    orders: Orders
    counts: Counter[str] = field(default_factory=Counter)

    def hit(self, name: str) -> None:
        self.counts[name] += 1
        if self.orders.hits_to:
            with Path(self.orders.hits_to).open("a") as file:
                file.write(f"{name}\n")
        if self.orders.crash == f"{name}#{self.counts[name]}":
            os.kill(os.getpid(), signal.SIGKILL)
        if self.orders.interrupt == name and self.counts[name] == 1:
            signal.raise_signal(signal.SIGINT)
        if self.orders.at == name and self.counts[name] == 1:
            self.wait()

    def wait(self) -> None:
        """Wait for the nemesis, which removes the file when it has acted."""
        reached = Path(self.orders.reached)
        reached.touch()
        deadline = time.monotonic() + 60
        while reached.exists() and time.monotonic() < deadline:
            time.sleep(0.002)
        if self.orders.clock_seconds:
            jump(self.orders.clock_seconds)


class Injected(RuntimeError):
    """A step that was made to fail."""


def install(orders: Orders) -> None:
    """Put the points, and whatever else was ordered, into this process."""
    fate = _Fate(orders)
    for point in POINTS:
        _wrap(point.module, point.path, functools.partial(_at_point, fate, point))
    for name in orders.fail.split(",") if orders.fail else ():
        module, path = (CALLS | UNDO_CALLS)[name]
        _wrap(module, path, lambda _original: _raise)
    if orders.line or orders.lines_to:
        sys.settrace(_tracer(orders))
    if orders.disk_bytes:
        import resource

        signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
        resource.setrlimit(resource.RLIMIT_FSIZE, (orders.disk_bytes, resource.RLIM_INFINITY))
    if orders.lease_seconds:
        shorten_leases(orders.lease_seconds)


def shorten_leases(seconds: float) -> None:
    """Let every lease that this process takes or renews end so soon, whatever its functions had as default."""
    for name in ("acquire", "renew"):
        function: Any = getattr(importlib.import_module("runbook.lease"), name)
        assert function.__defaults__ == (importlib.import_module("runbook.lease").LEASE_SECONDS,)
        function.__defaults__ = (seconds,)
    importlib.import_module("runbook.runs").LEASE_SECONDS = seconds  # type: ignore[attr-defined]  # when it renews


def jump(seconds: float) -> None:
    """Let the wall clock of this process jump; the monotonic one does not."""
    import datetime as module

    real = module.datetime

    class Jumped(real):  # type: ignore[misc, valid-type]
        @classmethod
        def now(cls, tz: Any = None) -> Any:
            return real.now(tz) + module.timedelta(seconds=seconds)

    for name in ("runbook.control", "runbook.lease", "runbook.waivers"):
        importlib.import_module(name).datetime = Jumped  # type: ignore[attr-defined]


def lines_of_execute() -> tuple[int, ...]:
    """The lines inside the functions of runbook/execute.py that a machine can stop at."""
    path = Path(importlib.import_module("runbook.execute").__file__ or "")
    found: set[int] = set()

    def collect(code: Any, is_function: bool) -> None:
        if is_function:
            found.update(line for _, _, line in code.co_lines() if line and line != code.co_firstlineno)
        for constant in code.co_consts:
            if hasattr(constant, "co_lines") and constant.co_name not in ("Step", "Record"):  # protocols do nothing
                collect(constant, bool(constant.co_flags & 0x02))  # CO_NEWLOCALS: a function, not a class body

    collect(compile(path.read_text(), str(path), "exec"), is_function=False)
    return tuple(sorted(found))


def _raise(*_: object, **__: object) -> None:
    raise Injected("made to fail")


def _at_point(fate: _Fate, point: Point, original: Callable[..., Any]) -> Callable[..., Any]:
    @functools.wraps(original)
    def wrapped(*args: Any, **kwargs: Any) -> Any:
        if point.when == "before":
            fate.hit(point.name)
            return original(*args, **kwargs)
        result = original(*args, **kwargs)
        fate.hit(point.name)
        return result

    return wrapped


def _wrap(module_name: str, path: str, make: Callable[[Callable[..., Any]], Callable[..., Any]]) -> None:
    owner: Any = importlib.import_module(module_name)
    *parents, name = path.split(".")
    for parent in parents:
        owner = getattr(owner, parent)
    setattr(owner, name, make(getattr(owner, name)))


def _tracer(orders: Orders) -> Callable[[FrameType, str, object], Any]:
    path = importlib.import_module("runbook.execute").__file__
    seen: set[int] = set()

    def in_execute(frame: FrameType, event: str, _argument: object) -> Any:
        if event == "line":
            if orders.line == frame.f_lineno:
                os.kill(os.getpid(), signal.SIGKILL)
            if orders.lines_to and frame.f_lineno not in seen:
                seen.add(frame.f_lineno)
                with Path(orders.lines_to).open("a") as file:
                    file.write(f"{frame.f_lineno}\n")
        return in_execute

    def enter(frame: FrameType, _event: str, _argument: object) -> Any:
        return in_execute if frame.f_code.co_filename == path else None

    return enter
