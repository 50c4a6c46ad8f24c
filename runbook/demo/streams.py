"""Both streams at the end of the run: drained to a marker, their figures, and both databases compared once more."""

from __future__ import annotations

from time import monotonic, sleep
from typing import Any
from uuid import uuid4

import psycopg

from cdc.state import emit_marker, lag, read_state
from config.errors import StranglerError
from runbook.demo.world import CAPABILITY, World


class NotDrained(StranglerError):
    """A stream did not reach its marker."""

    def __init__(self, stream: str, seconds: float) -> None:
        super().__init__(stream)
        self._stream, self._seconds = stream, seconds

    @property
    def sentence(self) -> str:
        """Which stream, after how long."""
        return f"The stream {self._stream} did not reach its marker within {self._seconds:.0f} s."


def drain_streams(world: World, seconds: float) -> dict[str, Any]:
    """Send a marker through both streams and wait until each has been applied; returns the figures of both."""
    marker = f"demo-{uuid4()}"
    ways = {"forward": (world.legacy_url, world.modern_url), "reverse": (world.modern_url, world.legacy_url)}
    figures: dict[str, Any] = {}
    for direction, (source_url, target_url) in ways.items():
        stream = f"{CAPABILITY}:{direction}"
        with (
            psycopg.connect(source_url, autocommit=True) as source,
            psycopg.connect(target_url, autocommit=True) as target,
        ):
            emit_marker(source, stream, marker, None)
            deadline = monotonic() + seconds
            while (state := read_state(target, stream)) is None or state.marker != marker:
                if monotonic() > deadline:
                    raise NotDrained(stream, seconds)
                sleep(0.02)
            figures[stream] = {
                "mode": state.mode,
                "applied_rows": state.applied_rows,
                "applied_transactions": state.applied_transactions,
                "alarms": state.alarms,
                "lag_seconds": delay.seconds if (delay := lag(source, target, stream)) else None,
            }
    return figures
