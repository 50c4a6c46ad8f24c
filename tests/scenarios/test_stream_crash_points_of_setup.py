"""Killed at any named moment of the first start, the streams are made whole by the next one.

The suite has three of these moments; `make crash-points` has all, each also twice in a row.
"""

from __future__ import annotations

from pathlib import Path

import pytest

from cdc.crash_points import SETUP_POINTS
from tests.support.crashes import IS_WHOLE, Hits, dies_at, show
from tests.support.item_pair import BOTH_WAYS, item_pair
from tests.support.streams import once, rows

RESUMED: Hits = (("backfill.committed", 2), ("backfill.caught_up", 1))  # only a second start comes by there
ONCE: list[Hits] = [((point, 1),) for point in SETUP_POINTS if point != "backfill.caught_up"]
ONLY_ONCE = ("setup.reverse_row", "backfill.done")  # the next start finds it done and does not come by again
TWICE: list[Hits] = [(one, one) for ((one),) in ONCE if one[0] not in ONLY_ONCE]
SECOND: list[Hits] = [*[((point, 2),) for point in ("backfill.copied", "backfill.committed")], RESUMED]
CASES = (
    [*ONCE, *TWICE, *SECOND]
    if IS_WHOLE
    else [((point, 1),) for point in ("setup.reverse_slot", "backfill.tables")] + [RESUMED]
)


@pytest.mark.parametrize("hits", CASES, ids=show)
def test_killed_while_it_is_set_up(tmp_path: Path, legacy_db: str, modern_db: str, hits: Hits) -> None:
    with item_pair(tmp_path, legacy_db, modern_db, BOTH_WAYS) as pair:
        pair.legacy.execute("INSERT INTO item SELECT n, 'a', NULL, NULL, 0 FROM generate_series(1, 20) AS n")
        pair.legacy.execute("INSERT INTO part SELECT n, 1, NULL FROM generate_series(1, 20) AS n")
        for number, (point, hit) in enumerate(hits, 1):
            dies_at(pair.routes, point, hit, lambda: None)
            pair.legacy.execute(f"UPDATE item SET size = {number} WHERE id = {number}")
            pair.legacy.execute(f"DELETE FROM part WHERE item = {10 + number}")
        once(pair.routes)
        assert pair.is_equal()
        pair.legacy.execute("UPDATE item SET size = 7")
        once(pair.routes)
        assert pair.is_equal()
        slots = rows(
            pair.legacy, "SELECT slot_name::text FROM pg_replication_slots WHERE database = current_database()"
        )
        assert slots == [("strangler_accounts_forward",)]
