"""One table is filled again while its stream goes on and both sides are written, and the rest is left alone."""

from __future__ import annotations

import threading
from pathlib import Path

import psycopg
import pytest

from cdc.filling import refill as refilling
from cdc.filling.backfill import Stopped, Watch
from cdc.filling.refill import Refilled, refill
from cdc.setup import streams_of
from cdc.streaming.stream_errors import RepairRefused
from tests.support.item_pair import ItemPair, item_pair
from tests.support.streams import mark, rows, streaming

MANY = "INSERT INTO item SELECT n, 'a', 'name ' || n, NULL, n % 1000 FROM generate_series(1, 3000) AS n"
DAMAGE = """
SET session_replication_role = replica;
DELETE FROM thing WHERE thing_id BETWEEN 100 AND 1900;
UPDATE thing SET size = 0 WHERE thing_id BETWEEN 2000 AND 2100;
INSERT INTO thing SELECT n, 'a', NULL, NULL, 1 FROM generate_series(-5, -1) AS n;
RESET session_replication_role;
"""


def fill(pair: ItemPair, watch: Watch | None = None) -> Refilled:
    plan = streams_of(pair.routes, "accounts").forward
    mapping = next(one for one in plan.mappings if one.target_table == "thing")
    return refill(plan, mapping, watch or Watch(threading.Event()))


def write(url: str, stop: threading.Event) -> None:
    """Rows of every range come, change and go."""
    with psycopg.connect(url, autocommit=True) as conn:
        number = 0
        while not stop.wait(0.002):
            number += 1
            conn.execute("UPDATE item SET size = %s WHERE id %% 500 = %s", (number % 1000, number % 500))
            conn.execute("INSERT INTO item VALUES (%s, 'a', NULL, NULL, 1)", (10_000 + number,))
            conn.execute("DELETE FROM item WHERE id = %s", (3 * number,))


def test_a_table_is_right_again_while_it_is_written(
    tmp_path: Path, legacy_db: str, modern_db: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(refilling, "ROWS_AT_ONCE", 400)
    with item_pair(tmp_path, legacy_db, modern_db) as pair:
        pair.legacy.execute(MANY)
        pair.legacy.execute("INSERT INTO part VALUES (2999, 1, 'part')")
        with streaming(pair.routes, modern_db):
            mark(pair.legacy, pair.modern, "before")
            pair.modern.execute(DAMAGE)
            stop = threading.Event()
            writer = threading.Thread(target=write, args=(legacy_db, stop))
            writer.start()
            try:
                done = fill(pair)
            finally:
                stop.set()
                writer.join()
            pair.catches_up("after")
        assert done.removed == 5
        assert 1_000 < done.written < 2_000  # equal rows were not written
        assert rows(pair.modern, "SELECT count(*) FROM pg_replication_origin WHERE roname LIKE '%refill%'") == [(0,)]


def test_without_a_running_stream_nothing_is_filled(tmp_path: Path, legacy_db: str, modern_db: str) -> None:
    with item_pair(tmp_path, legacy_db, modern_db) as pair:
        pair.legacy.execute("INSERT INTO item VALUES (1, 'a', 'one', NULL, 1)")
        with pytest.raises(RepairRefused, match="does not run"):
            fill(pair)


def test_one_that_is_stopped_leaves_whole_ranges(
    tmp_path: Path, legacy_db: str, modern_db: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(refilling, "ROWS_AT_ONCE", 100)
    with item_pair(tmp_path, legacy_db, modern_db) as pair:
        pair.legacy.execute(MANY)
        with streaming(pair.routes, modern_db):
            mark(pair.legacy, pair.modern, "before")
            pair.modern.execute(DAMAGE)
            stop = threading.Event()
            with pytest.raises(Stopped):
                fill(pair, Watch(stop, lambda copied: stop.set() if copied.rows >= 500 else None))
            assert rows(pair.modern, "SELECT min(thing_id), count(*) FROM thing WHERE thing_id <= 500") == [(1, 500)]
            assert rows(pair.modern, "SELECT count(*) FROM thing WHERE thing_id BETWEEN 501 AND 1900") == [(0,)]
            fill(pair)
            pair.catches_up("after")
