"""The demo's world: two databases, the seeded monolith, the new ledger, the gateway and the streams, each a process."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import psycopg

from config.errors import StranglerError
from config.reader import read_routes
from runbook.demo.cast import Cast, choose_cast
from runbook.demo.cluster import Cluster
from runbook.demo.processes import Processes, free_port

CAPABILITY = "accounts"
Say = Callable[[str], None]


@dataclass(eq=False)
class RoutesNotFound(StranglerError):
    """The demo's routes.yaml is missing from the installation."""

    @property
    def sentence(self) -> str:
        """What is missing."""
        return "The demo's routes.yaml was not found beside the program."


@dataclass
class World:
    """Where everything of one run is."""

    folder: Path
    routes: Path
    legacy: Cluster
    modern: Cluster
    legacy_url: str
    modern_url: str
    gateway: str
    admin: str
    processes: Processes
    cast: Cast

    def close(self) -> None:
        """End every process, then both databases."""
        self.processes.stop_all()
        self.legacy.stop()
        self.modern.stop()

    @property
    def history(self) -> Path:
        """The clients' history."""
        return self.folder / "history.jsonl"


@dataclass(frozen=True)
class Size:
    """How large the bank is."""

    customers: int = 2_000
    accounts: int = 5_000
    history: int = 50_000
    clients: int = 20
    seed: int = 87


def build(folder: Path, size: Size, port: int, say: Say) -> World:
    """Make the world up to the moment when the gateway serves and the first clients may come."""
    say("starting two PostgreSQL servers")
    legacy, modern = Cluster(folder, "corebank").start(), Cluster(folder, "ledger").start()
    try:
        legacy_url, modern_url = legacy.create_database("corebank"), modern.create_database("ledger")
        say(
            f"seeding the monolith: {size.customers:,} customers, {size.accounts:,} accounts, {size.history:,} postings"
        )
        seed_monolith(legacy_url, size)
        say("making the ledger's tables by expand revisions")
        make_ledger(legacy_url, modern_url)
        routes, environ, processes = _configure(folder, legacy_url, modern_url, port)
        world = World(
            folder=folder,
            routes=routes,
            legacy=legacy,
            modern=modern,
            legacy_url=legacy_url,
            modern_url=modern_url,
            gateway=f"http://{environ['GATEWAY_LISTEN']}",
            admin=f"http://{environ['GATEWAY_ADMIN']}",
            processes=processes,
            cast=choose_cast(legacy_url, size.clients, size.seed),
        )
        say("starting the monolith, the ledger, its facade, the gateway")
        _start_services(world, environ)
    except BaseException:
        legacy.stop(immediate=True)
        modern.stop(immediate=True)
        raise
    return world


def start_streams(world: World) -> None:
    """Start the sync process and wait until the backfill is done and both streams run."""
    world.processes.start("sync", ["sync", "run", CAPABILITY])
    world.processes.wait_for("sync", lambda: _both_stream(world))


def start_clients(world: World) -> None:
    """Let the clients come."""
    cast = world.folder / "cast.json"
    world.cast.save(cast)
    arguments = ["-m", "runbook.demo.clients", str(cast), str(world.history), world.gateway]
    world.processes.start("clients", arguments, pipe=True)


def seed_monolith(url: str, size: Size) -> None:
    """The monolith's tables, filled."""
    from legacy_adapter.monolith.schema import create_schema
    from legacy_adapter.monolith.seed import seed

    with psycopg.connect(url) as connection:
        create_schema(connection)
        seed(connection, customers=size.customers, accounts=size.accounts, history=size.history, seed=size.seed)


def make_ledger(legacy_url: str, modern_url: str) -> None:
    """The ledger's tables, and the monolith's business date in its books: both sides post on the same day."""
    from migrations.upgrade import upgrade

    upgrade(modern_url, service="ledger", branch="expand")
    with psycopg.connect(legacy_url) as legacy, psycopg.connect(modern_url) as modern:
        row = legacy.execute("SELECT to_date(parm_val, 'YYYYMMDD') FROM ctlparm WHERE parm_cd = 'BUSDATE'").fetchone()
        modern.execute("UPDATE setting SET value = %s WHERE name = 'business_date'", (str(row[0]) if row else None,))


def _configure(folder: Path, legacy_url: str, modern_url: str, port: int) -> tuple[Path, dict[str, str], Processes]:
    """Copy routes.yaml into the workspace; addresses and passwords reach it through the environment alone."""
    routes = folder / "routes.yaml"
    shutil.copyfile(routes_of_the_product(), routes)
    ports = {name: free_port() for name in ("GATEWAY_ADMIN", "MONOLITH_URL", "FACADE_URL", "LEDGER_URL")}
    environ = {
        "STRANGLER_ROUTES": str(routes),
        "STRANGLER_HOME": str(Path(__file__).resolve().parents[2]),
        "STRANGLER_RUN": str(folder / "run"),
        "LEGACY_DB": legacy_url,
        "LEDGER_DB": modern_url,
        "CONTROL_DB": f"sqlite:///{folder / 'control.db'}",
        "GATEWAY_LISTEN": f"127.0.0.1:{port or free_port()}",
        "GATEWAY_ADMIN": f"127.0.0.1:{ports['GATEWAY_ADMIN']}",
        **{name: f"http://127.0.0.1:{number}" for name, number in ports.items() if name.endswith("_URL")},
    }
    (folder / "run").mkdir(mode=0o700)
    os.environ.update(environ)  # the runbook runs in this process and reads the same file
    read_routes(routes)
    return routes, environ, Processes(folder, environ)


def routes_of_the_product() -> Path:
    """The commented routes.yaml: at the top of a checkout, beside this module in an installed package."""
    here = Path(__file__).resolve()
    for candidate in (here.parents[2] / "routes.yaml", here.parent / "routes.yaml"):
        if candidate.exists():
            return candidate
    raise RoutesNotFound


def _start_services(world: World, environ: dict[str, str]) -> None:
    start, wait = world.processes.start, world.processes.wait_for_http

    def address(name: str) -> str:
        return environ[name].removeprefix("http://")

    start("monolith", ["legacy", "--listen", address("MONOLITH_URL")])
    start("ledger", ["service", "ledger", "--listen", address("LEDGER_URL")])
    start("facade", ["service", "facade", "--listen", address("FACADE_URL"), "--ledger", environ["LEDGER_URL"]])
    start("gateway", ["gateway"])
    wait("monolith", f"{environ['MONOLITH_URL']}/health.jsp")
    wait("ledger", f"{environ['LEDGER_URL']}/healthz")
    wait("gateway", f"{world.admin}/readyz")
    probe = world.cast.readable[0][1]
    wait("gateway", f"{world.gateway}/accounts/{probe}")
    wait("facade", f"{environ['FACADE_URL']}/accounts/{probe}")


def _both_stream(world: World) -> bool:
    """Both streams say that they stream; while their tables do not exist yet, they do not."""
    return _state(world.modern_url, "forward") == "streaming" and _state(world.legacy_url, "reverse") == "streaming"


def _state(url: str, direction: str) -> str:
    with psycopg.connect(url) as connection:
        if connection.execute("SELECT to_regclass('strangler.stream')").fetchone() == (None,):
            return ""
        row = connection.execute(
            "SELECT state FROM strangler.stream WHERE name = %s", (f"{CAPABILITY}:{direction}",)
        ).fetchone()
        return str(row[0]) if row else ""
