"""The sentinel: one row that goes to modern by the forward stream and another that comes back by the reverse stream."""

from __future__ import annotations

import secrets
import time

from runbook.sides import Side, Sides
from runbook.waiting import wait_for

ROUND_TRIP_SECONDS = 15.0

INSERT = "INSERT INTO strangler.sentinel (id, direction) VALUES (%s, %s) ON CONFLICT DO NOTHING"
ARRIVED = "SELECT count(*) FROM strangler.sentinel WHERE id = %s AND direction = %s"


def new_id(run_id: str) -> str:
    """Return an id that no sentinel had before."""
    return f"{run_id or 'look'}-{secrets.token_hex(4)}"


def round_trip(sides: Sides, sentinel_id: str, seconds: float = ROUND_TRIP_SECONDS) -> float:
    """Send both rows, one after the other, and return the seconds that it took. Raises BudgetExceeded."""
    started = time.monotonic()
    _send(sides.legacy, sides.modern, sentinel_id, "forward", seconds)
    _send(sides.modern, sides.legacy, sentinel_id, "reverse", seconds - (time.monotonic() - started))
    return time.monotonic() - started


def _send(source: Side, target: Side, sentinel_id: str, direction: str, seconds: float) -> None:
    source.ask(INSERT, (sentinel_id, direction))
    wait_for(
        lambda: target.ask(ARRIVED, (sentinel_id, direction))[0][0],
        f"that the sentinel of the {direction} stream arrives",
        seconds,
        poll_seconds=0.01,
    )
