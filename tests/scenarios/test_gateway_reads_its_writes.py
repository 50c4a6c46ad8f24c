"""A client that has written is never shown an older balance: over workers by shared memory, over gateways by a cookie."""

from __future__ import annotations

import socket
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import httpx
import psycopg
import pytest

from tests.support.gateway_process import GatewayProcess
from tests.support.waiting import wait_until
from tests.support.wire import Received, Upstream, answer, upstream

STREAM = """
CREATE SCHEMA strangler;
CREATE TABLE strangler.stream (name text PRIMARY KEY, position pg_lsn, mode text, state text);
INSERT INTO strangler.stream VALUES ('accounts:forward', 'F/0', 'apply', 'streaming');
"""
TEXT = """
version: 1
databases: {{legacy: {{url: "{legacy_db}"}}, ledger: {{url: "{modern_db}"}}}}
upstreams: {{monolith: {{url: "{legacy}"}}, ledger: {{url: "{modern}"}}}}
capabilities:
  accounts:
    legacy: monolith
    modern: ledger
    stage: canary
    canary: {{percent: 100, key: "header:X-Customer-Id"{cookie}}}
    {sync}
routes:
  - {{match: "* /accounts/{{id}}", capability: accounts}}
"""
SYNC = "sync: {source: legacy, target: ledger, mappings: mappings}"
KEY = {"X-Customer-Id": "ada"}


class Bank:
    """Both sides: legacy books, and modern shows what has arrived there."""

    def __init__(self, legacy: Upstream, modern: Upstream, databases: tuple[str, str]) -> None:
        self.booked = self.arrived = 0
        self.legacy_url, self.modern_url = legacy.url, modern.url
        self.legacy_db, self.modern_db = databases
        legacy.respond = self._at_legacy
        modern.respond = self._at_modern

    def _at_legacy(self, received: Received, sock: socket.socket) -> None:
        self.booked += received.method == b"POST"
        answer(b"%d legacy" % self.booked)(received, sock)

    def _at_modern(self, received: Received, sock: socket.socket) -> None:
        answer(b"%d modern" % self.arrived)(received, sock)

    def stream(self, position: str) -> None:
        """The stream stands still at 0/0, and has applied everything at F/0."""
        if position == "F/0":
            self.arrived = self.booked
        with psycopg.connect(self.modern_db, autocommit=True) as connection:
            connection.execute("UPDATE strangler.stream SET position = %s", (position,))

    def routes(self, folder: Path, *, cookie: bool, sync: bool = True) -> Path:
        folder.mkdir()
        path = folder / "routes.yaml"
        sides = {"legacy": self.legacy_url, "modern": self.modern_url}
        databases = {"legacy_db": self.legacy_db, "modern_db": self.modern_db}
        options = {"cookie": ", cookie: fresh" if cookie else "", "sync": SYNC if sync else ""}
        path.write_text(TEXT.format(**sides, **databases, **options))
        return path


@pytest.fixture
def bank(legacy_db: str, modern_db: str) -> Iterator[Bank]:
    with psycopg.connect(modern_db, autocommit=True) as connection:
        connection.execute(STREAM)
    with upstream() as legacy, upstream() as modern:
        yield Bank(legacy, modern, (legacy_db, modern_db))


def shown(client: httpx.Client, gate: GatewayProcess) -> str:
    return client.get(f"{gate.url}/accounts/1", headers=KEY).text


def until_fresh(client: httpx.Client, gate: GatewayProcess) -> None:
    wait_until(lambda: shown(client, gate).endswith("modern"), "everything has arrived", 20)


def stale_reads(bank: Bank, writer: GatewayProcess, reader: GatewayProcess, client: httpx.Client) -> int:
    """Three times: write while the stream stands still, then read; how many reads show less than was written."""
    stale = 0
    for _ in range(3):
        bank.stream("0/0")
        assert client.post(f"{writer.url}/accounts/1", headers=KEY).is_success
        stale += int(shown(client, reader).split()[0]) < bank.booked
        bank.stream("F/0")
        wait_until(lambda: shown(client, reader) == f"{bank.booked} modern", "modern answers when it has the write")
    return stale


def test_over_gateways_reads_are_stale_without_the_cookie_and_never_with_it(bank: Bank, tmp_path: Path) -> None:
    for cookie, expected in ((False, 3), (True, 0)):
        with ExitStack() as stack:
            paths = [bank.routes(tmp_path / f"{name}-{cookie}", cookie=cookie) for name in ("one", "other")]
            one, other = (stack.enter_context(GatewayProcess(path)) for path in paths)
            client = stack.enter_context(httpx.Client(verify=False, trust_env=False))
            for gate in (one, other):
                until_fresh(client, gate)
            assert stale_reads(bank, one, other, client) == expected
            assert ("fresh" in client.cookies) is cookie, "where it is off, answers are as they were"
            if cookie:
                client.cookies.clear()
                client.cookies.set("fresh", "rubbish", domain="127.0.0.1", path="/")
                assert shown(client, other).endswith("legacy"), "what cannot be read is never fresh"


def test_over_workers_reads_are_stale_without_a_stream_to_watch_and_never_with_it(bank: Bank, tmp_path: Path) -> None:
    for sync in (False, True):
        with GatewayProcess(bank.routes(tmp_path / f"{sync}", cookie=False, sync=sync), workers=2) as gate:
            stale = 0
            for _ in range(4):
                with httpx.Client(verify=False, trust_env=False) as client:  # a connection of its own: any worker's
                    until_fresh(client, gate)
                bank.stream("0/0")
                with httpx.Client(verify=False, trust_env=False) as client:
                    assert client.post(f"{gate.url}/accounts/1", headers=KEY).is_success
                for _ in range(3):
                    with httpx.Client(verify=False, trust_env=False) as client:
                        stale += int(shown(client, gate).split()[0]) < bank.booked
                bank.stream("F/0")
            assert (stale == 0) is sync, f"{stale} of 12 reads were stale"
