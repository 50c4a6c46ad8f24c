"""The ranges of a table cover every page once, also pages that it has grown by since it was looked at."""

from __future__ import annotations

import itertools

from hypothesis import given
from hypothesis import strategies as st

from cdc.filling.copy_tasks import RANGE_PAGES, Size, tasks_of
from tests.support.small_mapping import small_mapping


@given(st.integers(0, 40 * RANGE_PAGES))
def test_ranges_cover_every_page_once(pages: int) -> None:
    tasks = tasks_of(small_mapping(), Size(pages, None, has_pages=True))
    if pages <= RANGE_PAGES:
        assert [task.pages for task in tasks] == [None]
        return
    ranges = [task.pages for task in tasks if task.pages]
    assert len(ranges) == len(tasks)
    assert ranges[0][0] == 0
    assert ranges[-1][1] > 1 << 31  # open: the snapshot's rows may be on pages that were added since
    assert all(one[1] == next_[0] for one, next_ in itertools.pairwise(ranges))


def test_what_is_no_plain_table_is_copied_whole() -> None:
    assert [task.pages for task in tasks_of(small_mapping(), Size(1_000_000, None, has_pages=False))] == [None]
