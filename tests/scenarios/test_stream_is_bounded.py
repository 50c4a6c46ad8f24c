"""A transaction of any size passes in parts, inside one transaction of the target, in little memory."""

from __future__ import annotations

from pathlib import Path

import pytest

from cdc.streaming import pipeline
from cdc.streaming.batch import Limits, Part
from cdc.streaming.handover import PARTS_MAX
from cdc.streaming.reader import Reader
from tests.support.item_pair import item_pair
from tests.support.streams import mark, once, rows, state, streaming

LIMITS = Limits(rows=500, bytes=64 << 10)


@pytest.fixture
def parts(monkeypatch: pytest.MonkeyPatch) -> list[Part]:
    """Every part that a reader with small limits hands over."""
    seen: list[Part] = []

    class Small(Reader):
        def __post_init__(self) -> None:
            super().__post_init__()
            self.limits = LIMITS

        def _offer(self, part: Part) -> None:
            seen.append(Part(list(part.changes), part.layouts, part.first, part.ending))
            super()._offer(part)

    monkeypatch.setattr(pipeline, "Reader", Small)
    return seen


def test_a_large_transaction_comes_in_parts_and_commits_once(
    tmp_path: Path, legacy_db: str, modern_db: str, parts: list[Part]
) -> None:
    with item_pair(tmp_path, legacy_db, modern_db) as pair:
        once(pair.routes)
        with pair.legacy.transaction():
            pair.legacy.execute(
                "INSERT INTO item SELECT n, 'a', 'n' || n, repeat('b', 100), 1 FROM generate_series(1, 20000) AS n"
            )
            pair.legacy.execute("UPDATE item SET size = 2 WHERE id % 3 = 0")
            pair.legacy.execute("DELETE FROM item WHERE id % 7 = 0")
        before = rows(pair.modern, "SELECT xmin::text FROM strangler.stream")
        once(pair.routes)
        assert pair.is_equal()
        assert state(pair.modern).applied_rows == 20000 + 6666 + 2857
        assert max(sum(map(len, part.changes)) for part in parts) <= 2 * LIMITS.bytes + (1 << 10)
        assert max(len(part.changes) for part in parts) <= 2 * LIMITS.rows
        assert len([part for part in parts if part.ending is None]) > PARTS_MAX
        assert before != rows(pair.modern, "SELECT xmin::text FROM strangler.stream")
        transactions = rows(pair.modern, "SELECT count(DISTINCT age(xmin)) FROM thing")
        assert transactions[0][0] < 200  # sub-transactions of the parts, not one a row


def test_a_part_that_is_refused_is_searched_inside_the_large_transaction(
    tmp_path: Path, legacy_db: str, modern_db: str, parts: list[Part]
) -> None:
    with item_pair(tmp_path, legacy_db, modern_db) as pair, streaming(pair.routes, modern_db) as streams:
        with pair.legacy.transaction():
            pair.legacy.execute("INSERT INTO item SELECT n, 'a', 'n' || n, NULL, 1 FROM generate_series(1, 3000) AS n")
            pair.legacy.execute("UPDATE item SET name = 'other' WHERE id = 2999")
            pair.legacy.execute("UPDATE item SET name = 'n2999' WHERE id = 2998")
            pair.legacy.execute("UPDATE item SET name = 'n2998' WHERE id = 2999")
        pair.catches_up()
        assert streams.error is None


def test_many_small_transactions_are_applied_together(
    tmp_path: Path, legacy_db: str, modern_db: str, parts: list[Part]
) -> None:
    with item_pair(tmp_path, legacy_db, modern_db) as pair:
        once(pair.routes)
        for number in range(1, 400):
            pair.legacy.execute("INSERT INTO item VALUES (%s, 'a', NULL, NULL, 1)", (number,))
        parts.clear()
        once(pair.routes)
        assert pair.is_equal()
        assert len(parts) < 20


def test_a_transaction_that_was_cut_off_leaves_nothing(
    tmp_path: Path, legacy_db: str, modern_db: str, parts: list[Part]
) -> None:
    with item_pair(tmp_path, legacy_db, modern_db) as pair:
        with streaming(pair.routes, modern_db) as streams:
            pair.modern.execute("BEGIN; LOCK TABLE thing IN ACCESS EXCLUSIVE MODE")
            pair.legacy.execute("INSERT INTO item SELECT n, 'a', NULL, NULL, 1 FROM generate_series(1, 5000) AS n")
            pair.modern.execute("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE wait_event_type = 'Lock'")
            pair.modern.execute("COMMIT")
            mark(pair.legacy, pair.modern, "end")
            assert streams.error is None
        assert pair.is_equal()
