from __future__ import annotations

import time
from pathlib import Path

import psycopg
import pytest

from config.model import Routes
from config.reader import parse_routes
from gateway.freshness import Freshness
from gateway.supervision.freshness_watch import Plan, Watches, plans_of
from tests.support.waiting import wait_until

TEXT = """
version: 1
databases: {legacy: {url: "LEGACY"}, ledger: {url: "MODERN"}}
upstreams: {monolith: {url: "http://127.0.0.1:1"}, ledger: {url: "http://127.0.0.1:2"}}
capabilities:
  cards: {legacy: monolith, modern: ledger, stage: canary, canary: {percent: 1, key: client}}
  accounts:
    {legacy: monolith, modern: ledger, stage: STAGE, canary: {percent: 1, key: client},
     sync: {source: legacy, target: ledger, mappings: mappings}}
"""
CARDS, ACCOUNTS = 0, 1
STREAM = """
CREATE SCHEMA strangler;
CREATE TABLE strangler.stream (name text PRIMARY KEY, position pg_lsn, mode text, state text);
INSERT INTO strangler.stream VALUES ('accounts:forward', '0/0', 'apply', 'streaming');
"""


def _routes(stage: str, legacy: str = "postgresql://127.0.0.1:1/none", modern: str = "postgresql://x") -> Routes:
    text = TEXT.replace("STAGE", stage).replace("LEGACY", legacy).replace("MODERN", modern)
    return parse_routes(text.encode(), Path("routes.yaml"), {})


@pytest.mark.parametrize(("stage", "names"), [("shadow", set()), ("canary", {"accounts"}), ("modern", set())])
def test_only_a_canary_with_a_stream_is_watched(stage: str, names: set[str]) -> None:
    plans = plans_of(_routes(stage))
    assert plans.keys() == names
    assert all(plan == Plan("accounts", "postgresql://127.0.0.1:1/none", "postgresql://x") for plan in plans.values())
    assert all(plan.stream == "accounts:forward" for plan in plans.values())


def test_without_its_databases_nothing_is_fresh_and_nobody_is_hurt(tmp_path: Path) -> None:
    watches = Watches(tmp_path / "freshness", 1)
    watches.apply(_routes("canary"), time.monotonic_ns())
    seen = Freshness(tmp_path / "freshness", ("cards", "accounts"))
    assert seen.is_fresh(CARDS, b"ada"), "a capability without a stream has nothing to wait for"
    assert not seen.is_fresh(ACCOUNTS, b"ada")
    thread = watches._running["accounts"]
    watches.close()
    wait_until(lambda: not thread.is_alive(), "the watch ends")
    seen.close()


def test_a_write_is_fresh_when_the_stream_has_applied_it(tmp_path: Path, legacy_db: str, modern_db: str) -> None:
    def advance(**values: str) -> None:
        sets = ", ".join(f"{name} = '{value}'" for name, value in values.items())
        with psycopg.connect(modern_db, autocommit=True) as connection:
            connection.execute(f"UPDATE strangler.stream SET {sets}")

    with psycopg.connect(modern_db, autocommit=True) as connection:
        connection.execute(STREAM)
    watches = Watches(tmp_path / "freshness", 1)
    watches.apply(_routes("canary", legacy_db, modern_db), time.monotonic_ns())
    seen = Freshness(tmp_path / "freshness", ("cards", "accounts"))
    wait_until(lambda: _connections(modern_db), "the watch connects")
    assert not seen.is_fresh(ACCOUNTS, b"ada"), "the stream has applied nothing yet"
    advance(position="F/0", mode="skip")
    assert not _becomes_fresh(seen, b"ada"), "in mode skip the position moves without rows"
    advance(mode="apply", state="backfill")
    assert not _becomes_fresh(seen, b"ada"), "during the backfill rows are missing"
    advance(state="streaming")
    wait_until(lambda: seen.is_fresh(ACCOUNTS, b"ada"), "the stream has applied all there is")
    seen.wrote(ACCOUNTS, b"ada", time.monotonic_ns())
    wait_until(lambda: seen.is_fresh(ACCOUNTS, b"ada"), "a later round covers the write")
    advance(position="0/0")
    seen.wrote(ACCOUNTS, b"ada", time.monotonic_ns())
    assert not _becomes_fresh(seen, b"ada"), "a write after the stream's position is not fresh"
    watches.apply(_routes("shadow", legacy_db, modern_db), time.monotonic_ns())
    wait_until(lambda: not _connections(modern_db), "outside of the canary the databases are left alone")
    assert not seen.is_fresh(ACCOUNTS, b"bob")
    watches.close()
    seen.close()


def _connections(url: str) -> int:
    counting = "SELECT count(*) FROM pg_stat_activity WHERE application_name = 'strangler-gateway' AND datname = %s"
    with psycopg.connect(url, autocommit=True) as connection:
        row = connection.execute(counting, (connection.info.dbname,)).fetchone()
        return int(row[0]) if row else 0


def _becomes_fresh(seen: Freshness, key: bytes) -> bool:
    """Whether it does within several polls of the watch; the negative cannot be waited for otherwise."""
    deadline = time.monotonic() + 0.2
    while time.monotonic() < deadline:
        if seen.is_fresh(ACCOUNTS, key):
            return True
        time.sleep(0.01)
    return False
