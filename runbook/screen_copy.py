"""Progress of a copy or a comparison of tables: bars with rate and time left, lines of JSON, or silence."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict
from time import monotonic

from cdc.filling.backfill import Copied
from cdc.filling.backfill import Progress as Tell

LINE_SECONDS = 1.0  # between two lines of one table


class Lines:
    """A JSON object a table and second on stderr, and one for each change of what is done."""

    def __init__(self) -> None:
        self._told: dict[str, tuple[str, float]] = {}
        self._started: dict[str, float] = {}

    def tell(self, copied: Copied) -> None:
        """Print it, unless the last line of this table is too young."""
        now = monotonic()
        started = self._started.setdefault(copied.table, now)
        doing, at = self._told.get(copied.table, ("", 0.0))
        if doing == copied.doing and now - at < LINE_SECONDS:
            return
        self._told[copied.table] = (copied.doing, now)
        rate = copied.rows / (now - started) if now > started else None
        left = max(copied.expected - copied.rows, 0) / rate if rate and copied.expected is not None else None
        facts = {"rows_per_second": rate and round(rate), "seconds_left": None if left is None else round(left, 1)}
        print(json.dumps({"event": "copy.progress", **asdict(copied), **facts}), file=sys.stderr, flush=True)


@contextmanager
def copy_progress(*, as_json: bool) -> Iterator[Tell]:
    """What to tell of a copy: bars where somebody watches, lines where a program does, else nothing."""
    if as_json:
        yield Lines().tell
        return
    if not sys.stderr.isatty():
        yield lambda _: None
        return
    from runbook.screen_bars import bars

    with bars() as tell:
        yield tell
