"""Half-open ranges of a key that cover all of its values, each found by the index when it is due."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

from cdc.verification.verify_sql import Comparison, Range, Side

Ask = Callable[[str, dict[str, object]], list[tuple[Any, ...]]]


def key_ranges(comparison: Comparison, side: Side, rows: int, ask: Ask) -> Iterator[Range]:
    """Ranges of about so many rows of that side; more where so many share one value of the key's first column.

    The whole table is one range where that column cannot be found by an index on both sides.
    """
    low: object = None
    while comparison.can_be_ranged:
        found = ask(comparison.bound(side), {"low": low, "rows": rows})
        if found and found[0][0] == low:
            found = ask(comparison.next_value(side), {"low": low})
        if not found:
            break
        yield Range(low, found[0][0])
        low = found[0][0]
    yield Range(low, None)
