"""Pure: a circuit breaker; after some failures in a row the upstream is left alone, then probed by one request."""

from __future__ import annotations

from config.model import Breaker as Settings


class Breaker:
    """Closed, open until a moment, or half open with one probe under way. Time is an argument."""

    __slots__ = ("_failures", "_open_until", "_probing", "_settings")
    reason = "breaker_open"  # of `problems.PROBLEMS`, for whom it turns away

    def __init__(self, settings: Settings | None) -> None:
        self._settings = settings
        self._failures = 0
        self._open_until = 0.0
        self._probing = False

    @property
    def is_closed(self) -> bool:
        """Whether requests pass freely; the only question the hot path asks."""
        return not self._open_until

    def allows(self, now: float) -> bool:
        """Whether a request may go; when the time is up, one may, as the probe."""
        if not self._open_until:
            return True
        if now < self._open_until or self._probing:
            return False
        self._probing = True
        return True

    def succeeded(self) -> None:
        """An answer came: close."""
        self._failures = 0
        self._open_until = 0.0
        self._probing = False

    def answered(self, status: int) -> None:  # noqa: ARG002
        """An answer with that status came; here every answer is one."""
        self.succeeded()

    def state(self, now: float) -> str:
        """`closed`, `open`, or `half_open` once a probe may go; for people."""
        if not self._open_until:
            return "closed"
        return "half_open" if self._probing or now >= self._open_until else "open"

    def is_due(self, now: float) -> bool:
        """Whether a request may go as the probe."""
        return bool(self._open_until) and now >= self._open_until and not self._probing

    def open(self, now: float) -> None:
        """Leave the upstream alone."""
        if self._settings is not None:
            self._open_until = now + self._settings.open_for

    def failed(self, now: float) -> None:
        """No answer came: count, and open at the configured number or when the probe failed."""
        if self._settings is None:
            return
        self._failures += 1
        if self._probing or self._failures >= self._settings.failures:
            self.open(now)
        self._probing = False

    def abandoned(self) -> None:
        """The probe ended without an outcome (its client left): the next request is the probe."""
        self._probing = False
