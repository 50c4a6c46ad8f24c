"""The world that is killed: two databases, monolith, ledger, facade, gateway, streams and clients, all restartable."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from time import monotonic, sleep
from typing import Any

import httpx
import msgspec
import psutil

from runbook.demo.cast import Cast, choose_cast
from runbook.demo.cluster import SETTINGS, Cluster
from runbook.demo.processes import Processes, free_port
from runbook.demo.world import Size, make_ledger, routes_of_the_product, seed_monolith
from tests.kill.crash import Orders
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
Names = tuple[str, ...]


@dataclass
class Command:
    """One command of the runbook that was started; `status` is None while it runs, negative after a signal."""

    number: int
    out: Path
    pid: int = 0
    status: int | None = None

    @property
    def output(self) -> str:
        return self.out.read_text(errors="replace") if self.out.exists() else ""


@dataclass
class World:
    """Everything of one world; `start` makes it, `close` ends it."""

    folder: Path
    bug: str = ""
    size: Size = SIZE
    think: float = 0.25
    histories: list[Path] = field(default_factory=list)

    def start(self) -> World:
        """Build it, up to the moment at which both streams run and the clients come."""
        self.legacy = Cluster(self.folder, "corebank", free_port(), SERVERS).start()
        self.modern = Cluster(self.folder, "ledger", free_port(), SERVERS).start()
        self.legacy_url, self.modern_url = (
            self.legacy.create_database("corebank"),
            self.modern.create_database("ledger"),
        )
        seed_monolith(self.legacy_url, self.size)
        make_ledger(self.legacy_url, self.modern_url)
        self.cast: Cast = choose_cast(self.legacy_url, self.size.clients, self.size.seed)
        self.relays = Relays()
        self._configure()
        for name in ("monolith", "ledger", "facade", "gateway", "sync"):
            self.revive(name)
        self.references_at_start = self._references()
        self._zygote()
        self.wait_ready()
        self.start_clients()
        return self

    def _configure(self) -> None:
        self.routes = self.folder / "routes.yaml"
        text = routes_of_the_product().read_text()
        for pattern, replacement in ROUTES_CHANGES:
            text, count = re.subn(pattern, replacement, text, count=1)
            assert count == 1, pattern
        self.routes.write_text(text)
        ports = {name: free_port() for name in ("monolith", "ledger", "facade", "listen", "admin")}
        self.http = {name: self.relays.open(ports[name]) for name in ("monolith", "facade", "ledger")}
        self.wires: dict[str, Relay] = {
            "legacy": self.relays.open(self.legacy.port),
            "modern": self.relays.open(self.modern.port),
        }
        self.addresses = {name: f"127.0.0.1:{port}" for name, port in ports.items()}
        self.gateway, self.admin = f"http://{self.addresses['listen']}", f"http://{self.addresses['admin']}"
        environ = {
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
            "PYTHONPATH": os.pathsep.join((str(ROOT / "tests/kill/bugs"), str(ROOT))) if self.bug else str(ROOT),
            "KILL_BUG": self.bug,
        }
        (self.folder / "run").mkdir(mode=0o700)
        through = {"LEGACY_DB": self._through("legacy"), "LEDGER_DB": self._through("modern")}
        self.processes = {
            name: Processes(self.folder, environ | (through if name == "sync" else {}))
            for name in ("monolith", "ledger", "facade", "gateway", "sync", "clients", "zygote")
        }

    def _through(self, side: str) -> str:
        url, cluster = (self.legacy_url, self.legacy) if side == "legacy" else (self.modern_url, self.modern)
        return url.replace(f"127.0.0.1:{cluster.port}/", f"127.0.0.1:{self.wires[side].port}/")

    @property
    def control(self) -> Path:
        """The runbook's SQLite database."""
        return self.folder / "control.db"

    @property
    def commands(self) -> dict[str, list[str]]:
        """How each process is started."""
        at = self.addresses
        return {
            "monolith": ["legacy", "--listen", at["monolith"]],
            "ledger": ["service", "ledger", "--listen", at["ledger"]],
            "facade": ["service", "facade", "--listen", at["facade"]],
            "gateway": ["gateway"],
            "sync": ["sync", "run", CAPABILITY],
        }

    def process(self, name: str) -> subprocess.Popen[bytes]:
        """The process of that name."""
        return self.processes[name].children[name].process

    def is_running(self, name: str) -> bool:
        """Whether it was started and has not ended."""
        children = self.processes[name].children
        return name in children and children[name].process.poll() is None

    def revive(self, name: str) -> None:
        """Start it if it does not run, as a service manager does."""
        if not self.is_running(name):
            self.processes[name].start(name, self.commands[name])

    def heal(self) -> None:
        """Let everything run again: what was stopped, what died, both databases."""
        for cluster in (self.legacy, self.modern):
            if cluster._process is None or cluster._process.poll() is not None:
                cluster._process = None
                (cluster._data / "postmaster.pid").unlink(missing_ok=True)
                cluster.start()
        for name in self.commands:
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
        import psycopg

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
        import psycopg

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
        self.processes["clients"].start(
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

    def _zygote(self) -> None:
        source = self.processes["zygote"]
        self.zygote = subprocess.Popen(
            [sys.executable, "-m", "tests.kill.zygote"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=(self.folder / "zygote.log").open("ab"),
            env=os.environ | source.environ,
            cwd=self.folder,
        )
        self.running: dict[int, Command] = {}
        self._buffer = b""
        assert self.zygote.stdout
        os.set_blocking(self.zygote.stdout.fileno(), False)
        deadline = monotonic() + 30
        while not self._hear():
            assert monotonic() < deadline, "the zygote does not start"
            sleep(0.01)

    def _hear(self) -> bool:
        assert self.zygote.stdout
        data = self.zygote.stdout.read()
        self._buffer += data or b""
        *lines, self._buffer = self._buffer.split(b"\n")
        for line in lines:
            said: dict[str, Any] = json.loads(line)
            if "pid" in said:
                self.running[said["id"]].pid = said["pid"]
            if "status" in said:
                self.running.pop(said["id"]).status = said["status"]
        return bool(lines)

    def command(self, *argv: str, orders: Orders | None = None) -> Command:
        """Start a command of the runbook as a process of its own."""
        number = self.__dict__.setdefault("_number", 0) + 1
        self._number = number
        command = Command(number, self.folder / f"command-{number % 40}.txt")
        command.out.unlink(missing_ok=True)
        self.running[number] = command
        asked = {"id": number, "argv": argv, "orders": orders or Orders(), "out": str(command.out)}
        assert self.zygote.stdin
        self.zygote.stdin.write(msgspec.json.encode(asked) + b"\n")
        self.zygote.stdin.flush()
        return command

    def wait(self, command: Command, seconds: float = 60.0) -> int:
        """Wait for its end; after the time it is killed, which is itself a finding."""
        deadline = monotonic() + seconds
        while command.status is None:
            if not self._hear():
                sleep(0.004)
            if monotonic() > deadline and command.pid:
                os.kill(command.pid, signal.SIGKILL)
                deadline += 10
        return command.status

    def run(self, *argv: str, seconds: float = 60.0) -> Command:
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

    def close(self) -> None:
        """End everything."""
        if hasattr(self, "zygote"):
            self.zygote.stdin.close()  # type: ignore[union-attr]
            self.zygote.wait(10)
            self.zygote.stdout.close()  # type: ignore[union-attr]
        for name in ("clients", "sync", "gateway", "facade", "ledger", "monolith"):
            for process in self.family(name):
                process.send_signal(signal.SIGCONT)
            if name == "clients" and self.is_running(name):
                self.process(name).kill()
            self.processes[name].stop_all()
        for cluster in (self.legacy, self.modern):
            cluster.stop(immediate=True)
        self.relays.close()


def answers(url: str) -> bool:
    """Whether that address answers 200."""
    try:
        return httpx.get(url, timeout=2.0, trust_env=False).status_code == 200
    except httpx.HTTPError:
        return False
