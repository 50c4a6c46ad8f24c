"""Leases on the table: a run's hold whose end nobody told is ended here, when the control database tells it.

The hold that a cutover asks for is a lease. Outside of a cutover there is none: a gateway serves whatever else is
down. Within one the writes are held, so they are stale nowhere; and a gateway that hears no more of it does not go back
to the table it has, but answers 503 to writes of that capability. It gets out of this by the first of

    a release           the runbook reached it after all
    another table       routes.yaml says the new home
    the control database says that the run cannot move the home any more (`may_still_move`)

and it stays there while it reaches neither the runbook nor routes.yaml nor the control database, which is right: then
nobody here knows. What a gateway sends that knew nothing of the hold (it was started meanwhile, from an old file) is
refused by the fence in the database.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from config.control_database import control_engine, control_url
from config.errors import DatabaseDown
from config.model import Routes
from gateway.routing.decision import home_of

ASK_SECONDS = 2
RUN_LENGTH_MAX = 64
RUN = """
SELECT run.status, run.to_stage, lease.expires_at
FROM run LEFT JOIN lease ON lease.capability = run.capability WHERE run.id = :run
"""


@dataclass(frozen=True)
class Order:
    """A hold as it was asked for: until when (monotonic), by which run, and where writes were at home then."""

    capability: str
    until: float
    run: str = ""
    home: str = ""

    def is_over(self, now: float, homes: Mapping[str, str]) -> bool:
        """Whether nobody need be told of it any more: a run's hold does not end with its seconds in the old table."""
        return now >= self.until and (not self.run or homes.get(self.capability) != self.home)

    def message(self, now: float) -> tuple[str, dict[str, Any]]:
        """What a worker is told."""
        seconds = max(self.until - now, 0.0)
        return "hold", {"capability": self.capability, "seconds": seconds, "run": self.run, "home": self.home}


@dataclass(frozen=True)
class RunState:
    """What the control database says of a run; `lease_ends` is when whoever works on it must have said so again."""

    status: str
    to_stage: str
    lease_ends: str


def may_still_move(state: RunState | None, home: str, now: datetime) -> bool:
    """Whether a run may have moved the writes away from that home, or may still do so.

    A run that nobody knows may have done anything. One that is open is undone by the next command, and until then
    whoever works on it renews its lease: without one nobody does.
    """
    if state is None or state.status == "committed":
        return True
    if state.status == "open":
        return state.lease_ends > now.isoformat(timespec="microseconds")
    return state.status == "done" and home_of(state.to_stage) != home


def state_of(routes: Routes, folder: Path, run: str) -> RunState | None:
    """Ask the control database. Raises DatabaseDown."""
    import sqlalchemy as sa  # a gateway that is never cut off does not carry it

    try:
        url = control_url(routes, folder)
        settings = {} if url.startswith("sqlite") else {"connect_timeout": ASK_SECONDS}
        engine = control_engine(url, ASK_SECONDS, **settings)
        try:
            with engine.execution_options(isolation_level="AUTOCOMMIT").connect() as connection:
                row = connection.execute(sa.text(RUN), {"run": run}).first()
        finally:
            engine.dispose()
    except (sa.exc.SQLAlchemyError, OSError, ValueError) as error:
        raise DatabaseDown("control", type(error).__name__) from error
    return None if row is None else RunState(row.status, row.to_stage, row.expires_at or "")


def must_stay(routes: Routes, folder: Path, order: Order) -> bool:
    """Whether the hold goes on: the run may move the home, or nobody can be asked."""
    try:
        return may_still_move(state_of(routes, folder, order.run), order.home, datetime.now(UTC))
    except DatabaseDown:
        return True
