"""Breakers beyond failures in a row: for an upstream whose share of failures is out of line, or whose check fails."""

from __future__ import annotations

from collections.abc import Callable
from time import monotonic
from typing import Final

from config.model import Breaker as Settings
from gateway.breaker import Breaker

FAILURES: Final = frozenset({500, 502, 503, 504})
SLOTS: Final = 10


def breaker_of(settings: Settings | None) -> Breaker:
    """The breaker that routes.yaml asks for."""
    if settings is None or settings.failure_rate is None:
        return Breaker(settings)
    return OutlierBreaker(settings, settings.failure_rate)


class OutlierBreaker(Breaker):
    """Opens also at a share of failures over the last `window`, kept as ten slots of counts."""

    __slots__ = ("_clock", "_counts", "_rate", "_requests", "_slot", "_slot_seconds")

    def __init__(self, settings: Settings, rate: float, clock: Callable[[], float] = monotonic) -> None:
        super().__init__(settings)
        self._rate = rate
        self._requests = settings.requests
        self._slot_seconds = settings.window / SLOTS
        self._clock = clock
        self._counts = [[0, 0] for _ in range(SLOTS)]  # requests, and those that failed
        self._slot = 0

    def answered(self, status: int) -> None:
        """An answer came, which may be a failure all the same; the probe's answer decides whether to close."""
        now = self._clock()
        if status not in FAILURES:
            self._note(now, failed=0)
            self.succeeded()
        elif self.is_closed:
            self._note(now, failed=1)
        else:
            super().failed(now)

    def failed(self, now: float) -> None:
        """No answer came."""
        super().failed(now)
        self._note(now, failed=1)

    def _note(self, now: float, *, failed: int) -> None:
        slot = int(now / self._slot_seconds)
        for old in range(max(self._slot + 1, slot - SLOTS + 1), slot + 1):
            self._counts[old % SLOTS] = [0, 0]
        self._slot = max(slot, self._slot)
        count = self._counts[slot % SLOTS]
        count[0] += 1
        count[1] += failed
        if not failed or not self.is_closed:
            return
        total, failures = (sum(one[index] for one in self._counts) for index in (0, 1))
        if total >= self._requests and failures >= self._rate * total:
            self._counts = [[0, 0] for _ in range(SLOTS)]
            self.open(now)


class Ejected(Breaker):
    """In the place of a breaker while the health check of the supervisor fails; nothing but its success ends it."""

    __slots__ = ()
    reason = "upstream_unhealthy"
    is_closed = False

    def __init__(self) -> None:
        super().__init__(None)

    def state(self, now: float) -> str:  # noqa: ARG002
        """For people."""
        return "ejected"

    def is_due(self, now: float) -> bool:  # noqa: ARG002
        """The probes are the supervisor's."""
        return False

    def allows(self, now: float) -> bool:  # noqa: ARG002
        """Nothing passes."""
        return False
