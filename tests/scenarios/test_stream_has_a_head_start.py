"""The source begins to send before the program knows its mappings; nothing is lost, doubled or confirmed by that."""

from __future__ import annotations

import threading
from collections.abc import Iterator

import pytest

from cdc.streaming import pgoutput
from cdc.streaming.head_start import head_start
from cdc.streaming.stream import ReplicationStream
from cdc.sync import Running, run
from tests.support.item_pair import BOTH_WAYS, ItemPair, item_pair
from tests.support.streams import once, rows, state
from tests.support.waiting import wait_until

SLOT = "strangler_accounts_forward"


@pytest.fixture(scope="module")
def pair(tmp_path_factory: pytest.TempPathFactory, databases_of_the_module: tuple[str, str]) -> Iterator[ItemPair]:
    with item_pair(tmp_path_factory.mktemp("ahead"), *databases_of_the_module, BOTH_WAYS) as pair:
        pair.legacy.execute("INSERT INTO item SELECT n, 'a', NULL, NULL, 0 FROM generate_series(1, 20) AS n")
        once(pair.routes)
        yield pair


def test_what_was_sent_early_is_applied_once_and_what_came_later_as_well(pair: ItemPair) -> None:
    before = state(pair.modern)
    pair.legacy.execute("UPDATE item SET size = size + 1")
    with head_start(pair.routes, "accounts") as ahead:
        assert ahead is not None
        wait_until(lambda: sent_beyond(pair, str(before.position)), "the source sends")
        pair.legacy.execute("UPDATE item SET size = size + 1 WHERE id <= 5")
        assert confirmed(pair) == before.position, "nothing is confirmed that nobody has applied"
        run(pair.routes, "accounts", once=True, stop=threading.Event(), running=Running(ahead=ahead))
    assert pair.is_equal()
    assert state(pair.modern).applied_rows - before.applied_rows == 25
    once(pair.routes)
    assert state(pair.modern).applied_rows - before.applied_rows == 25


def test_the_slot_is_free_where_nobody_went_on(pair: ItemPair) -> None:
    with head_start(pair.routes, "accounts") as ahead:
        assert ahead is not None
        assert is_read(pair)
    assert not is_read(pair)
    once(pair.routes)


def test_while_another_process_reads_there_is_none(pair: ItemPair) -> None:
    with head_start(pair.routes, "accounts"), head_start(pair.routes, "accounts") as second:
        assert second is None


def test_rows_that_may_travel_as_text_have_none(pair: ItemPair) -> None:
    pair.legacy.execute("CREATE TYPE colour AS ENUM ('red'); ALTER TABLE item ADD COLUMN colours colour[]")
    with head_start(pair.routes, "accounts") as ahead:
        assert ahead is None
    pair.legacy.execute("ALTER TABLE item DROP COLUMN colours")


def test_a_stream_that_must_be_text_after_all_begins_anew(pair: ItemPair) -> None:
    with head_start(pair.routes, "accounts") as ahead:
        assert ahead is not None
        stream = ahead.claim()
        pair.legacy.execute("UPDATE item SET size = 9 WHERE id = 9")
        position = pgoutput.parse_lsn(str(state(pair.modern).position))
        stream.start(SLOT, SLOT, position, is_text=True)
        update = wait_until(lambda: next_update(stream), "the update comes")
        stream.close()
    assert update[pgoutput.TUPLE + 2] == pgoutput.TEXT


def next_update(stream: ReplicationStream) -> bytes | None:
    stream.wait(0.1)
    while (found := stream.read(1))[0] > 0:
        data = bytes(found[1])
        if data[0] == pgoutput.XLOG_DATA and data[pgoutput.KIND] == pgoutput.UPDATE:
            return data
    return None


def sent_beyond(pair: ItemPair, position: str) -> bool:
    query = f"SELECT sent_lsn > '{position}' FROM pg_stat_replication WHERE application_name = 'strangler-sync'"
    return any(row[0] for row in rows(pair.legacy, query))


def confirmed(pair: ItemPair) -> object:
    return rows(pair.legacy, f"SELECT confirmed_flush_lsn::text FROM pg_replication_slots WHERE slot_name = '{SLOT}'")[
        0
    ][0]


def is_read(pair: ItemPair) -> bool:
    return bool(rows(pair.legacy, f"SELECT active FROM pg_replication_slots WHERE slot_name = '{SLOT}'")[0][0])
