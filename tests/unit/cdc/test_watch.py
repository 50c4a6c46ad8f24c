from pathlib import Path

import pytest

from cdc.watch import Look, wal_level, with_rates
from config.model import Sync

SYNC = Sync(source="a", target="b", mappings=Path("m"), wal_warn=1000, wal_page=5000)


@pytest.mark.parametrize(("held", "level"), [(0, "ok"), (1000, "ok"), (1001, "warn"), (5000, "warn"), (5001, "page")])
def test_held_log_warns_and_then_calls(held: int, level: str) -> None:
    assert wal_level(held, SYNC) == level


def test_rates_are_what_came_between_two_looks() -> None:
    before = Look("s", "streaming", applied_rows=100, applied_transactions=10)
    after = Look("s", "streaming", applied_rows=400, applied_transactions=11, lag_bytes=7)
    seen = with_rates(before, after, 2.0)
    assert (seen.rows_per_second, seen.transactions_per_second, seen.lag_bytes) == (150.0, 0.5, 7)
