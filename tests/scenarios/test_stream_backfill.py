"""The copy of what was there before: exact under writes, resumed after a kill, careful with rows of others."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import count
from pathlib import Path

import psycopg
import pytest

from cdc.filling import backfill, copy_tasks
from cdc.filling.set_aside import set_aside
from cdc.streaming.stream_errors import BackfillRefused, ForeignRows
from tests.support.crashes import dies_at
from tests.support.item_pair import BOTH_WAYS, MAPPINGS, ItemPair, item_pair
from tests.support.streams import REVERSE, mark, once, rows, state, streaming
from tests.support.waiting import wait_until

MANY = "INSERT INTO item SELECT n, 'a', NULL, repeat('b', 100), n % 1000 FROM generate_series(1, 3000) AS n"


def write(url: str, stop: threading.Event) -> None:
    with psycopg.connect(url, autocommit=True) as conn:
        for number in count(1):
            if stop.wait(0.001):
                return
            conn.execute("UPDATE item SET size = %s WHERE id %% 500 = %s", (number % 1000, number % 500))
            conn.execute("INSERT INTO item VALUES (%s, 'a', NULL, NULL, 1)", (10_000 + number,))
            conn.execute("INSERT INTO part VALUES (%s, 2, NULL)", (10_000 + number,))
            conn.execute("DELETE FROM item WHERE id = %s", (2 * number,))


@contextmanager
def writing(url: str) -> Iterator[None]:
    """Somebody who writes all kinds of changes all the time."""
    stop = threading.Event()
    writer = threading.Thread(target=write, args=(url, stop))
    writer.start()
    try:
        yield
    finally:
        stop.set()
        writer.join()


def test_copy_and_stream_meet_without_gap_or_overlap(
    tmp_path: Path, legacy_db: str, modern_db: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(copy_tasks, "RANGE_PAGES", 8)
    monkeypatch.setattr(backfill, "SET_ASIDE_PAGES", 8)
    with item_pair(tmp_path, legacy_db, modern_db) as pair:
        pair.legacy.execute(MANY)
        with writing(legacy_db), streaming(pair.routes, modern_db) as streams:
            assert streams.error is None
        with streaming(pair.routes, modern_db):
            pair.catches_up()
        assert not rows(pair.modern, "SELECT FROM pg_class WHERE relname IN ('thing', 'piece') AND reltuples < 0")


def filled(pair: ItemPair) -> dict[object, object]:
    return dict(rows(pair.modern, "SELECT relation, started_at FROM strangler.backfill WHERE state = 'done'"))


def interrupt(pair: ItemPair) -> None:
    """A first backfill that copies `thing` and fails at `piece`."""
    pair.legacy.execute("INSERT INTO part SELECT id, 1, NULL FROM item LIMIT 10")
    pair.modern.execute("ALTER TABLE piece ADD CONSTRAINT no_pieces CHECK (number > 1)")
    with pytest.raises(BackfillRefused, match="no_pieces"):
        once(pair.routes)
    assert state(pair.modern).state == "backfill"
    assert list(filled(pair)) == ["thing"]
    pair.modern.execute("ALTER TABLE piece DROP CONSTRAINT no_pieces")


def test_one_that_was_interrupted_goes_on_with_the_tables_that_are_not_done(
    tmp_path: Path, legacy_db: str, modern_db: str
) -> None:
    with item_pair(tmp_path, legacy_db, modern_db) as pair:
        pair.legacy.execute(MANY)
        interrupt(pair)
        before = filled(pair)
        written = rows(pair.modern, "SELECT xmin::text FROM thing WHERE thing_id = 2999")
        pair.legacy.execute("DELETE FROM part WHERE item = 1")
        pair.legacy.execute("DELETE FROM item WHERE id = 1")
        pair.legacy.execute("UPDATE item SET size = 1 WHERE id = 2")
        once(pair.routes)
        assert pair.is_equal()
        assert filled(pair)["thing"] == before["thing"]
        assert rows(pair.modern, "SELECT xmin::text FROM thing WHERE thing_id = 2999") == written  # not copied again
        assert rows(pair.modern, "SELECT count(*) FROM pg_replication_origin WHERE roname LIKE '%backfill%'") == [(0,)]
        slots = "SELECT count(*) FROM pg_replication_slots WHERE database = current_database() AND temporary"
        wait_until(lambda: rows(pair.legacy, slots) == [(0,)], "the slot of the second snapshot is gone")


def test_what_commits_behind_the_second_snapshot_comes_by_the_stream_alone(
    tmp_path: Path, legacy_db: str, modern_db: str
) -> None:
    """The table that is done is brought exactly to the snapshot of the other one, while a writer goes on."""
    with item_pair(tmp_path, legacy_db, modern_db) as pair:
        pair.legacy.execute(MANY)
        interrupt(pair)
        with writing(legacy_db), streaming(pair.routes, modern_db) as streams:
            assert streams.error is None
        with streaming(pair.routes, modern_db):
            pair.catches_up()


def test_without_its_slot_an_interrupted_one_starts_over(tmp_path: Path, legacy_db: str, modern_db: str) -> None:
    with item_pair(tmp_path, legacy_db, modern_db) as pair:
        pair.legacy.execute("INSERT INTO item VALUES (1, 'a', 'one', NULL, 1), (2, 'a', 'two', NULL, 2)")
        interrupt(pair)
        pair.legacy.execute("SELECT pg_drop_replication_slot('strangler_accounts_forward')")
        pair.legacy.execute("DELETE FROM item WHERE id = 2")
        once(pair.routes)
        assert pair.is_equal()
        assert set(filled(pair)) == {"thing", "piece"}


def test_a_mapping_that_was_edited_meanwhile_is_copied_again(tmp_path: Path, legacy_db: str, modern_db: str) -> None:
    with item_pair(tmp_path, legacy_db, modern_db) as pair:
        pair.legacy.execute("INSERT INTO item VALUES (1, 'a', 'one', NULL, 1)")
        interrupt(pair)
        edited = MAPPINGS["thing"].replace("size FROM", "size + 1 AS size FROM")
        (tmp_path / "mappings" / "thing.sql").write_text(edited)
        once(pair.routes)
        assert rows(pair.modern, "SELECT size FROM thing") == [(2,)]


INDEXES = "SELECT indexname::text, indexdef FROM pg_indexes WHERE tablename = 'piece' ORDER BY 1"


def test_indexes_are_put_aside_and_are_the_same_afterwards_also_after_a_kill(
    tmp_path: Path, legacy_db: str, modern_db: str
) -> None:
    with item_pair(tmp_path, legacy_db, modern_db, BOTH_WAYS) as pair:
        pair.modern.execute("CREATE INDEX piece_note ON piece (note) WHERE note IS NOT NULL")
        pair.modern.execute("ALTER TABLE piece ADD CONSTRAINT piece_twice UNIQUE (number, thing_id)")
        before = rows(pair.modern, INDEXES)
        pair.legacy.execute("INSERT INTO item SELECT n, 'a', NULL, NULL, 0 FROM generate_series(1, 30000) AS n")
        pair.legacy.execute("INSERT INTO part SELECT n, 1, repeat('n', 300) FROM generate_series(1, 30000) AS n")
        dies_at(pair.routes, "backfill.committed", 2, lambda: None)
        assert rows(pair.modern, INDEXES) == []
        once(pair.routes)
        assert pair.is_equal()
        assert rows(pair.modern, INDEXES) == before
        keys = "SELECT count(*) FROM pg_constraint WHERE conrelid = 'piece'::regclass AND contype IN ('p', 'u', 'f')"
        assert rows(pair.modern, keys) == [(3,)]
        with streaming(pair.routes, modern_db):  # the stream back reads of a table without a key, and skips it
            mark(pair.modern, pair.legacy, "seen", stream=REVERSE)


def test_a_primary_key_that_others_refer_to_stays(tmp_path: Path, legacy_db: str, modern_db: str) -> None:
    with item_pair(tmp_path, legacy_db, modern_db) as pair, pair.modern.transaction(force_rollback=True):
        (aside,) = set_aside(pair.modern, "thing")
        assert aside == 'ALTER TABLE "public"."thing" ADD CONSTRAINT "thing_name_key" UNIQUE (name)'


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
