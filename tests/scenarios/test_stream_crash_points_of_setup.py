"""Killed at any named moment of the first start, the streams are made whole by the next one.

The suite has three of these cases; `make crash-points` has all moments, all pairs of them that can follow each other, and
what can follow on a start that goes on with an interrupted copy.
"""

from __future__ import annotations

from pathlib import Path

import pytest

from cdc.crash_points import SETUP_POINTS
from tests.support.crashes import IS_WHOLE, Hits, dies_at, show
from tests.support.item_pair import BOTH_WAYS, item_pair
from tests.support.streams import once, rows

RESUMED: Hits = (("backfill.committed", 2), ("backfill.caught_up", 1))  # only a second start comes by there
FIRST_START = tuple(point for point in SETUP_POINTS if point != "backfill.caught_up")
WITHOUT_REVERSE = tuple(point for point in FIRST_START if not point.startswith("setup.reverse"))
# What the next start comes by: it leaves what is done, and a killed process does not come by at all where it finds the end.
NEXT_START = {
    **dict.fromkeys(("setup.tables", "setup.reverse_slot"), FIRST_START),
    **dict.fromkeys(FIRST_START[2:], WITHOUT_REVERSE),
    "backfill.tables": ("setup.tables", "backfill.row"),
    "backfill.done": ("setup.tables",),
}
ONCE: list[Hits] = [((point, 1),) for point in FIRST_START]
PAIRS: list[Hits] = [((one, 1), (other, 1)) for one in FIRST_START for other in NEXT_START[one]]
SECOND: list[Hits] = [((point, 2),) for point in ("backfill.copied", "backfill.committed")]
TRIPLES: list[Hits] = [(*RESUMED, (other, 1)) for other in ("backfill.caught_up", *WITHOUT_REVERSE)]
CASES = (
    [*ONCE, *PAIRS, *SECOND, RESUMED, *TRIPLES]
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
