"""The copy of what was there before: exact under writes, over again after a kill, careful with rows of others."""

from __future__ import annotations

import threading
from pathlib import Path

import psycopg
import pytest

from cdc import backfill
from cdc.stream_errors import BackfillRefused, ForeignRows
from tests.support.item_pair import item_pair
from tests.support.streams import once, rows, state, streaming

MANY = "INSERT INTO item SELECT n, 'a', NULL, repeat('b', 100), n % 1000 FROM generate_series(1, 3000) AS n"


def write(url: str, stop: threading.Event) -> None:
    with psycopg.connect(url, autocommit=True) as conn:
        number = 0
        while not stop.wait(0.001):
            number += 1
            conn.execute("UPDATE item SET size = %s WHERE id %% 500 = %s", (number % 1000, number % 500))
            conn.execute("INSERT INTO item VALUES (%s, 'a', NULL, NULL, 1)", (10_000 + number,))
            conn.execute("DELETE FROM item WHERE id = %s", (2 * number,))


def test_copy_and_stream_meet_without_gap_or_overlap(
    tmp_path: Path, legacy_db: str, modern_db: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(backfill, "RANGE_PAGES", 8)
    with item_pair(tmp_path, legacy_db, modern_db) as pair:
        pair.legacy.execute(MANY)
        stop = threading.Event()
        writer = threading.Thread(target=write, args=(legacy_db, stop))
        writer.start()
        try:
            with streaming(pair.routes, modern_db) as streams:
                assert streams.error is None
                stop.set()
                writer.join()
                pair.catches_up()
        finally:
            stop.set()
            writer.join()


def test_one_that_was_interrupted_starts_over(tmp_path: Path, legacy_db: str, modern_db: str) -> None:
    with item_pair(tmp_path, legacy_db, modern_db) as pair:
        pair.legacy.execute(MANY)
        pair.legacy.execute("INSERT INTO part SELECT n, 1, NULL FROM generate_series(1, 10) n")
        pair.modern.execute("ALTER TABLE piece ADD CONSTRAINT no_pieces CHECK (number > 1)")
        with pytest.raises(BackfillRefused, match="no_pieces"):
            once(pair.routes)
        assert state(pair.modern).state == "backfill"
        pair.modern.execute("ALTER TABLE piece DROP CONSTRAINT no_pieces")
        pair.legacy.execute("DELETE FROM part WHERE item = 1")
        pair.legacy.execute("DELETE FROM item WHERE id = 1")
        pair.legacy.execute("UPDATE item SET size = 1 WHERE id = 2")
        once(pair.routes)
        assert pair.is_equal()
        assert rows(pair.modern, "SELECT count(*) FROM pg_replication_origin WHERE roname LIKE '%backfill%'") == [(0,)]


def test_rows_that_are_there_already_are_brought_in_line(tmp_path: Path, legacy_db: str, modern_db: str) -> None:
    with item_pair(tmp_path, legacy_db, modern_db) as pair:
        pair.legacy.execute("INSERT INTO item VALUES (1, 'a', 'one', NULL, 1), (2, 'a', 'two', NULL, 2)")
        pair.modern.execute("INSERT INTO thing VALUES (1, 'a', 'one', NULL, 1), (2, 'a', 'old', NULL, 2)")
        once(pair.routes)
        assert pair.is_equal()


def test_rows_of_others_are_never_removed(tmp_path: Path, legacy_db: str, modern_db: str) -> None:
    with item_pair(tmp_path, legacy_db, modern_db) as pair:
        pair.modern.execute("INSERT INTO thing VALUES (9, 'a', 'mine', NULL, 1)")
        with pytest.raises(ForeignRows, match="thing has 1 row that"):
            once(pair.routes)
        assert rows(pair.modern, "SELECT name FROM thing") == [("mine",)]
