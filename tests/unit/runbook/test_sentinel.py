from __future__ import annotations

import threading
from pathlib import Path

import psycopg
import pytest

from runbook import sentinel
from runbook.errors import BudgetExceeded
from tests.support.two_homes import two_homes
from tests.support.waiting import wait_until

TABLE = """CREATE TABLE strangler.sentinel
    (id text, direction text, at timestamptz DEFAULT now(), PRIMARY KEY (id, direction))"""


def carry(source: str, target: str, direction: str) -> None:
    """What a stream does with the sentinel."""
    with psycopg.connect(source, autocommit=True) as at_source, psycopg.connect(target, autocommit=True) as at_target:
        query = "SELECT id FROM strangler.sentinel WHERE direction = %s"
        (row,) = wait_until(lambda: at_source.execute(query, (direction,)).fetchall(), "a sentinel")
        at_target.execute(sentinel.INSERT, (row[0], direction))


def test_there_and_back(tmp_path: Path, legacy_db: str, modern_db: str) -> None:
    with two_homes(tmp_path, legacy_db, modern_db, rows=False) as sides:
        for side in (sides.legacy, sides.modern):
            side.ask(TABLE)
        streams = [
            threading.Thread(target=carry, args=(legacy_db, modern_db, "forward")),
            threading.Thread(target=carry, args=(modern_db, legacy_db, "reverse")),
        ]
        for stream in streams:
            stream.start()
        seconds = sentinel.round_trip(sides, sentinel.new_id("r-1"), 10)
        for stream in streams:
            stream.join()
        assert 0 < seconds < 10


def test_a_stream_that_stands_still_is_named(tmp_path: Path, legacy_db: str, modern_db: str) -> None:
    with two_homes(tmp_path, legacy_db, modern_db, rows=False) as sides:
        for side in (sides.legacy, sides.modern):
            side.ask(TABLE)
        with pytest.raises(BudgetExceeded, match="sentinel of the forward stream"):
            sentinel.round_trip(sides, sentinel.new_id(""), 0.05)


def test_no_two_sentinels_have_one_id() -> None:
    assert sentinel.new_id("r-1") != sentinel.new_id("r-1")
