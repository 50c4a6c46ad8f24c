"""A copy waits while a server has no strength to spare, says why, goes on by itself, and can be stopped meanwhile."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager

import psycopg
import pytest
from structlog.testing import capture_logs

from cdc.filling import pace as pacing
from cdc.filling.pace import Care, Pace
from tests.support.waiting import wait_until


@pytest.fixture(autouse=True)
def _often(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pacing, "LOOK_SECONDS", 0.02)


@contextmanager
def keeping(care: Care, legacy: str, modern: str) -> Iterator[tuple[threading.Thread, threading.Event]]:
    """A worker that asks whether it may go on, after a second in which nobody looked at the servers."""
    stop = threading.Event()
    pace = Pace(care, legacy, modern, stop)
    pace._looked_at -= 1
    worker = threading.Thread(target=pace.keep, args=(1,))
    worker.start()
    try:
        yield worker, stop
    finally:
        stop.set()
        worker.join(10)
        pace.close()


@contextmanager
def busy(url: str) -> Iterator[psycopg.Connection]:
    """Somebody whose query runs on the source until he is cancelled."""
    with psycopg.connect(url, autocommit=True) as conn:

        def work() -> None:
            with pytest.raises(psycopg.errors.QueryCanceled):
                conn.execute("SELECT pg_sleep(60)")

        thread = threading.Thread(target=work)
        thread.start()
        active = "SELECT count(*) FROM pg_stat_activity WHERE query LIKE 'SELECT pg_sleep%' AND state = 'active'"
        with psycopg.connect(url, autocommit=True) as other:
            wait_until(lambda: other.execute(active).fetchone() == (1,), "the query runs")
        yield conn
        conn.cancel()
        thread.join(10)


def test_it_waits_while_others_are_active_on_the_source(legacy_db: str, modern_db: str) -> None:
    with capture_logs() as said:
        with busy(legacy_db) as conn, keeping(Care(None, 0, None), legacy_db, modern_db) as (worker, _):
            wait_until(lambda: said, "it says that it waits")
            assert worker.is_alive()
            conn.cancel()
            worker.join(10)
            assert not worker.is_alive()
        with busy(legacy_db), keeping(Care(None, 1, None), legacy_db, modern_db) as (worker, _):
            worker.join(10)  # one is allowed
            assert not worker.is_alive()
    assert [one["event"] for one in said] == ["backfill.pauses", "backfill.goes_on"]
    assert said[0]["reason"] == "1 sessions are active on the source"


def test_it_waits_for_a_standby_of_either_server(
    legacy_db: str, modern_db: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    care = Care(standby_seconds=10.0)
    with keeping(care, legacy_db, modern_db) as (worker, _):
        worker.join(10)  # what PostgreSQL itself says of servers without a standby
        assert not worker.is_alive()
    monkeypatch.setattr(pacing, "_STANDBYS", "SELECT seconds FROM standby")
    with psycopg.connect(legacy_db, autocommit=True) as legacy, psycopg.connect(modern_db, autocommit=True) as modern:
        for conn, seconds in ((legacy, 10), (modern, 31)):
            conn.execute("CREATE TABLE standby (seconds float8)")
            conn.execute("INSERT INTO standby VALUES (%s)", (seconds,))
        with capture_logs() as said, keeping(care, legacy_db, modern_db) as (worker, _):
            wait_until(lambda: said, "it says that it waits")
            assert worker.is_alive()
            modern.execute("UPDATE standby SET seconds = 1")
            worker.join(10)
            assert not worker.is_alive()
        assert said[0]["reason"] == "a standby of the target is 31 s behind"


def test_who_stops_a_copy_does_not_wait_for_the_servers(legacy_db: str, modern_db: str) -> None:
    with capture_logs() as said, busy(legacy_db), keeping(Care(None, 0, None), legacy_db, modern_db) as (worker, stop):
        wait_until(lambda: said, "it says that it waits")
        stop.set()
        worker.join(10)
        assert not worker.is_alive()
