"""A stream that could lose or falsify something does not start, or stops, and says what to do."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest

from cdc.streaming.slots import check_source
from cdc.streaming.stream_errors import (
    ChangesLost,
    OtherSource,
    RelationChanged,
    RowRefused,
    SecondApplier,
    SlotGone,
    SourceNotReady,
    ValueMissing,
)
from config.errors import DatabaseDown
from tests.support.item_pair import ItemPair, item_pair
from tests.support.streams import once, rows, state, streaming

SLOT = "strangler_accounts_forward"
DROP = "SELECT pg_drop_replication_slot(%s)"


@pytest.fixture
def pair(tmp_path: Path, legacy_db: str, modern_db: str) -> Iterator[ItemPair]:
    with item_pair(tmp_path, legacy_db, modern_db) as pair:
        pair.legacy.execute("INSERT INTO item VALUES (1, 'a', 'one', 'body', 1), (2, 'a', 'two', 'body', 2)")
        once(pair.routes)
        yield pair


def test_a_checkpoint_behind_the_slot(pair: ItemPair) -> None:
    pair.modern.execute("UPDATE strangler.stream SET position = position - 1")
    with pytest.raises(ChangesLost, match="restored from a backup"):
        once(pair.routes)
    assert state(pair.modern).state == "stopped"
    assert "are lost" in (state(pair.modern).error or "")


def test_a_slot_that_was_made_anew(pair: ItemPair) -> None:
    pair.legacy.execute(DROP, (SLOT,))
    pair.legacy.execute("INSERT INTO item VALUES (3, 'a', 'lost', NULL, 3)")
    pair.legacy.execute("SELECT pg_create_logical_replication_slot(%s, 'pgoutput')", (SLOT,))
    with pytest.raises(ChangesLost, match="made anew"):
        once(pair.routes)


def test_a_slot_that_is_gone(pair: ItemPair) -> None:
    pair.legacy.execute(DROP, (SLOT,))
    with pytest.raises(SlotGone, match="does not exist"):
        once(pair.routes)


def test_another_source(pair: ItemPair) -> None:
    pair.modern.execute("UPDATE strangler.stream SET system_id = '1'")
    with pytest.raises(OtherSource, match="system 1, timeline 1"):
        once(pair.routes)


def test_a_slot_that_somebody_else_advanced(pair: ItemPair) -> None:
    pair.legacy.execute("INSERT INTO item VALUES (3, 'a', 'lost', NULL, 3)")
    pair.legacy.execute("SELECT pg_replication_slot_advance(%s, pg_current_wal_lsn())", (SLOT,))
    with pytest.raises(ChangesLost, match="the changes between are lost"):
        once(pair.routes)
    assert rows(pair.modern, "SELECT count(*) FROM thing") == [(2,)]


def test_a_second_applier(pair: ItemPair, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("cdc.streaming.session.LEASE_SECONDS_MAX", 0.3)
    with streaming(pair.routes, pair.modern_db) as first:
        with pytest.raises(SecondApplier):
            once(pair.routes)
        assert first.error is None
        pair.catches_up()


def test_a_stopped_stream_goes_on_when_the_cause_is_gone(pair: ItemPair) -> None:
    pair.legacy.execute("INSERT INTO item VALUES (3, 'a', 'three', NULL, 1000), (4, 'a', 'four', NULL, 4)")
    with pytest.raises(RowRefused) as caught:
        once(pair.routes)
    assert '{"id": 3}' in str(caught.value)
    assert "thing_size_check" in str(caught.value)
    assert "three" not in str(caught.value)
    assert state(pair.modern).error == str(caught.value)
    assert rows(pair.modern, "SELECT count(*) FROM thing") == [(2,)]
    pair.modern.execute("ALTER TABLE thing DROP CONSTRAINT thing_size_check")
    once(pair.routes)
    assert pair.is_equal()
    assert (state(pair.modern).state, state(pair.modern).error) == ("streaming", None)


def test_a_running_stream_ends_with_the_reason(pair: ItemPair) -> None:
    with streaming(pair.routes, pair.modern_db) as streams:
        pair.legacy.execute("UPDATE item SET size = 5000 WHERE id = 2")
        assert isinstance(streams.ended(), RowRefused)
    assert state(pair.modern).state == "stopped"


def test_a_changed_column_that_a_mapping_reads(pair: ItemPair) -> None:
    with streaming(pair.routes, pair.modern_db) as streams:
        pair.legacy.execute("ALTER TABLE item ALTER size TYPE bigint")
        pair.legacy.execute("INSERT INTO item VALUES (3, 'a', 'three', NULL, 3)")
        assert isinstance(streams.ended(), RelationChanged)


def stops_before(pair: ItemPair, change: str, insert: str, problem: str) -> None:
    """What was written before the change arrives; the change itself stops the stream."""
    with streaming(pair.routes, pair.modern_db) as streams:
        pair.legacy.execute("INSERT INTO item VALUES (3, 'a', 'three', NULL, 3)")
        pair.legacy.execute(change.encode())
        pair.legacy.execute(insert.encode())
        error = streams.ended()
    assert isinstance(error, RelationChanged)
    assert problem in str(error)
    assert "sync check" in error.hint
    assert rows(pair.modern, "SELECT thing_id FROM thing ORDER BY 1") == [(1,), (2,), (3,)]


def test_a_renamed_column_that_a_mapping_reads(pair: ItemPair) -> None:
    change = "ALTER TABLE item RENAME size TO extent"
    stops_before(pair, change, "INSERT INTO item VALUES (4, 'a', 'four', NULL, 4)", "has no column size any more")


def test_a_dropped_column_that_a_mapping_reads(pair: ItemPair) -> None:
    change = "ALTER TABLE item DROP size"
    stops_before(pair, change, "INSERT INTO item VALUES (4, 'a', 'four', NULL)", "has no column size any more")


def test_a_replica_identity_that_is_gone(pair: ItemPair) -> None:
    change = "ALTER TABLE item REPLICA IDENTITY NOTHING"
    insert = "INSERT INTO item VALUES (4, 'a', 'four', NULL, 4)"
    stops_before(pair, change, insert, "has a replica identity that does not cover the mapping's key")


def test_a_row_that_comes_into_the_mapping_without_its_large_value(pair: ItemPair) -> None:
    pair.legacy.execute("ALTER TABLE item ALTER body SET STORAGE EXTERNAL")
    pair.legacy.execute("INSERT INTO item VALUES (3, 'x', 'three', repeat('large', 1000), 3)")
    pair.legacy.execute("UPDATE item SET kind = 'a' WHERE id = 3")
    once_in_one_batch = pytest.raises(ValueMissing, match="REPLICA IDENTITY FULL")
    pair.legacy.execute("UPDATE item SET kind = 'x' WHERE id = 3")
    once(pair.routes)
    pair.legacy.execute("UPDATE item SET kind = 'a' WHERE id = 3")
    with once_in_one_batch:
        once(pair.routes)


def test_a_table_that_is_added_to_the_mappings(pair: ItemPair) -> None:
    pair.legacy.execute("ALTER PUBLICATION strangler_accounts_forward DROP TABLE part")
    with streaming(pair.routes, pair.modern_db) as streams:
        assert isinstance(streams.ended(), SourceNotReady)
    assert "part" in str(streams.error)


def test_a_source_without_logical_decoding(pair: ItemPair) -> None:
    with psycopg.connect(pair.modern_db, autocommit=True) as conn:
        conn.execute("DELETE FROM strangler.stream")
    pair.legacy.execute(DROP, (SLOT,))
    pair.legacy.execute("CREATE ROLE small LOGIN")
    try:
        pair.legacy.execute("SET ROLE small")
        with pytest.raises(SourceNotReady, match="may not replicate"):
            check_source(pair.legacy, "accounts:forward")
    finally:
        pair.legacy.execute("RESET ROLE")
        pair.legacy.execute("DROP ROLE small")


def test_a_database_that_does_not_answer(pair: ItemPair) -> None:
    routes = pair.routes
    down = routes.databases["legacy"].model_copy(update={"url": "postgresql://127.0.0.1:1/none"})
    with pytest.raises(DatabaseDown, match="legacy"):
        once(routes.model_copy(update={"databases": {**routes.databases, "legacy": down}}))
