#!/usr/bin/env python3
"""Measure the pause of writes that clients see in a cutover.

A whole world is built (two databases, monolith, ledger, facade, gateway, both streams), twenty clients each post ten
transfers a second through the gateway, and the capability moves to modern and back, again and again. A client's pause
is its longest wait for a write that was under way during the move. Every transfer must be acknowledged.

    python benchmarks/pause_bench.py --cutovers 30
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import re
import signal
import statistics
import subprocess
import sys
import time
from collections import defaultdict
from pathlib import Path

P99_MS, MEDIAN_MS = 250.0, 120.0
SETTLE_SECONDS = 0.7
PAUSED = ("hold", "fence", "drain", "spot verify", "sequences", "journal", "reverse", "stage", "release")
BAR = 50


class Wire:
    """One kept-alive connection that posts and reads answers with a Content-Length; nothing else is needed here."""

    def __init__(self, host: str, port: int) -> None:
        self.host, self.port = host, port
        self.reader: asyncio.StreamReader | None = None

    async def post(self, path: str, customer: str, body: bytes) -> tuple[int, bytes]:
        """Send and return status and body."""
        if self.reader is None:
            self.reader, self.writer = await asyncio.open_connection(self.host, self.port)
        head = (
            f"POST {path} HTTP/1.1\r\nHost: bank\r\nX-Customer-Id: {customer}\r\n"
            f"Content-Type: application/json\r\nContent-Length: {len(body)}\r\n\r\n"
        )
        self.writer.write(head.encode() + body)
        answer = await self.reader.readuntil(b"\r\n\r\n")
        length = re.search(rb"content-length: (\d+)", answer.lower())
        content = await self.reader.readexactly(int(length[1])) if length else b""
        return int(answer.split(b" ", 2)[1]), content


async def write_for_ever(cast_path: Path, out: Path, port: int, rate: float) -> None:
    """Every client of the cast posts at its own fixed times; each answer becomes a line: client, begin, seconds, ok."""
    from uuid import uuid4

    from runbook.demo.cast import Cast

    cast = Cast.load(cast_path)
    stop = asyncio.Event()
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, stop.set)
    with out.open("a") as file:

        async def client(number: int) -> None:
            actor, wire, due = cast.actors[number], Wire("127.0.0.1", port), time.monotonic()
            payees = cast.payees[actor.currency]
            turn = number
            due += number / len(cast.actors) / rate
            while not stop.is_set():
                await asyncio.sleep(max(0.0, due - time.monotonic()))
                due = max(due + 1 / rate, time.monotonic())
                body = {"ref": str(uuid4()), "to": payees[turn % len(payees)], "amt": "0.01", "txt": "bench"}
                turn += 7
                began = time.monotonic()
                status, content = await wire.post(
                    f"/accounts/{actor.account}/transfers", actor.customer, json.dumps(body).encode()
                )
                ok = status == 200 and json.loads(content).get("rc") == "00"
                file.write(f"{number} {began} {time.monotonic() - began} {int(ok)}\n")

        await asyncio.gather(*(client(number) for number in range(len(cast.actors))))


def measure(cutovers: int, rate: float, verbose: bool) -> int:
    """Build the world, move there and back, print the histogram; 0 if the numbers are reached and nothing failed."""
    from runbook.demo.workspace import Workspace
    from runbook.demo.world import Size, build, start_streams

    with Workspace("bench") as workspace:
        world = build(workspace.path, Size(), 0, lambda text: print(text, file=sys.stderr))
        try:
            start_streams(world)
            operator = Operator(world)
            operator.to_canary()
            out = workspace.path / "writes"
            cast = workspace.path / "cast.json"
            world.cast.save(cast)
            port = world.gateway.rpartition(":")[2]
            load = subprocess.Popen(
                [sys.executable, __file__, "--clients", str(cast), str(out), port, "--rate", str(rate)],
                env=os.environ | world.processes.environ,
            )
            time.sleep(3)
            windows, held, steps = [], [], defaultdict(list)
            for number in range(cutovers):
                kind = "advance" if number % 2 == 0 else "back"
                began = time.monotonic()
                outcome = operator.move(kind)
                windows.append((kind, began, time.monotonic()))
                held.append(outcome.pause_seconds * 1000)
                for event in outcome.events:
                    if event.result == "done":
                        steps[event.step].append(event.seconds * 1000)
                inside = sum(
                    event.seconds for event in outcome.events if event.step in PAUSED and event.result == "done"
                )
                steps["between"].append(held[-1] - inside * 1000)
                if verbose:
                    print(f"{kind}: held {held[-1]:.0f} ms", file=sys.stderr)
                time.sleep(SETTLE_SECONDS)
            load.terminate()
            load.wait(20)
            return report(out, windows, held, steps)
        finally:
            world.close()


class Operator:
    """Who runs the moves."""

    def __init__(self, world) -> None:
        self.world = world

    def to_canary(self) -> None:
        """As far as the cutover is the next step; the comparison's gate is waived, it needs other traffic than this."""
        from datetime import timedelta

        from config.reader import read_routes
        from runbook.advance import advance, waive
        from runbook.screen_sync import verify_each

        path = self.world.routes
        path.write_text(path.read_text().replace("shadow: {sample: 100%", "shadow: {sample: 1%"))
        for gate in ("comparison",):
            waive(path, "accounts", gate, lasting=timedelta(hours=2), reason="bench", actor="a", second="b")
        advance(path, "accounts", actor="a")
        verify_each(read_routes(path), "accounts", "both")
        advance(path, "accounts", percent=100, actor="a")

    def move(self, kind: str):
        """One cutover, or one way back."""
        from runbook import advance as moves

        return (moves.advance if kind == "advance" else moves.back)(self.world.routes, "accounts", actor="a")


def report(out: Path, windows, held, steps) -> int:
    """Print what was measured."""
    writes = [line.split() for line in out.read_text().splitlines() if line.count(" ") == 3]
    writes = [(int(client), float(began), float(seconds), ok == "1") for client, began, seconds, ok in writes]
    failed = sum(not ok for *_, ok in writes)
    span = max(w[1] for w in writes) - min(w[1] for w in writes)
    pauses = []
    for _, began, ended in windows:
        longest = defaultdict(float)
        for client, at, seconds, _ in writes:
            if at < ended and at + seconds > began:
                longest[client] = max(longest[client], seconds * 1000)
        pauses += longest.values()
    usual = sorted(w[2] * 1000 for w in writes)
    pauses.sort()
    p99, median = pauses[int(len(pauses) * 0.99)], statistics.median(pauses)
    print(f"{len(windows)} cutovers, {len(writes):,} writes ({len(writes) / span:.0f}/s), {failed} failed")
    print(f"any write: median {statistics.median(usual):.1f} ms, p99 {usual[int(len(usual) * 0.99)]:.1f} ms")
    print(f"held by the runbook's clock: median {statistics.median(held):.0f} ms, longest {max(held):.0f} ms")
    print("steps, median ms: " + ", ".join(f"{name} {statistics.median(took):.0f}" for name, took in steps.items()))
    print(f"pause that a client saw: median {median:.0f} ms, p99 {p99:.0f} ms, longest {pauses[-1]:.0f} ms")
    counts = defaultdict(int)
    for pause in pauses:
        counts[int(pause // 25)] += 1
    top = max(counts.values())
    for bucket in range(max(counts) + 1):
        print(f"{bucket * 25:>5}-{bucket * 25 + 25:<5} ms {counts[bucket]:>4}  {'#' * (counts[bucket] * BAR // top)}")
    reached = p99 <= P99_MS and median <= MEDIAN_MS and not failed
    print(
        f"limits: p99 {P99_MS:.0f} ms, median {MEDIAN_MS:.0f} ms, 0 failed: {'reached' if reached else 'NOT reached'}"
    )
    return 0 if reached else 1


def main() -> int:
    """Parse, and be the bench or its clients."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--cutovers", type=int, default=30)
    parser.add_argument("--rate", type=float, default=10.0, help="writes a second of each client")
    parser.add_argument("--verbose", action="store_true")
    parser.add_argument("--clients", nargs=3, metavar=("CAST", "OUT", "PORT"), help=argparse.SUPPRESS)
    chosen = parser.parse_args()
    if chosen.clients:
        cast, out, port = chosen.clients
        asyncio.run(write_for_ever(Path(cast), Path(out), int(port), chosen.rate))
        return 0
    return measure(chosen.cutovers, chosen.rate, chosen.verbose)


if __name__ == "__main__":
    sys.exit(main())
