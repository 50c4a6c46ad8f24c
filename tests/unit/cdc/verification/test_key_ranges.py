"""Ranges of a key cover every value once, whatever the values are and however often each of them occurs."""

from __future__ import annotations

import itertools
from bisect import bisect_left, bisect_right
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from cdc.verification.key_ranges import key_ranges
from cdc.verification.verify_sql import Comparison
from tests.support.small_mapping import small_mapping


@given(st.lists(st.integers(-20, 20)).map(sorted), st.integers(1, 8))
def test_every_row_is_in_exactly_one_range(keys: list[int], rows: int) -> None:
    def ask(text: str, values: dict[str, object]) -> list[tuple[Any, ...]]:
        low = values["low"]
        if "rows" in values:
            start = 0 if low is None else bisect_left(keys, low)  # type: ignore[call-overload]
            return [(key,) for key in keys[start + rows : start + rows + 1]]
        return [(key,) for key in keys[bisect_right(keys, low) :][:1]]  # type: ignore[call-overload]

    ranges = list(key_ranges(Comparison(small_mapping()), "legacy", rows, ask))
    assert ranges[0].low is None
    assert ranges[-1].high is None
    assert all(one.high == after.low for one, after in itertools.pairwise(ranges))
    assert all(one.low < one.high for one in ranges[1:-1])  # type: ignore[operator]
    for part in ranges:
        inside = [
            key for key in keys if (part.low is None or key >= part.low) and (part.high is None or key < part.high)
        ]
        assert len(inside) <= rows or len(set(inside)) <= max(rows, 1)
