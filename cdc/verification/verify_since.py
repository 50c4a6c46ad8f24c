"""Only rows that were written since an earlier verification: where that one began, and which keys these are.

Every verification keeps, with its result, the oldest transaction that was open on either side when it began. A row that
was written since has that transaction's number or a later one. A row that was removed since has left nothing that could
be found, so of all other rows the number and the sum of the keys' hashes are compared, too. At one place of the log
these are exact while writes go on; without it they may never agree, and then the whole table is compared.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Set
from dataclasses import dataclass
from datetime import datetime
from functools import partial
from time import monotonic
from typing import Any

import psycopg

from cdc.verification.verify_sql import Comparison, Key, Side
from config.errors import NothingVerified

COUNTS_MAX = 3  # looks at the counts; writes in flight make them differ for a moment
COUNT_SECONDS = 1.0
AGE_MAX = 1 << 31  # transaction numbers are compared modulo 2**32
_POSITION = re.compile(r"[0-9A-Fa-f]{1,8}/[0-9A-Fa-f]{1,8}")
_COLUMNS = (
    "ALTER TABLE strangler.verify_result ADD COLUMN IF NOT EXISTS legacy_position pg_lsn, "
    "ADD COLUMN IF NOT EXISTS legacy_xid bigint, ADD COLUMN IF NOT EXISTS modern_xid bigint"
)
_NOW = "SELECT pg_current_wal_insert_lsn()::text, pg_snapshot_xmin(pg_current_snapshot())::text::bigint"
_FIND = (
    "SELECT legacy_position::text, legacy_xid, modern_xid FROM strangler.verify_result "
    "WHERE capability = %s AND equal AND legacy_xid IS NOT NULL AND {} ORDER BY at DESC LIMIT 1"
)


@dataclass(frozen=True)
class Mark:
    """Where a verification began: legacy's log, and the oldest open transaction of either side."""

    legacy_position: str
    legacy_xid: int
    modern_xid: int

    def xid(self, side: Side) -> int:
        """The transaction of that side."""
        return self.legacy_xid if side == "legacy" else self.modern_xid


def mark_now(legacy: psycopg.Connection[Any], modern: psycopg.Connection[Any]) -> Mark:
    """Where a verification that begins now begins."""
    ours, theirs = legacy.execute(_NOW).fetchone(), modern.execute(_NOW).fetchone()
    if ours is None or theirs is None:
        raise AssertionError("a SELECT without FROM has a row")
    return Mark(ours[0], ours[1], theirs[1])


def keep_marks(modern: psycopg.Connection[Any]) -> None:
    """Make room for marks beside the results."""
    modern.execute(_COLUMNS)


def find_mark(modern: psycopg.Connection[Any], capability: str, since: str | datetime, now: Mark) -> Mark:
    """The last verification that began no later than a time, or a position of legacy's log, and found no difference.

    Raises NothingVerified.
    """
    is_position = isinstance(since, str) and _POSITION.fullmatch(since)
    test = "legacy_position <= %s::text::pg_lsn" if is_position else "at <= %s::timestamptz"
    row = None
    if modern.execute("SELECT to_regclass('strangler.verify_result')").fetchone() != (None,):
        keep_marks(modern)
        row = modern.execute(_FIND.format(test).encode(), (capability, since)).fetchone()
    if row is None or max(now.legacy_xid - row[1], now.modern_xid - row[2]) >= AGE_MAX:
        raise NothingVerified(capability, str(since))
    return Mark(*row)


@dataclass(frozen=True)
class Asking:
    """How both sides are asked, at once; how to wait until the stream has brought what its source has, if one runs; and
    the keys that are in flight between the snapshots that are asked, None where there are none.
    """

    both: Callable[[Callable[[Side], tuple[str, dict[str, object]]]], tuple[list[Any], list[Any]]]
    catch_up: Callable[[float], bool] | None
    in_flight: Set[Key] | None = None


def touched_keys(comparison: Comparison, mark: Mark, asking: Asking, most: int) -> set[Key] | None:
    """Keys of rows that either side has written since; None where the whole table must be compared."""
    sides = asking.both(lambda side: comparison.touched(side, mark.xid(side), most + 1))
    keys = {tuple(row) for rows in sides for row in rows}
    if len(keys) > most or not _others_agree(comparison, asking, keys | (asking.in_flight or set())):
        return None
    return keys


def _others_agree(comparison: Comparison, asking: Asking, keys: Set[Key]) -> bool:
    """Whether both sides have the same keys, apart from these."""
    waits = asking.catch_up if asking.in_flight is None else None
    for _ in range(COUNTS_MAX if waits else 1):
        if waits:
            waits(monotonic() + COUNT_SECONDS)
        legacy, modern = asking.both(comparison.count)
        if keys:
            less = asking.both(partial(comparison.count, keys=list(keys)))
            legacy, modern = [without(legacy[0], less[0][0])], [without(modern[0], less[1][0])]
        if legacy == modern:
            return True
    return False


def without(all_rows: tuple[int, Any], some: tuple[int, Any]) -> tuple[int, Any]:
    """Number and sum of all rows but some; pure."""
    return all_rows[0] - some[0], all_rows[1] - some[1]
