"""The world that is killed: two databases, monolith, ledger, facade, gateway, streams and clients, all restartable."""

from __future__ import annotations

import os
import re
import signal
import subprocess
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from time import monotonic, sleep

import httpx
import psutil
import psycopg

from runbook.demo.cast import Cast, choose_cast
from runbook.demo.cluster import SETTINGS, Cluster
from runbook.demo.processes import Processes, free_port
from runbook.demo.world import Size, make_ledger, routes_of_the_product, seed_monolith
from tests.kill.crash import Orders
from tests.kill.forks import Fork, Forks
from tests.kill.prepared import Prepared
from tests.kill.relay import Relay, Relays

CAPABILITY = "accounts"
SIZE = Size(customers=150, accounts=400, history=800, clients=4)
ROOT = Path(__file__).resolve().parents[2]
SERVERS = SETTINGS | {"track_commit_timestamp": "on", "shared_buffers": "32MB", "restart_after_crash": "on"}
ROUTES_CHANGES = (
    (r"stage: legacy ", "stage: canary "),
    (r"canary: \{percent: 10,", "canary: {percent: 100,"),
    (r"workers: 1\b", "workers: 2"),
    (r"mismatch_rate: 1%", "mismatch_rate: 50%"),
    (r"lag: 2s", "lag: 10s"),
)
SERVICES = ("monolith", "ledger", "facade", "gateway", "sync")


@dataclass
class World:
    """Everything of one world; `start` makes it, `close` ends it."""

    folder: Path
    bug: str = ""
    size: Size = SIZE
    think: float = 0.25
    histories: list[Path] = field(default_factory=list)
    services: dict[str, Fork] = field(default_factory=dict)
    _commands: int = 0

    def start(self, prepared: Prepared | None = None) -> World:
        """Build it, or take what was prepared, up to the moment at which both streams run."""
        self._configure(prepared)
        self.forks = Forks(self.folder, self.environ)
        if prepared:
            prepared.fill(self.folder)
            self.cast: Cast = prepared.cast
        for cluster in (self.legacy, self.modern):
            cluster.start()
        if not prepared:
            self._seed()
        self.forks.wait_ready()
        for name in SERVICES:
            self.revive(name)
        self.references_at_start = self._references()
        self.wait_ready()
        return self

    def _seed(self) -> None:
        for cluster in (self.legacy, self.modern):
            cluster.create_database(cluster.name)
        seed_monolith(self.legacy_url, self.size)
        make_ledger(self.legacy_url, self.modern_url)
        self.cast = choose_cast(self.legacy_url, self.size.clients, self.size.seed)

    def _configure(self, prepared: Prepared | None) -> None:
        self.legacy, self.modern = (Cluster(self.folder, name, free_port(), SERVERS) for name in ("corebank", "ledger"))
        if prepared:
            prepared.lend_passwords(self.legacy, self.modern)
        self.legacy_url, self.modern_url = self.legacy.url("corebank"), self.modern.url("ledger")
        self.routes = self.folder / "routes.yaml"
        text = routes_of_the_product().read_text()
        for pattern, replacement in ROUTES_CHANGES:
            text, count = re.subn(pattern, replacement, text, count=1)
            assert count == 1, pattern
        self.routes.write_text(text)
        ports = {name: free_port() for name in ("monolith", "ledger", "facade", "listen", "admin")}
        self.relays = Relays()
        self.http = {name: self.relays.open(ports[name]) for name in ("monolith", "facade", "ledger")}
        self.wires: dict[str, Relay] = {
            "legacy": self.relays.open(self.legacy.port),
            "modern": self.relays.open(self.modern.port),
        }
        self.addresses = {name: f"127.0.0.1:{port}" for name, port in ports.items()}
        self.gateway, self.admin = f"http://{self.addresses['listen']}", f"http://{self.addresses['admin']}"
        if not prepared:
            (self.folder / "run").mkdir(mode=0o700)
        self.clients = Processes(self.folder, self.environ)

    @property
    def environ(self) -> dict[str, str]:
        """The environment of every process; that of the streams leads through relays to the databases."""
        bugs = (str(ROOT / "tests/kill/bugs"),) if self.bug else ()
        return {
            "STRANGLER_ROUTES": str(self.routes),
            "STRANGLER_HOME": str(ROOT),
            "STRANGLER_RUN": str(self.folder / "run"),
            "LEGACY_DB": self.legacy_url,
            "LEDGER_DB": self.modern_url,
            "CONTROL_DB": f"sqlite:///{self.control}",
            "GATEWAY_LISTEN": self.addresses["listen"],
            "GATEWAY_ADMIN": self.addresses["admin"],
            "MONOLITH_URL": f"http://127.0.0.1:{self.http['monolith'].port}",
            "FACADE_URL": f"http://127.0.0.1:{self.http['facade'].port}",
            "LEDGER_URL": f"http://127.0.0.1:{self.http['ledger'].port}",
            "PYTHONPATH": os.pathsep.join((*bugs, str(ROOT))),
            "KILL_BUG": self.bug,
        }

    def _through_relays(self) -> dict[str, str]:
        return {
            "LEGACY_DB": self.legacy_url.replace(f":{self.legacy.port}/", f":{self.wires['legacy'].port}/"),
            "LEDGER_DB": self.modern_url.replace(f":{self.modern.port}/", f":{self.wires['modern'].port}/"),
        }

    @property
    def control(self) -> Path:
        """The runbook's SQLite database."""
        return self.folder / "control.db"

    @property
    def commands(self) -> dict[str, tuple[str, ...]]:
        """How each service is started."""
        at = self.addresses
        return {
            "monolith": ("legacy", "--listen", at["monolith"]),
            "ledger": ("service", "ledger", "--listen", at["ledger"]),
            "facade": ("service", "facade", "--listen", at["facade"]),
            "gateway": ("gateway",),
            "sync": ("sync", "run", CAPABILITY),
        }

    def process(self, name: str) -> Fork | subprocess.Popen[bytes]:
        """The process of that name."""
        return self.clients.children[name].process if name == "clients" else self.services[name]

    def is_running(self, name: str) -> bool:
        """Whether it was started and has not ended."""
        started = self.clients.children if name == "clients" else self.services
        return name in started and self.process(name).poll() is None

    def revive(self, name: str) -> None:
        """Start it if it does not run, as a service manager does."""
        if not self.is_running(name):
            environ = self._through_relays() if name == "sync" else {}
            self.services[name] = self.forks.start(self.commands[name], self.folder / f"{name}.log", environ)

    def heal(self) -> None:
        """Let everything run again: what was stopped, what died, both databases, and connections that were to be cut."""
        self.relays.spare()
        for cluster in (self.legacy, self.modern):
            if cluster._process is None or cluster._process.poll() is not None:
                cluster._process = None
                (cluster._data / "postmaster.pid").unlink(missing_ok=True)
                cluster.start()
        for name in SERVICES:
            for process in self.family(name):
                process.send_signal(signal.SIGCONT)
            self.revive(name)
        if not self.is_running("clients"):
            self.start_clients()

    def family(self, name: str) -> list[psutil.Process]:
        """A process and its children."""
        if not self.is_running(name):
            return []
        try:
            parent = psutil.Process(self.process(name).pid)
            return [parent, *parent.children(recursive=True)]
        except psutil.NoSuchProcess:
            return []

    def wait_ready(self, seconds: float = 40.0) -> None:
        """Wait until every process serves and both streams run."""
        probe = f"/accounts/{self.cast.readable[0][1]}"
        checks: dict[str, Callable[[], bool]] = {
            "monolith": lambda: answers(f"http://{self.addresses['monolith']}/health.jsp"),
            "ledger": lambda: answers(f"http://{self.addresses['ledger']}/healthz"),
            "facade": lambda: answers(f"http://{self.addresses['facade']}{probe}"),
            "gateway": lambda: answers(f"{self.admin}/readyz") and answers(f"{self.gateway}{probe}"),
            "sync": self.both_stream,
        }
        deadline = monotonic() + seconds
        for name, check in checks.items():
            while not check():
                if not self.is_running(name):
                    self.revive(name)
                if monotonic() > deadline:
                    log = (self.folder / f"{name}.log").read_text(errors="replace")[-1500:]
                    raise TimeoutError(f"{name} does not serve: {log}")
                sleep(0.05)

    def both_stream(self) -> bool:
        """Whether the program itself says that both streams run."""
        try:
            for url, direction in ((self.modern_url, "forward"), (self.legacy_url, "reverse")):
                with psycopg.connect(url, connect_timeout=2) as connection:
                    row = connection.execute(
                        "SELECT state, clock_timestamp() - heartbeat_at < interval '4 s' FROM strangler.stream "
                        "WHERE name = %s",
                        (f"{CAPABILITY}:{direction}",),
                    ).fetchone()
                    if row is None or row[0] != "streaming" or not row[1]:
                        return False
        except psycopg.Error:
            return False
        return True

    def _references(self) -> frozenset[str]:
        with psycopg.connect(self.legacy_url) as connection:
            return frozenset(row[0] for row in connection.execute("SELECT trn_ref FROM trnhist"))

    def start_clients(self) -> None:
        """Let clients come, with a history of their own."""
        cast = self.folder / "cast.json"
        self.cast.save(cast)
        history = self.folder / f"history-{len(self.histories)}.jsonl"
        history.touch()
        self.histories.append(history)
        self.state.unlink(missing_ok=True)
        self.clients.start(
            "clients",
            ["-m", "tests.kill.clients", str(cast), str(history), self.gateway, str(self.state), str(self.think)],
        )

    @property
    def state(self) -> Path:
        """Where the clients say whether they rest."""
        return self.folder / "clients.state"

    def rest(self, seconds: float = 25.0) -> bool:
        """Let the clients finish what they do; whether all of them came to rest in time."""
        deadline = monotonic() + seconds
        while monotonic() < deadline:
            if self.is_running("clients") and self.state.exists():
                self.process("clients").send_signal(signal.SIGUSR1)
                if self.state.read_text() == "resting":
                    return True
            sleep(0.02)
        return False

    def go_on(self) -> None:
        """Let them work again."""
        self.process("clients").send_signal(signal.SIGUSR2)

    def command(self, *argv: str, orders: Orders | None = None) -> Fork:
        """Start a command of the runbook."""
        self._commands += 1
        out = self.folder / f"command-{self._commands % 40}.txt"
        out.unlink(missing_ok=True)
        return self.forks.start(argv, out, orders=orders or Orders())

    def wait(self, command: Fork, seconds: float = 60.0) -> int:
        """Wait for its end; after the time it is killed, which is itself a finding."""
        try:
            return command.wait(seconds)
        except TimeoutError:
            command.kill()
            return command.wait(10)

    def run(self, *argv: str, seconds: float = 60.0) -> Fork:
        """Run a command to its end."""
        command = self.command(*argv)
        self.wait(command, seconds)
        return command

    @property
    def stage(self) -> str:
        """The stage in the file, read without the program."""
        found = re.search(r"^  accounts:\n(?:    .*\n)*?    stage: (\w+)", self.routes.read_text(), re.MULTILINE)
        assert found, "routes.yaml has no stage"
        return found[1]

    def stop(self) -> None:
        """End every process and both databases in good order, so that the folder can be copied."""
        for name in reversed(SERVICES):
            if self.is_running(name):
                self.process(name).send_signal(signal.SIGTERM)
        for name in reversed(SERVICES):
            self.services[name].wait(20)
        for cluster in (self.legacy, self.modern):
            cluster.stop()

    def close(self) -> None:
        """End everything at once; nothing of it is needed any more."""
        for name in ("clients", *reversed(SERVICES)):
            for process in self.family(name):
                with suppress(psutil.NoSuchProcess):
                    process.kill()
        self.clients.stop_all()
        if hasattr(self, "forks"):
            self.forks.close()
        for cluster in (self.legacy, self.modern):
            cluster.stop(immediate=True)
        self.relays.close()


def answers(url: str) -> bool:
    """Whether that address answers 200."""
    try:
        return httpx.get(url, timeout=2.0, trust_env=False).status_code == 200
    except httpx.HTTPError:
        return False
