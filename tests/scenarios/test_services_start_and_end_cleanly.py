"""The ledger and the facade as processes: a free port, the address in the log, exit code 0 on SIGTERM."""

from __future__ import annotations

import re
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager

import httpx

from tests.support.ledger import open_books

ALICE = "2000000001"
LEDGER = "import sys; from services.ledger.app import serve; sys.exit(serve(sys.argv[1], '127.0.0.1:0'))"
FACADE = "import sys; from legacy_adapter.facade import serve; sys.exit(serve(sys.argv[1], '127.0.0.1:0'))"


@contextmanager
def _process(program: str, argument: str) -> Iterator[tuple[str, subprocess.Popen[str]]]:
    process = subprocess.Popen([sys.executable, "-c", program, argument], stdout=subprocess.PIPE, text=True)
    with process:
        try:
            assert process.stdout is not None
            found = re.search(r"http://127\.0\.0\.1:\d+", process.stdout.readline())
            assert found is not None
            yield found[0], process
        finally:
            process.kill()


def _end(process: subprocess.Popen[str], number: signal.Signals) -> int:
    process.send_signal(number)
    return process.wait(10)


def test_the_monoliths_clients_are_served_until_both_are_told_to_stop(modern_db: str) -> None:
    open_books(modern_db, [(ALICE, "GBP", "100.00")])
    with _process(LEDGER, modern_db) as (ledger_url, ledger), _process(FACADE, ledger_url) as (facade_url, facade):
        assert httpx.get(f"{ledger_url}/healthz").status_code == 200
        answer = httpx.get(f"{facade_url}/accounts/{ALICE}")
        assert answer.json()["bal"] == 100
        assert answer.headers.get_list("server") == ["CORE87"]
        assert _end(ledger, signal.SIGTERM) == 0
        down = httpx.get(f"{facade_url}/accounts/{ALICE}")
        assert (down.status_code, down.json()["code"]) == (503, "ledger_down")
        assert _end(facade, signal.SIGINT) == 0
