"""Waiting for a condition until a deadline, at short intervals; and the budget of a hold."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TypeVar

from runbook.errors import BudgetExceeded

POLL_SECONDS = 0.003

T = TypeVar("T")


def wait_for(condition: Callable[[], T | None], what: str, seconds: float, poll_seconds: float = POLL_SECONDS) -> T:
    """Return the condition's first true value. Raises BudgetExceeded when `seconds` pass without one.

    The condition is looked at once more after the deadline, so a slow look never turns a success into a failure.
    """
    deadline = time.monotonic() + seconds
    while True:
        is_last = time.monotonic() >= deadline
        if found := condition():
            return found
        if is_last:
            raise BudgetExceeded(what, max(seconds, 0.0))
        time.sleep(min(poll_seconds, max(deadline - time.monotonic(), 0.0)))


@dataclass
class Budget:
    """How long writes may be held; a reserve is kept so that the point of no return is never passed with no time left.

    `started` and `ended` are monotonic times of the hold, set by the steps hold and release; both die with the process.
    """

    seconds: float
    clock: Callable[[], float] = field(default=time.monotonic)
    started: float | None = None
    ended: float | None = None

    @property
    def reserve(self) -> float:
        """What must be left at the point of no return: a third, at most a second."""
        return min(1.0, self.seconds / 3)

    def start(self) -> None:
        """Count from now: called just before the first gateway is asked to hold."""
        self.started, self.ended = self.clock(), None

    def end(self) -> None:
        """Writes flow again."""
        self.ended = self.clock()

    def left(self) -> float:
        """Seconds until the reserve is touched; the whole budget before the hold has begun."""
        if self.started is None:
            return self.seconds - self.reserve
        return self.seconds - self.reserve - (self.clock() - self.started)

    def check(self) -> None:
        """Raise BudgetExceeded when the reserve is touched."""
        if self.left() <= 0:
            raise BudgetExceeded("the point of no return", self.seconds - self.reserve)

    @property
    def is_running(self) -> bool:
        """Whether writes are held now, as far as this process knows."""
        return self.started is not None and self.ended is None

    @property
    def pause_seconds(self) -> float | None:
        """How long writes were held, as this process saw it; None if it did not see both ends."""
        if self.started is None or self.ended is None:
            return None
        return self.ended - self.started
