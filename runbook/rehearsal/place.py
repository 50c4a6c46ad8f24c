"""Where a rehearsal takes place: two throw-away databases with copies, streams, a second gateway, traffic."""

from __future__ import annotations

import json
import shutil
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from time import monotonic, sleep
from typing import Any

import msgspec

from config.errors import StranglerError
from config.model import Capability
from runbook.demo.cluster import Cluster
from runbook.demo.processes import Processes, free_port
from runbook.demo.workspace import Workspace
from runbook.rehearsal import copies, traffic
from runbook.sides import Sides, connect_to

LEGACY_VARIABLE, MODERN_VARIABLE = "STRANGLER_REHEARSAL_LEGACY", "STRANGLER_REHEARSAL_MODERN"
ROOM_FACTOR, ROOM_BYTES = 4, 1 << 30  # both sides, indexes, the log, sorting; and two empty servers
POLL_SECONDS, TELL_SECONDS = 0.5, 10.0
ROUTES = """\
version: 1
gateway: {{listen: "127.0.0.1:{listen}", admin: "127.0.0.1:{admin}"}}
databases:
  control: {{url: "sqlite:///control.db"}}
  legacy: {{url: "${{{legacy_variable}}}"}}
  modern: {{url: "${{{modern_variable}}}"}}
upstreams:
  legacy: {{url: "http://127.0.0.1:{legacy_port}"}}
  modern: {{url: "http://127.0.0.1:{modern_port}"}}
capabilities:
  {name}:
    legacy: legacy
    modern: modern
    stage: canary
    canary: {{percent: 50, key: client}}
    sync: {{source: legacy, target: modern, mappings: {mappings}}}
    gates: {{lag: {lag}s}}
    writers: [{writer}]
routes:
  - {{match: "POST /rehearsal", capability: {name}}}
"""


@dataclass(eq=False)
class NoRoom(StranglerError):
    """There is not enough space for the copies."""

    folder: Path
    needed_bytes: int
    free_bytes: int

    @property
    def sentence(self) -> str:
        """How much is needed, and how much there is."""
        needed, free = (f"{number / (1 << 20):,.0f} MiB" for number in (self.needed_bytes, self.free_bytes))
        return f"The copies need about {needed} in {self.folder}, and {free} are free."

    @property
    def hint(self) -> str:
        """Another folder."""
        return "Name a folder with more room: strangler rehearse ... --folder PATH (or TMPDIR)."


@dataclass(eq=False)
class CommandFailed(StranglerError):
    """A command that is rehearsed did not succeed."""

    command: str
    reason: str

    @property
    def sentence(self) -> str:
        """Which, and what it said."""
        return f"In the rehearsal `{self.command}` failed: {self.reason}"

    @property
    def hint(self) -> str:
        """What it means."""
        return "It would most likely fail on the real databases too; nothing of the real ones was touched."


@dataclass
class Place:
    """Everything runs; `run` calls the program's own commands on the copies."""

    folder: Path
    name: str
    processes: Processes
    copied: copies.Copied

    @property
    def waits(self) -> Path:
        """What the clients waited for, a line a write."""
        return self.folder / "waits"

    def run(self, *words: str, may_block: bool = False) -> dict[str, Any]:
        """Run `strangler WORDS` and return its JSON. Raises CommandFailed."""
        self.processes.check()
        command = [sys.executable, "-m", "runbook.cli", *words]
        done = subprocess.run(
            command, env=self.processes.full_environ, cwd=self.folder, capture_output=True, text=True, check=False
        )
        if done.returncode and not (may_block and done.returncode == 3):
            said = done.stderr.strip().splitlines()
            raise CommandFailed(" ".join(["strangler", *words]), " / ".join(said[-4:])[-800:] or "it said nothing.")
        loaded = json.loads(done.stdout) if done.stdout.lstrip().startswith("{") else {}
        return dict(loaded)

    def begin_traffic(self) -> None:
        """Let the clients come."""
        self.processes.children["traffic"].process.send_signal(signal.SIGUSR1)

    def wait_for_streams(self, say: Callable[[str], None]) -> None:
        """Wait until both stream, for as long as the backfill takes. Raises ProcessFailed when their process ends."""
        began = told = monotonic()
        while True:
            self.processes.check()
            (board,) = self.run("status", self.name, "--json")["capabilities"]
            states = [stream["state"] for stream in board["streams"]]
            if states == ["streaming", "streaming"]:
                say(f"both streams run; the backfill took {monotonic() - began:.1f} s")
                return
            if monotonic() - told > TELL_SECONDS:
                told = monotonic()
                say(f"the streams are made: {', '.join(states)}, {told - began:.0f} s")
            sleep(POLL_SECONDS)


@contextmanager
def take_place(
    sides: Sides,
    name: str,
    capability: Capability,
    load: tuple[int, float],
    base: Path | None,
    say: Callable[[str], None],
) -> Iterator[Place]:
    """Make the copies and start everything; all of it is gone afterwards, however it ends.

    `load` is the number of clients and their writes a second. Raises NotInvertible, NoRoom, TypeUnknown, ClusterFailed,
    ProcessFailed.
    """
    for mapping in sides.mappings:
        mapping.reverse()  # without a way back there is no cutover, and nothing to rehearse
    shapes = {side: copies.shapes_of(side.conn, side.tables) for side in (sides.legacy, sides.modern)}
    needed = ROOM_BYTES + ROOM_FACTOR * sum(shape.size_bytes for shape in shapes[sides.legacy])
    with ExitStack() as stack:
        workspace = stack.enter_context(Workspace("rehearsal", base))
        free = shutil.disk_usage(workspace.path).free
        if free < needed:
            raise NoRoom(workspace.path.parent, needed, free)
        say(f"copying to {workspace.path}, which is removed at the end")
        urls = {}
        copied = []
        for side in (sides.legacy, sides.modern):
            cluster = Cluster(workspace.path, side.home).start()
            stack.callback(cluster.stop, immediate=True)
            urls[side.home] = cluster.create_database("copy")
            with connect_to(urls[side.home], f"the copy of {side.database}") as target:
                # Modern's rows come by the backfill, as they did in reality: that is rehearsed too.
                copied.append(copies.copy_tables(side.conn, target, shapes[side], say, rows=side.home == "legacy"))
        environ = {LEGACY_VARIABLE: urls["legacy"], MODERN_VARIABLE: urls["modern"]}
        place = _start(workspace.path, name, capability, sides, load, environ)
        stack.callback(place.processes.stop_all)
        place.copied = copies.Copied(copied[0].rows, copied[0].size_bytes, (*copied[0].left_out, *copied[1].left_out))
        yield place


def _start(
    folder: Path, name: str, capability: Capability, sides: Sides, load: tuple[int, float], environ: dict[str, str]
) -> Place:
    assert capability.sync is not None  # noqa: S101  # there are sides
    listen, admin, legacy_port, modern_port = (free_port() for _ in range(4))
    text = ROUTES.format(
        listen=listen,
        admin=admin,
        legacy_variable=LEGACY_VARIABLE,
        modern_variable=MODERN_VARIABLE,
        legacy_port=legacy_port,
        modern_port=modern_port,
        name=json.dumps(name),
        mappings=json.dumps(str(capability.sync.mappings)),
        lag=capability.gates.lag,
        writer=traffic.APPLICATION_NAME,
    )
    (folder / "routes.yaml").write_text(text)
    mapping = sides.mappings[0]
    orders = traffic.Orders(
        sides=(
            traffic.Side(
                legacy_port, LEGACY_VARIABLE, tuple(mapping.source_table.split(".")), tuple(mapping.source_key)
            ),
            traffic.Side(modern_port, MODERN_VARIABLE, tuple(mapping.target_table.split(".")), tuple(mapping.key)),
        ),
        gateway_port=listen,
        clients=load[0],
        rate=load[1],
        out=str(folder / "waits"),
    )
    (folder / "traffic.json").write_bytes(msgspec.json.encode(orders))
    own = {"STRANGLER_ROUTES": str(folder / "routes.yaml"), "STRANGLER_RUN": str(folder / "run")}
    processes = Processes(folder, {**environ, **own})
    place = Place(folder, name, processes, copies.Copied({}, 0, ()))
    try:
        processes.start("traffic", ["-m", "runbook.rehearsal.traffic", str(folder / "traffic.json")])
        processes.start("gateway", ["gateway"])
        processes.start("sync", ["sync", "run", name])
        processes.wait_for_http("gateway", f"http://127.0.0.1:{admin}/readyz")
    except BaseException:
        processes.stop_all()
        raise
    return place
