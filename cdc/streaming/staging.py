"""The staging tables of one session: made when they are first needed, and emptied the cheap way.

ON COMMIT DELETE ROWS would do it by itself, but a commit then truncates every such table with its TOAST table and
index, which takes milliseconds. So what is in a table is deleted before the next rows come, and only a table through
which many rows went is truncated: a scan would otherwise pass all that were deleted.
"""

from __future__ import annotations

from collections.abc import Sequence

from psycopg import sql

from cdc.statements import Statements
from cdc.streaming.copy_rows import Rows
from cdc.streaming.script import Step

DELETED_ROWS_MAX = 2_000


class Staging:
    """What is known of the tables; each is of one mapping and one role."""

    def __init__(self) -> None:
        self._of: dict[tuple[int, str], Statements] = {}  # those that exist
        self._passed: dict[tuple[int, str], int] = {}  # rows that went into one since it was truncated
        self._filled: set[tuple[int, str]] = set()
        self._unsure: set[tuple[int, str]] = set()  # a rollback may have undone its making or its emptying

    def copy(self, of: Statements, role: str, columns: Sequence[str], rows: Rows) -> list[Step]:
        """Put rows into a table; nothing where there are none."""
        if not rows.count:
            return []
        place = (of.place, role)
        making = [] if place in self._of else [Step(of.create(role))]
        self._of[place] = of
        self._passed[place] = self._passed.get(place, 0) + rows.count
        self._filled.add(place)
        return [*making, Step(of.copy(role, columns), rows)]

    def clear(self) -> list[Step]:
        """Empty what was filled before."""
        steps = []
        for place in sorted(self._filled | self._unsure):
            of, role = self._of[place], place[1]
            if place in self._unsure:
                steps.append(Step(of.create(role)))
            is_small = place not in self._unsure and self._passed[place] <= DELETED_ROWS_MAX
            steps.append(Step(sql.SQL("DELETE FROM {}" if is_small else "TRUNCATE {}").format(of.staging(role))))
            self._passed[place] = self._passed[place] if is_small else 0
        self._filled.clear()
        self._unsure.clear()
        return steps

    def rolled_back(self) -> None:
        """Something was undone: what is there and what is in it is found out by making and emptying it anew."""
        self._unsure.update(self._of)
