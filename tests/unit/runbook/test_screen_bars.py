"""A person at a terminal sees a bar for each table, with the rows that are done and those that are expected."""

from __future__ import annotations

import io

from rich.console import Console

from cdc.filling.backfill import Copied
from runbook.screen_bars import bars


def test_a_table_has_one_bar_with_its_rows_and_what_is_done_with_it() -> None:
    screen = io.StringIO()
    with bars(Console(file=screen, force_terminal=True, width=120)) as tell:
        tell(Copied("account", 10, 40, "copying"))
        tell(Copied("account", 50, 40, "done"))
        tell(Copied("posting", 7, None, "copying"))
    last = screen.getvalue().rsplit("account", 1)[1]
    assert "50 rows" in last
    assert "done" in last
    assert "of about" not in last, "the estimate gives way to what was counted"
    assert "7 rows" in last
