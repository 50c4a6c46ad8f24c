"""What the source does to its rows, the forward stream does to the target's, whatever it is."""

from __future__ import annotations

import random
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.item_pair import ItemPair, item_pair
from tests.support.streams import Streaming, rows, state, streaming

LARGE = "string_agg(md5(n::text || random()::text), '') FROM generate_series(1, 2000) AS n"


@pytest.fixture
def pair(tmp_path: Path, legacy_db: str, modern_db: str) -> Iterator[ItemPair]:
    with item_pair(tmp_path, legacy_db, modern_db) as pair:
        pair.legacy.execute("ALTER TABLE item ALTER body SET STORAGE EXTERNAL")
        pair.legacy.execute(
            "INSERT INTO item SELECT n, 'a', 'name ' || n, 'body ' || n, n FROM generate_series(1, 50) n"
        )
        pair.legacy.execute("INSERT INTO part SELECT n, 1, NULL FROM generate_series(1, 50) n")
        yield pair


@pytest.fixture
def streams(pair: ItemPair) -> Iterator[Streaming]:
    with streaming(pair.routes, pair.modern_db) as streams:
        assert streams.error is None, streams.error
        yield streams


def test_rows_from_before_and_after_the_slot_arrive(pair: ItemPair, streams: Streaming) -> None:
    assert pair.is_equal()
    pair.legacy.execute("INSERT INTO item VALUES (100, 'a', 'new', NULL, 0)")
    pair.legacy.execute("UPDATE item SET name = NULL, size = size + 1 WHERE id % 2 = 0")
    pair.legacy.execute("DELETE FROM item WHERE id % 5 = 0")
    pair.catches_up()
    assert state(pair.modern).applied_rows > 0


def test_a_transaction_with_parents_and_children_arrives_whole(pair: ItemPair, streams: Streaming) -> None:
    with pair.legacy.transaction():
        pair.legacy.execute("DELETE FROM item WHERE id = 1")
        pair.legacy.execute("INSERT INTO item VALUES (200, 'a', 'name 1', NULL, 0)")
        pair.legacy.execute("INSERT INTO part VALUES (200, 1, 'x'), (200, 2, 'y')")
        pair.legacy.execute("DELETE FROM part WHERE item = 200 AND number = 1")
        pair.legacy.execute("INSERT INTO part VALUES (200, 1, 'again')")
    pair.catches_up()


def test_a_large_value_that_did_not_change_stays(pair: ItemPair, streams: Streaming) -> None:
    pair.legacy.execute(f"UPDATE item SET body = (SELECT {LARGE}) WHERE id <= 3")
    pair.catches_up("large")
    pair.legacy.execute("UPDATE item SET size = 77 WHERE id <= 3")
    pair.catches_up("unchanged")
    assert rows(pair.modern, "SELECT length(body), size FROM thing WHERE thing_id <= 3") == [(64000, 77)] * 3
    with pair.legacy.transaction():
        pair.legacy.execute(f"UPDATE item SET body = (SELECT {LARGE}) WHERE id = 1")
        pair.legacy.execute("UPDATE item SET size = 78 WHERE id = 1")
    pair.catches_up("both in one batch")


def test_a_large_value_under_replica_identity_full(pair: ItemPair, streams: Streaming) -> None:
    pair.legacy.execute("ALTER TABLE item REPLICA IDENTITY FULL")
    pair.legacy.execute(f"UPDATE item SET body = (SELECT {LARGE}) WHERE id <= 3")
    pair.legacy.execute("UPDATE item SET size = 77 WHERE id <= 3")
    pair.legacy.execute("UPDATE item SET id = 1003 WHERE id = 3")
    pair.legacy.execute("UPDATE item SET kind = 'x' WHERE id = 2")
    pair.catches_up("out of the mapping")
    pair.legacy.execute("UPDATE item SET kind = 'a' WHERE id = 2")  # its large value is in the old row, not in the new
    pair.catches_up("back")
    assert rows(pair.modern, "SELECT length(body), size FROM thing WHERE thing_id IN (1, 2, 1003)") == [(64000, 77)] * 3


def test_the_target_keeps_what_no_mapping_gives(pair: ItemPair, streams: Streaming) -> None:
    pair.modern.execute("SET session_replication_role = replica")
    pair.modern.execute("UPDATE thing SET added_later = 'kept' WHERE thing_id = 4")
    pair.legacy.execute("UPDATE item SET size = 5 WHERE id = 4")
    pair.catches_up()
    assert rows(pair.modern, "SELECT added_later FROM thing WHERE thing_id IN (4, 5) ORDER BY thing_id") == [
        ("kept",),
        ("mine",),
    ]


def test_a_key_changes_with_and_without_a_large_value(pair: ItemPair, streams: Streaming) -> None:
    pair.legacy.execute("UPDATE item SET id = id + 1000 WHERE id IN (1, 2)")
    pair.catches_up("small")
    pair.legacy.execute(f"UPDATE item SET body = (SELECT {LARGE}) WHERE id = 3")
    pair.catches_up("large")
    with pair.legacy.transaction():
        pair.legacy.execute("UPDATE item SET size = 9 WHERE id = 4")
        pair.legacy.execute("UPDATE item SET id = 1003, size = 8 WHERE id = 3")
        pair.legacy.execute("UPDATE item SET id = 3 WHERE id = 4")
    pair.catches_up("moved")
    assert rows(pair.modern, "SELECT length(body) FROM thing WHERE thing_id = 1003") == [(64000,)]


def test_a_row_moves_out_of_the_mapping_and_back(pair: ItemPair, streams: Streaming) -> None:
    pair.legacy.execute("DELETE FROM part WHERE item IN (1, 2)")
    pair.legacy.execute("UPDATE item SET kind = 'x' WHERE id IN (1, 2)")
    pair.catches_up("out")
    assert rows(pair.modern, "SELECT count(*) FROM thing WHERE thing_id IN (1, 2)") == [(0,)]
    pair.legacy.execute("UPDATE item SET kind = 'b' WHERE id = 1")
    pair.catches_up("back")


def test_truncate_empties_the_target(pair: ItemPair, streams: Streaming) -> None:
    with pair.legacy.transaction():
        pair.legacy.execute("INSERT INTO item VALUES (300, 'a', 'before', NULL, 0)")
        pair.legacy.execute("TRUNCATE item, part")
        pair.legacy.execute("INSERT INTO item VALUES (301, 'a', 'after', NULL, 0)")
    pair.catches_up()
    assert rows(pair.modern, "SELECT thing_id FROM thing") == [(301,)]


def test_two_rows_swap_a_unique_value(pair: ItemPair, streams: Streaming) -> None:
    with pair.legacy.transaction():
        pair.legacy.execute("UPDATE item SET name = 'in between' WHERE id = 1")
        pair.legacy.execute("UPDATE item SET name = 'name 1' WHERE id = 2")
        pair.legacy.execute("UPDATE item SET name = 'name 2' WHERE id = 1")
    pair.catches_up()


def test_columns_that_no_mapping_reads_come_and_go(pair: ItemPair, streams: Streaming) -> None:
    with pair.legacy.transaction():
        pair.legacy.execute("UPDATE item SET size = 1")
        pair.legacy.execute("ALTER TABLE item ADD extra text DEFAULT 'e'")
        pair.legacy.execute("UPDATE item SET size = 2 WHERE id < 10")
        pair.legacy.execute("ALTER TABLE item DROP extra")
        pair.legacy.execute("UPDATE item SET size = 3 WHERE id < 5")
    pair.catches_up()


@pytest.mark.parametrize("seed", [1, 2])
def test_random_transactions_leave_both_sides_equal(pair: ItemPair, streams: Streaming, seed: int) -> None:
    chance = random.Random(seed)
    childless = "NOT EXISTS (SELECT FROM part WHERE item = id)"
    for _ in range(60):
        with pair.legacy.transaction(force_rollback=chance.random() < 0.2):
            for _ in range(chance.randint(1, 6)):
                kind = chance.choice("abx")
                first, second = chance.randint(1, 20), chance.randint(1, 20)
                statement = chance.choice(
                    [
                        f"INSERT INTO item VALUES ({first}, 'a', NULL, 'b', {second}) ON CONFLICT DO NOTHING",
                        f"UPDATE item SET body = (SELECT {LARGE}) WHERE id = {first}",
                        f"UPDATE item SET kind = '{kind}', body = 'b' WHERE {childless} AND id = {first}",
                        f"UPDATE item SET size = size + 1 WHERE id BETWEEN {first} AND {second}",
                        f"UPDATE item SET id = {second} WHERE id = {first} AND NOT {second} IN (SELECT id FROM item)",
                        f"DELETE FROM item WHERE id = {first}",
                        f"DELETE FROM part WHERE item = {first}",
                    ]
                )
                pair.legacy.execute(statement)
    pair.catches_up()
