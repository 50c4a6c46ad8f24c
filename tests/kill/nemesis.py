"""What is done to the world while a command runs: one fault at one moment."""

from __future__ import annotations

import random
import signal
import threading
from collections.abc import Callable
from time import sleep

import psutil
import psycopg

from tests.kill.world import CAPABILITY, World

Fault = Callable[[World, random.Random], None]
LOST_ANSWERS, LOST_ANSWER_SECONDS = 6, 0.25
WALSENDERS = "SELECT pid FROM pg_stat_replication"


def _kill(name: str) -> Fault:
    def fault(world: World, _chance: random.Random) -> None:
        if world.is_running(name):
            world.process(name).kill()
            world.process(name).wait(10)
        if name == "gateway":
            _wait_for_orphans(world)

    return fault


def _restart(name: str) -> Fault:
    """It is killed, and whoever manages services starts it at once, while the command goes on."""
    kill = _kill(name)

    def fault(world: World, chance: random.Random) -> None:
        kill(world, chance)
        world.revive(name)

    return fault


def _wait_for_orphans(world: World) -> None:
    """Workers whose supervisor died drain and end; the next gateway needs their port."""
    port = int(world.addresses["listen"].rpartition(":")[2])
    for _ in range(400):
        owners = [
            c.pid for c in psutil.net_connections("tcp") if c.status == "LISTEN" and c.laddr and c.laddr.port == port
        ]
        if not owners:
            return
        sleep(0.02)


def _kill_worker(world: World, chance: random.Random) -> None:
    workers = [p for p in world.family("gateway")[1:] if "gateway.worker" in " ".join(p.cmdline())]
    if workers:
        chance.choice(workers).kill()


def _kill_comparer(world: World, _chance: random.Random) -> None:
    for process in world.family("gateway")[1:]:
        if "gateway.comparer" in " ".join(process.cmdline()):
            process.kill()


def _freeze(name: str) -> Fault:
    def fault(world: World, chance: random.Random) -> None:
        frozen = world.family(name)
        for process in frozen:
            process.send_signal(signal.SIGSTOP)

        def thaw() -> None:
            for process in frozen:
                if process.is_running():
                    process.send_signal(signal.SIGCONT)

        threading.Timer(chance.uniform(0.3, 2.5), thaw).start()

    return fault


def _stop_database(side: str) -> Fault:
    def fault(world: World, _chance: random.Random) -> None:
        cluster = world.legacy if side == "legacy" else world.modern
        cluster.stop(immediate=True)
        cluster.start()

    return fault


def _kill_postmaster(side: str) -> Fault:
    def fault(world: World, _chance: random.Random) -> None:
        cluster = world.legacy if side == "legacy" else world.modern
        family = [psutil.Process(cluster.pid), *psutil.Process(cluster.pid).children()]
        for process in family:
            process.kill()
        psutil.wait_procs(family[1:], timeout=10)
        if cluster._process:
            cluster._process.wait(10)
        cluster._process = None
        (cluster._data / "postmaster.pid").unlink(missing_ok=True)
        cluster.start()

    return fault


def _walsender(side: str, *, crash: bool) -> Fault:
    def fault(world: World, _chance: random.Random) -> None:
        url = world.legacy_url if side == "legacy" else world.modern_url
        with psycopg.connect(url, autocommit=True) as connection:
            for (pid,) in connection.execute(WALSENDERS).fetchall():
                if crash:
                    psutil.Process(pid).kill()  # the server takes all its sessions down with it, and recovers
                    return
                connection.execute("SELECT pg_terminate_backend(%s)", (pid,))

    return fault


def _terminate_runbook(side: str) -> Fault:
    def fault(world: World, _chance: random.Random) -> None:
        url = world.legacy_url if side == "legacy" else world.modern_url
        with psycopg.connect(url, autocommit=True) as connection:
            connection.execute(
                "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = 'strangler-runbook'"
            )

    return fault


def _cut_stream(side: str) -> Fault:
    def fault(world: World, chance: random.Random) -> None:
        world.relays.cut_after(world.wires[side], "answer", chance.randint(1, 6000))

    return fault


def _cut_http(name: str, direction: str) -> Fault:
    def fault(world: World, chance: random.Random) -> None:
        world.relays.cut_after(
            world.http[name], "answer" if direction == "answer" else "request", chance.randint(1, 900)
        )

    return fault


def _break_http(name: str) -> Fault:
    return lambda world, _chance: world.relays.break_all(world.http[name])


def _lose_answers(world: World, _chance: random.Random) -> None:
    """What was asked is done, and the connection breaks before the first byte of the answer: again and again, everywhere."""
    for _ in range(LOST_ANSWERS):
        for relay in world.http.values():
            world.relays.cut_after(relay, "answer", 0)
        sleep(LOST_ANSWER_SECONDS)


def _batch(world: World, _chance: random.Random) -> None:
    """The monolith's interest job, straight into the database, past the gateway."""
    import httpx

    try:
        httpx.post(f"http://{world.addresses['monolith']}/sys/job/INTCALC", timeout=20, trust_env=False)
    except httpx.HTTPError:
        return


def _touch_routes(world: World, _chance: random.Random) -> None:
    """A person edits another part of routes.yaml."""
    world.routes.write_text(world.routes.read_text() + "# a hand was here\n")


def _another_operator(world: World, _chance: random.Random) -> None:
    """Somebody else gives the same command meanwhile, to its end."""
    world.run("advance" if world.stage == "canary" else "back", CAPABILITY, "--yes", "--as", "sam", seconds=30)


FAULTS: dict[str, Fault] = {
    **{f"kill {name}": _kill(name) for name in ("gateway", "sync", "monolith", "ledger", "facade", "clients")},
    **{f"restart {name}": _restart(name) for name in ("gateway", "sync", "monolith", "ledger", "facade")},
    "kill worker": _kill_worker,
    "kill comparer": _kill_comparer,
    **{f"freeze {name}": _freeze(name) for name in ("gateway", "sync", "monolith", "ledger", "facade")},
    **{f"stop {side}": _stop_database(side) for side in ("legacy", "modern")},
    **{f"kill postmaster {side}": _kill_postmaster(side) for side in ("legacy", "modern")},
    **{f"end walsender {side}": _walsender(side, crash=False) for side in ("legacy", "modern")},
    **{f"kill walsender {side}": _walsender(side, crash=True) for side in ("legacy", "modern")},
    **{f"end runbook's session {side}": _terminate_runbook(side) for side in ("legacy", "modern")},
    **{f"cut stream {side}": _cut_stream(side) for side in ("legacy", "modern")},
    "cut answers of monolith": _cut_http("monolith", "answer"),
    "cut answers of facade": _cut_http("facade", "answer"),
    "cut requests to monolith": _cut_http("monolith", "request"),
    "cut answers of ledger": _cut_http("ledger", "answer"),
    "lose answers": _lose_answers,
    "break monolith": _break_http("monolith"),
    "break facade": _break_http("facade"),
    "batch job": _batch,
    "another operator": _another_operator,
    "edit routes.yaml": _touch_routes,
}
