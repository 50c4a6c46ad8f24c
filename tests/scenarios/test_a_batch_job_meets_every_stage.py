"""The monolith's batch job comes past every gateway: its writes arrive while legacy is the home, and are refused after."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path

import psycopg
import pytest

from cdc.sync import run as run_streams
from cdc.verification.verify import verify
from config.reader import read_routes
from legacy_adapter.monolith.batch import APPLICATION_NAME, run_interest
from runbook.advance import advance, back, waive
from runbook.demo.world import Size, make_ledger, seed_monolith
from tests.support.fake_gateway import fake_gateway
from tests.support.two_homes import write_routes
from tests.support.waiting import wait_until

SIZE = Size(customers=20, accounts=40, history=60)
ACCOUNTS = 5
COUNT = {"legacy": "SELECT count(*) FROM trnhist", "modern": "SELECT count(*) FROM posting"}
STREAMING = "SELECT state FROM strangler.stream WHERE name = %s"


@contextmanager
def streams(routes: Path, urls: dict[str, str]) -> Iterator[None]:
    """Both run in this process."""
    stop, ends = threading.Event(), {"modern": "accounts:forward", "legacy": "accounts:reverse"}

    def both_stream() -> bool:
        return running.done() or all(state(urls[at], name) == "streaming" for at, name in ends.items())

    with ThreadPoolExecutor(1) as pool:
        running = pool.submit(run_streams, read_routes(routes), "accounts", once=False, stop=stop)
        try:
            wait_until(both_stream, "both stream", 30)
            yield
        finally:
            stop.set()
    running.result()


def state(url: str, stream: str) -> str:
    with psycopg.connect(url) as connection:
        if connection.execute("SELECT to_regclass('strangler.stream')").fetchone() == (None,):
            return ""
        row = connection.execute(STREAMING, (stream,)).fetchone()
        return str(row[0]) if row else ""


def postings(urls: dict[str, str], at: str) -> int:
    with psycopg.connect(urls[at]) as connection:
        row = connection.execute(COUNT[at].encode()).fetchone()
        assert row is not None
        return int(row[0])


def batch_arrives(urls: dict[str, str]) -> None:
    """It runs, and what it wrote in legacy comes to modern."""
    before = postings(urls, "legacy")
    asyncio.run(run_interest(urls["legacy"], ACCOUNTS))
    after = postings(urls, "legacy")
    assert after > before
    wait_until(lambda: postings(urls, "modern") == after, "the stream has carried it")


def test_its_writes_arrive_until_the_cutover_and_again_after_the_way_back(
    tmp_path: Path, legacy_db: str, modern_db: str
) -> None:
    seed_monolith(legacy_db, SIZE)
    make_ledger(legacy_db, modern_db)
    urls = {"legacy": legacy_db, "modern": modern_db}
    with fake_gateway(tmp_path / "routes.yaml") as gateway:
        instances = f', instances: ["{gateway.url}"]'
        routes = write_routes(tmp_path, legacy_db, modern_db, stage="legacy", gateway=instances)
        with streams(routes, urls):
            batch_arrives(urls)
            advance(routes, "accounts", actor="ann")  # to shadow
            batch_arrives(urls)
            for gate in ("comparison", f"writers:{APPLICATION_NAME}"):
                span = timedelta(hours=1)
                waive(routes, "accounts", gate, lasting=span, reason="a test", actor="ann", second="bob")
            assert verify("accounts", read_routes(routes), "forward", lambda *_: None).equal
            advance(routes, "accounts", actor="ann", percent=50)
            batch_arrives(urls)
            advance(routes, "accounts", actor="ann")  # to modern
            before = postings(urls, "legacy")
            with pytest.raises(psycopg.errors.ReadOnlySqlTransaction) as refused:
                asyncio.run(run_interest(urls["legacy"], ACCOUNTS))
            assert postings(urls, "legacy") == before
            said = refused.value.diag
            assert said.message_primary is not None
            assert "belong to the other system now" in said.message_primary
            assert said.message_hint is not None
            assert "until `strangler back`" in said.message_hint
            back(routes, "accounts", actor="ann")
            batch_arrives(urls)
            assert verify("accounts", read_routes(routes), "forward", lambda *_: None).equal
