"""T82: workers die, tables change and the gateway drains under load, and no answer is wrong."""

from __future__ import annotations

import asyncio
import os
import signal
import time
from collections.abc import Awaitable, Callable
from pathlib import Path

import psutil
import pytest
import uvloop

from tests.support.gateway_process import GatewayProcess
from tests.support.load import Load, quick_upstream
from tests.support.waiting import wait_until

CONNECTIONS = 24
PAUSE_SECONDS = 0.01
WHOLE_SECONDS = 1.0


def _routes(path: Path, port: int, stage: str = "legacy") -> Path:
    path.write_text(
        f"version: 1\nupstreams: {{monolith: {{url: 'http://127.0.0.1:{port}'}}, ledger: {{url: 'http://127.0.0.1:{port}'}}}}\n"
        f"default: monolith\ncapabilities:\n  accounts: {{legacy: monolith, modern: ledger, stage: {stage}}}\n"
        "routes:\n  - {match: 'GET /n', capability: accounts}\n"
    )
    return path


async def _under_load(
    tmp_path: Path, workers: int, act: Callable[[GatewayProcess, Load, int], Awaitable[None]]
) -> Load:
    """Run `act` while the load runs; its last argument is the upstream's port."""
    listener, port = await quick_upstream(lambda: 0.004)
    try:
        routes = _routes(tmp_path / "routes.yaml", port)
        with await asyncio.to_thread(GatewayProcess(routes, workers=workers).__enter__) as gateway:
            load, stop = Load(int(gateway.url.rpartition(":")[2])), asyncio.Event()
            running = asyncio.get_running_loop().create_task(load.steady(CONNECTIONS, stop, PAUSE_SECONDS))
            try:
                await _until(lambda: load.done > 300, "the load runs")
                await act(gateway, load, port)
            finally:
                stop.set()
                await running
                load.close()
            await asyncio.to_thread(gateway.__exit__, None, None, None)
    finally:
        listener.close()  # a listener that is left open keeps uvloop from ending
    return load


async def _until(condition: Callable[[], bool], what: str, seconds: float = 20.0) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, what
        await asyncio.sleep(0.005)


def _ports_of(pid: int) -> set[int]:
    """The clients' ports of the connections that a worker holds."""
    return {
        one.raddr.port
        for one in psutil.Process(pid).net_connections("tcp")
        if one.raddr and one.status != psutil.CONN_LISTEN
    }


@pytest.mark.parametrize("which", [0, 1])
def test_t82_a_killed_worker_costs_what_was_in_flight_on_it(tmp_path: Path, which: int, variants: list[str]) -> None:
    found: dict[str, float] = {}

    async def kill(gateway: GatewayProcess, load: Load, _: int) -> None:
        await _until(lambda: bool(gateway.events("child.spare")), "a spare worker is there")
        pids = await asyncio.to_thread(gateway.worker_pids)
        victim = pids[which]
        os.kill(victim, signal.SIGSTOP)  # so that what is in flight on it can be counted
        held = _ports_of(victim)
        in_flight = len(held & set(load.sent_over))
        killed = time.monotonic()
        os.kill(victim, signal.SIGKILL)
        while psutil.pid_exists(victim) and time.monotonic() - killed < WHOLE_SECONDS:
            pass  # nothing is sent before it is gone, because it is this loop that sends
        await _until(lambda: bool(gateway.events("child.replaced")), "the worker is replaced")
        found["whole after"] = time.monotonic() - killed
        assert len(gateway.events("child.lost")) == 1
        await asyncio.to_thread(_until_whole, gateway)
        before = load.done
        await _until(lambda: load.done > before + 300, "the load goes on")
        found["in flight"] = in_flight
        found["last failure"] = max((failure.seen - killed for failure in load.failures), default=0.0)
        assert {failure.port for failure in load.failures} <= held

    load = uvloop.run(_under_load(tmp_path, 2, kill))
    assert load.wrong == 0
    assert len(load.failures) <= found["in flight"], (load.failures, found)
    assert found["whole after"] < WHOLE_SECONDS, found
    assert found["last failure"] < WHOLE_SECONDS, found
    variants.append("SIGKILL")


def _until_whole(gateway: GatewayProcess) -> None:
    def is_whole() -> bool:
        table = gateway.admin("/api/table")
        return len(table["workers"]) == 2 and all(
            worker.get("digest") == table["digest"] for worker in table["workers"]
        )

    wait_until(is_whole, "both workers have the table")


def test_t82_a_reload_under_load_fails_nothing(tmp_path: Path, variants: list[str]) -> None:
    async def reload(gateway: GatewayProcess, load: Load, port: int) -> None:
        for turn in range(8):
            digest = (await asyncio.to_thread(gateway.admin, "/api/table"))["digest"]
            _routes(tmp_path / "routes.yaml", port, "modern" if turn % 2 == 0 else "legacy")
            gateway.signal(signal.SIGHUP)
            await asyncio.to_thread(_until_other, gateway, digest)
            before = load.done
            await _until(lambda b=before: load.done > b + 50, "the load goes on")  # type: ignore[misc]
            variants.append("reload")

    load = uvloop.run(_under_load(tmp_path, 2, reload))
    assert (load.failures, load.wrong) == ([], 0)


def _until_other(gateway: GatewayProcess, digest: str) -> None:
    wait_until(lambda: gateway.admin("/api/table")["digest"] != digest, "another table is in force")


def test_t82_a_drain_under_load_answers_all_it_has_begun(tmp_path: Path, variants: list[str]) -> None:
    async def drain(gateway: GatewayProcess, load: Load, _: int) -> None:
        begun = time.monotonic()
        gateway.signal(signal.SIGTERM)
        assert await asyncio.to_thread(gateway.wait) == 0
        for failure in load.failures:
            # What failed was sent after the drain began: refused, or over a connection that was idle and being closed.
            assert failure.sent >= begun - 0.001, (failure, begun)

    load = uvloop.run(_under_load(tmp_path, 2, drain))
    assert load.wrong == 0
    variants.append("SIGTERM")
