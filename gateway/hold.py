"""Holds the writes of a capability for a bounded time, and counts those in flight."""

from __future__ import annotations

import asyncio
from typing import Any, Protocol

from gateway.limits import Limits


class Held(Protocol):
    """A write that waits here; it decides anew, with the table in force, when it is let go."""

    def let_go(self) -> None:
        """Go on."""


class Hold:
    """The writes of one capability in one worker.

    `is_holding` is set by a message of the supervisor and ends with another one, or by itself when its seconds are
    over: a runbook that died cannot stop a bank. Nothing of it survives the worker; a client whose held write dies
    with the worker sees its connection break before anything was sent.
    """

    __slots__ = ("_limits", "_timer", "_until", "in_flight", "is_holding", "waiting")

    def __init__(self, limits: Limits) -> None:
        self._limits = limits
        self._timer: asyncio.TimerHandle | None = None
        self._until = 0.0
        self.is_holding = False
        self.in_flight = 0
        self.waiting: dict[Held, None] = {}

    def begin(self, seconds: float) -> None:
        """Hold from now on for at most these seconds; a hold that is on is given the new end."""
        loop = asyncio.get_running_loop()
        bounded = max(0.0, min(seconds, self._limits.hold_seconds_max))
        if self._timer is not None:
            self._timer.cancel()
        self.is_holding = True
        self._until = loop.time() + bounded
        self._timer = loop.call_later(bounded, self.release)

    def release(self) -> None:
        """Let every held write go, in the order in which they came."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        self.is_holding = False
        waiting, self.waiting = self.waiting, {}
        for held in waiting:
            held.let_go()

    def enter(self, held: Held) -> bool:
        """Take a write in; False when the bound is reached."""
        if len(self.waiting) >= self._limits.held_max:
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
            "held": len(self.waiting),
            "in_flight": self.in_flight,
            "expires_in": round(left, 3),
        }


class Holds:
    """The holds of every capability; they outlive a swap of the table."""

    __slots__ = ("_limits", "by_capability")

    def __init__(self, limits: Limits) -> None:
        self._limits = limits
        self.by_capability: dict[str, Hold] = {}

    def of(self, capability: str) -> Hold:
        """The hold of a capability."""
        found = self.by_capability.get(capability)
        if found is None:
            found = self.by_capability[capability] = Hold(self._limits)
        return found

    def report(self) -> dict[str, dict[str, Any]]:
        """The reports of all."""
        return {name: hold.report() for name, hold in self.by_capability.items()}
