"""A capability that stands before its cutover: databases equal and verified, markers carried, a gateway's admin."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from threading import Event

import psycopg

from cdc.fence import fence_is_raised
from cdc.verification.verify import verify
from config.reader import read_routes
from runbook import census
from runbook.advance import waive
from runbook.sides import Sides
from tests.support.fake_gateway import FakeGateway, fake_gateway
from tests.support.relay import relay
from tests.support.two_homes import two_homes, write_routes

MODE = "SELECT mode FROM strangler.stream WHERE name = %s"


@dataclass(frozen=True)
class Standing:
    """Everything that a test looks at."""

    routes: Path
    sides: Sides
    gateway: FakeGateway
    stream_stalls: Event
    legacy_db: str
    modern_db: str

    @property
    def stage(self) -> str:
        """What routes.yaml says."""
        return read_routes(self.routes).capabilities["accounts"].stage

    @property
    def home(self) -> str:
        """The side that accepts writes, by its fence: legacy, modern, none or both."""
        raised = [fence_is_raised(side.conn, side.tables) for side in (self.sides.legacy, self.sides.modern)]
        return {(False, True): "legacy", (True, False): "modern", (True, True): "none"}.get(
            (raised[0], raised[1]), "both"
        )

    @property
    def modes(self) -> tuple[str, str]:
        """The modes of the forward and the reverse stream."""
        forward = self.sides.modern.ask(MODE, ("accounts:forward",))[0][0]
        return forward, self.sides.legacy.ask(MODE, ("accounts:reverse",))[0][0]

    def write(self, application_name: str = "corebank", number: int = 1) -> None:
        """A writer of legacy; what it writes changes nothing that is compared."""
        with psycopg.connect(self.legacy_db, application_name=application_name) as connection:
            connection.execute("UPDATE custmast SET lst_upd = %s WHERE cust_no = '10000001'", (str(number),))


@contextmanager
def standing(
    folder: Path, legacy_db: str, modern_db: str, *, stage: str = "canary", more: str = ""
) -> Iterator[Standing]:
    """Stand there."""
    with (
        two_homes(folder, legacy_db, modern_db) as sides,
        relay(sides, legacy_db, modern_db) as stalls,
        fake_gateway(folder / "routes.yaml") as gateway,
    ):
        instances = f', instances: ["{gateway.url}"]'
        routes = write_routes(folder, legacy_db, modern_db, stage=stage, gateway=instances, capability=more)
        for side in (sides.legacy, sides.modern):
            census.install(sides, side)
        assert verify("accounts", read_routes(routes), "forward", lambda *_: None).equal
        waive(
            routes, "accounts", "comparison", lasting=timedelta(hours=1), reason="a test", actor="alice", second="bob"
        )
        yield Standing(routes, sides, gateway, stalls, legacy_db, modern_db)
