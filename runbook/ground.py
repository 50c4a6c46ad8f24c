"""What the steps of one run work on: routes, transition, gateways, both databases, the control database, the budget."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from config.errors import NotConfigured, UnknownCapability
from config.model import Capability, Routes
from config.reader import digest_of, read_routes
from runbook.basis import Basis
from runbook.control import Control, run_directory
from runbook.gateways import Gateways
from runbook.journal import Journal
from runbook.sides import Side, Sides, open_sides
from runbook.stages import Home, Kind, Transition, abandon_from, advance_from, back_from
from runbook.waiting import Budget

HOLD_BUDGET_SECONDS = 3.0


@dataclass
class Ground:
    """Everything is open: make it with `standing_on`. `run_id` is empty until a run begins."""

    routes: Routes
    name: str
    transition: Transition
    gateways: Gateways
    sides: Sides | None
    journal: Journal
    actor: str = ""
    run_id: str = ""
    plan_hash: str = ""
    basis: Basis = field(default_factory=Basis)  # of approvals: what the gates of this run said
    budget: Budget = field(default_factory=lambda: Budget(HOLD_BUDGET_SECONDS))

    @property
    def capability(self) -> Capability:
        """The capability as routes.yaml had it when the command began."""
        return self.routes.capabilities[self.name]

    @property
    def control(self) -> Control:
        """The control database."""
        return self.journal.control

    @property
    def home(self) -> Home:
        """Where writes are answered before the transition."""
        return self.transition.home

    @property
    def both(self) -> Sides:
        """Both databases, for steps that exist only where there are two."""
        if self.sides is None:
            raise NotConfigured(f"capabilities.{self.name}.sync", "a cutover of data")
        return self.sides

    @property
    def old(self) -> Side:
        """The home before the transition."""
        return self.both.at(self.home)

    @property
    def new(self) -> Side:
        """The other side: the home after a cutover."""
        return self.both.other(self.home)

    @property
    def flow(self) -> str:
        """The stream that carries the home's writes before the transition."""
        return self.both.stream_from(self.home)

    @property
    def way_back(self) -> str:
        """The stream that will carry them afterwards."""
        return self.both.stream_from(self.new.home)

    @property
    def store_place(self) -> Path | str:
        """Where the comparer keeps its verdicts: a file, or the URL of a database."""
        from shadow.engine import place_of

        return place_of(self.routes, run_directory(self.routes.path) / "shadow.db")

    def file_digest(self) -> str:
        """Compute the digest of routes.yaml as it is now."""
        return digest_of(self.routes.path.read_bytes())

    def routes_now(self) -> Routes:
        """Read routes.yaml again."""
        return read_routes(self.routes.path)


@contextmanager
def standing_on(
    routes: Routes, name: str, transition: Transition, journal: Journal, *, actor: str = ""
) -> Iterator[Ground]:
    """Open the gateways and both databases for the time of one command. Raises DatabaseDown."""
    gateways = Gateways.of(routes)
    sides: Sides | None = None
    try:
        sides = open_sides(routes, name)
        yield Ground(routes, name, transition, gateways, sides, journal, actor)
    finally:
        gateways.close()
        if sides is not None:
            sides.close()


def transition_of(routes: Routes, name: str, kind: Kind, percent: float | None) -> Transition:
    """Return where the command leads. Raises UnknownCapability, NoSuchTransition, NotConfigured."""
    if name not in routes.capabilities:
        raise UnknownCapability(name, tuple(routes.capabilities))
    capability = routes.capabilities[name]
    if kind == "abandon":
        return abandon_from(name, capability.stage, "")
    if kind == "back":
        return back_from(name, capability.stage, capability.canary_percent)
    transition = advance_from(name, capability.stage, capability.canary_percent, percent)
    if transition.to_stage == "canary" and capability.canary is None:
        raise NotConfigured(f"capabilities.{name}.canary", "stage canary")
    return transition
