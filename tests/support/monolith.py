"""CORE/87 as a real process over a small seeded bank, for one test."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import httpx
import psycopg

from legacy_adapter.monolith.seed import Size, prepare
from tests.support.waiting import wait_until

SMALL = Size(customers=20, accounts=60, history=400)
PROGRAM = """
import os, sys
from legacy_adapter.monolith.app import serve
sys.exit(serve(os.environ["LEGACY_DB"], sys.argv[1]))
"""


@dataclass
class Monolith:
    """A running monolith: its process, and clients for its wire and its database."""

    process: subprocess.Popen[bytes]
    client: httpx.Client
    database: str

    def rows(self, query: str, *values: object) -> list[tuple[object, ...]]:
        """What the database says."""
        with psycopg.connect(self.database, autocommit=True) as conn:
            return conn.execute(query, values).fetchall()

    def change(self, statement: str, *values: object) -> None:
        """Change something behind the monolith's back."""
        with psycopg.connect(self.database, autocommit=True) as conn:
            conn.execute(statement, values)

    def transfer(self, payer: str, payee: str, amount: str, reference: str) -> dict[str, object]:
        """Ask for a transfer; the answer's fields."""
        body = {"ref": reference, "to": payee, "amt": amount, "txt": "TEST"}
        return self.client.post(f"/accounts/{payer}/transfers", json=body).json()

    def stop(self) -> int:
        """Ask it to end; its exit status."""
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
        return self.process.wait(10)


@contextmanager
def running_monolith(database: str, folder: Path, size: Size = SMALL) -> Iterator[Monolith]:
    """A monolith over a database that is filled first, ended afterwards."""
    with psycopg.connect(database) as conn:
        prepare(conn, size)
    log = folder / "monolith.log"
    with log.open("wb") as output:
        process = subprocess.Popen(
            [sys.executable, "-c", PROGRAM, "127.0.0.1:0"],
            env=os.environ | {"LEGACY_DB": database, "NO_COLOR": "1"},
            stdout=output,
            stderr=subprocess.STDOUT,
        )
    try:
        found = wait_until(
            lambda: re.search(r"http://[0-9.:]+", log.read_text()) or process.poll() is not None,
            "the monolith listens",
            seconds=20,
        )
        assert isinstance(found, re.Match), log.read_text()
        with httpx.Client(base_url=found.group(), timeout=20) as client:
            monolith = Monolith(process, client, database)
            yield monolith
        assert monolith.stop() == 0, log.read_text()
    finally:
        if process.poll() is None:
            process.kill()
        process.wait(10)
