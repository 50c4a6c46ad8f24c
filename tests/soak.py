"""`make soak`: a million requests with nonces through a worker to a hostile upstream; 0 answers to the wrong request."""

from __future__ import annotations

import argparse
import asyncio
import sys
import time

import uvloop

from tests.support.gateways import Gateway, gateway
from tests.support.hostile import CROSSING_SECONDS, HostileServer, Tally, clients

ROUTES = """
version: 1
upstreams: {{monolith: {{url: "http://127.0.0.1:{port}", timeout: 100ms, retries: 1, connections: 32}}}}
default: monolith
"""


async def soak(total: int, seed: int, every: int) -> tuple[Tally, HostileServer, list[float]]:
    """So many requests; what became of them, what the upstream did, and the worker's memory (MiB) on the way."""
    hostile = HostileServer(seed, late_seconds=0.1)
    listener, port = await hostile.listen()
    tally, memory = Tally(), []
    began = time.monotonic()
    mark = every
    with gateway(ROUTES.format(port=port), connections_per_client_max=1 << 20) as gate:

        def told(so_far: Tally) -> None:
            nonlocal mark
            if so_far.total >= mark:
                mark += every
                memory.append(gate.memory_mib())
                _tell(so_far, hostile, gate, time.monotonic() - began)

        await clients(gate.port, total, tally, seed, told)
        await asyncio.sleep(2 * CROSSING_SECONDS)  # the last ones in doubt
        memory.append(gate.memory_mib())
    listener.close()
    return tally, hostile, memory


def _tell(tally: Tally, hostile: HostileServer, gate: Gateway, seconds: float) -> None:
    line = f"{tally.total:>9} requests, {tally.right} right, {tally.wrong(hostile.crossed | hostile.in_doubt)} wrong, {gate.memory_mib():.1f} MiB, {seconds:.0f} s"
    sys.stderr.write(line + "\n")
    sys.stderr.flush()


def main() -> int:
    """0 if no answer went to the wrong request, nothing hung and nothing that left was malformed."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--requests", type=int, default=1_000_000)
    parser.add_argument("--seed", type=int, default=int(time.monotonic() * 1000) % 1_000_000)
    chosen = parser.parse_args()
    sys.stderr.write(f"seed {chosen.seed}\n")
    tally, hostile, memory = uvloop.run(soak(chosen.requests, chosen.seed, max(1, chosen.requests // 50)))
    wrong = tally.wrong(hostile.crossed)
    verdict = {
        "requests": tally.total, "answered right": tally.right, "answered wrong": wrong, "malformed": tally.malformed,
        "hung": tally.hung, "failed": dict(tally.failed), "client connections": tally.connections,
        "upstream connections": hostile.connections, "upstream acts": dict(hostile.acts), "forwarded dirty": hostile.dirty,
        "unasked answers": hostile.unasked, "of them crossed a request": len(hostile.crossed), "and were given to it": len(tally.wrong_nonces) - wrong,
        "worker MiB first, last": (round(memory[0], 1), round(memory[-1], 1)),
    }  # fmt: skip
    for name, value in verdict.items():
        sys.stdout.write(f"{name}: {value}\n")
    sys.stdout.write(
        f"at 95 % the rate of wrong answers is below {3 / tally.total:.1e}\n" if not wrong else "WRONG ANSWERS\n"
    )
    return 1 if wrong or tally.malformed or tally.hung or hostile.dirty else 0


if __name__ == "__main__":
    sys.exit(main())
