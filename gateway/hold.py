"""Holds the writes of a capability for a bounded time, counts those in flight, and refuses them after a lost end."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from typing import Any, Protocol

import structlog

from gateway.limits import Limits

log = structlog.get_logger()


class Held(Protocol):
    """A write that waits here; it decides anew, with the table in force, when it is let go."""

    def let_go(self) -> None:
        """Go on."""


class Hold:
    """The writes of one capability in one worker.

    `is_holding` is set by a message of the supervisor and ends with another one, or by itself when its seconds are
    over: a runbook that died cannot stop a bank. Nothing of it survives the worker; a client whose held write dies
    with the worker sees its connection break before anything was sent.

    A hold that belongs to a `run` is also a lease on the table: while it lasts, that run may move the writes' home. If
    its seconds are over and nobody has said how the run ended, nobody here knows where a write belongs. Then
    `is_cut_off`: it goes on holding, and takes none in, so that every write is refused, until it is released
    (gateway/lease.py) or a table with another home comes into force.
    """

    __slots__ = ("_homes", "_limits", "_run", "_timer", "_until", "in_flight", "is_cut_off", "is_holding", "waiting")

    def __init__(self, limits: Limits) -> None:
        self._limits = limits
        self._timer: asyncio.TimerHandle | None = None
        self._until = 0.0
        self._run = ""
        self._homes = ("", "")  # when the hold was ordered, and in the table in force
        self.is_holding = False
        self.is_cut_off = False
        self.in_flight = 0
        self.waiting: dict[Held, None] = {}

    def begin(self, seconds: float, run: str = "", home: str = "") -> None:
        """Hold from now on for at most these seconds; a hold that is on is given the new end.

        `home` is the side that answered writes when a run's hold was ordered.
        """
        loop = asyncio.get_running_loop()
        bounded = max(0.0, min(seconds, self._limits.hold_seconds_max))
        if self._timer is not None:
            self._timer.cancel()
        self.is_holding, self.is_cut_off = True, False
        self._run, self._homes = run, (home, self._homes[1])
        self._until = loop.time() + bounded
        self._timer = loop.call_later(bounded, self._end)

    def move(self, home: str) -> None:
        """A table came into force in which that side answers writes."""
        self._homes = (self._homes[0], home)
        if self.is_cut_off and not self._is_stale:
            self.release()

    @property
    def refusal(self) -> str:
        """Why a write is not taken in."""
        return "home_unknown" if self.is_cut_off else "hold_full"

    @property
    def _is_stale(self) -> bool:
        """Whether the table may be older than what the run did."""
        return bool(self._run) and self._homes[0] == self._homes[1]

    def _end(self) -> None:
        """The seconds are over."""
        if not self._is_stale:
            self.release()
            return
        log.warning("hold.cut_off", run=self._run, held=len(self.waiting))
        self.is_cut_off = True
        self._let_go()

    def release(self) -> None:
        """Let every held write go, in the order in which they came."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        self.is_holding = self.is_cut_off = False
        self._run = ""
        self._let_go()

    def _let_go(self) -> None:
        waiting, self.waiting = self.waiting, {}
        for held in waiting:
            held.let_go()

    def enter(self, held: Held) -> bool:
        """Take a write in; False when the bound is reached, and when nobody knows where it belongs."""
        if self.is_cut_off or len(self.waiting) >= self._limits.held_max:
            return False
        self.waiting[held] = None
        return True

    def forget(self, held: Held) -> None:
        """The client of a held write has gone."""
        self.waiting.pop(held, None)

    def report(self) -> dict[str, Any]:
        """What the admin API shows."""
        left = max(0.0, self._until - asyncio.get_running_loop().time()) if self.is_holding else 0.0
        return {
            "holding": self.is_holding,
            "cut_off": self.is_cut_off,
            "held": len(self.waiting),
            "in_flight": self.in_flight,
            "expires_in": round(left, 3),
        }


class Holds:
    """The holds of every capability; they outlive a swap of the table."""

    __slots__ = ("_homes", "_limits", "by_capability")

    def __init__(self, limits: Limits) -> None:
        self._limits = limits
        self._homes: Mapping[str, str] = {}
        self.by_capability: dict[str, Hold] = {}

    def of(self, capability: str) -> Hold:
        """The hold of a capability."""
        found = self.by_capability.get(capability)
        if found is None:
            found = self.by_capability[capability] = Hold(self._limits)
            found.move(self._homes.get(capability, ""))
        return found

    def begin(self, order: Mapping[str, Any]) -> None:
        """Hold as the supervisor says: capability, seconds, and for a run's hold the run and the home before it."""
        run, home = str(order.get("run", "")), str(order.get("home", ""))
        self.of(order["capability"]).begin(float(order["seconds"]), run, home)

    def put_homes(self, homes: Mapping[str, str]) -> None:
        """A table came into force: which side answers the writes of each capability."""
        self._homes = homes
        for name, hold in self.by_capability.items():
            hold.move(homes.get(name, ""))

    def report(self) -> dict[str, dict[str, Any]]:
        """The reports of all."""
        return {name: hold.report() for name, hold in self.by_capability.items()}
