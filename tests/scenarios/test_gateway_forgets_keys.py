"""What the gateway remembers does not grow with the keys, the heads and the answers that it has seen."""

from __future__ import annotations

import itertools
import socket

from tests.support.gateways import gateway
from tests.support.waiting import wait_until
from tests.support.wire import Client, Received, answer, upstream

ROUTES = """
version: 1
upstreams: {{monolith: {{url: "{legacy}"}}, ledger: {{url: "{modern}"}}}}
capabilities:
  accounts:
    {{legacy: monolith, modern: ledger, stage: canary, canary: {{percent: 50, key: "header:X-Id"}}, shadow: {{sample: 100%}}}}
routes:
  - {{match: "GET /accounts/{{id}}", capability: accounts}}
"""
WARM, KEYS, KEY_BYTES = 200, 1000, 8192


def test_memory_does_not_grow_with_distinct_keys_and_heads() -> None:
    numbers = itertools.count()

    def numbered(received: Received, sock: socket.socket) -> None:
        answer(b"same", extra=b"Date: today\r\nX-Number: %d\r\n" % next(numbers))(received, sock)

    with (
        upstream() as legacy,
        upstream() as modern,
        gateway(ROUTES.format(legacy=legacy.url, modern=modern.url), comparer=True) as gate,
        Client(gate.port) as http,
    ):
        legacy.respond = modern.respond = numbered

        def ask(count: int) -> None:
            for number in range(count):
                http.get("/accounts/1", f"X-Id: {number:0{KEY_BYTES}d}\r\nX-Number: {number}\r\n")

        ask(WARM)
        before = gate.memory_mib()
        ask(KEYS)
        assert gate.memory_mib() - before < KEYS * KEY_BYTES / 2**20 / 2  # half of what keeping the keys would take
        wait_until(lambda: gate.comparer is not None and gate.comparer.told == WARM + KEYS, "every pair is told")
        assert len({received.get("X-Id") for received in legacy.requests + modern.requests}) == KEYS
