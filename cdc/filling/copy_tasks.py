"""What a worker copies at a time: a table, or some pages of a large one; and how many rows are to be expected."""

from __future__ import annotations

from dataclasses import dataclass

import psycopg

from cdc.mapping import Mapping
from cdc.sql_types import quoted, quoted_table
from cdc.statements import table, wide

RANGE_PAGES = 8_192  # 64 MiB of a table a worker's turn
_PAGE_MAX = 0xFFFFFFFE


@dataclass(frozen=True)
class Size:
    """What the source's catalogue says of a table: its pages, and about how many rows, if it was ever analysed."""

    pages: int
    rows: int | None
    has_pages: bool  # it is one relation whose rows have an address


@dataclass(frozen=True)
class Task:
    """One table, or the pages of it from the first up to the last (not included)."""

    mapping: Mapping
    pages: tuple[int, int] | None = None

    def select(self) -> str:
        """The mapping's SELECT over these rows, each column in the type of the target without its modifier."""
        source = None
        if self.pages is not None:
            first, end = self.pages
            name = quoted_table(self.mapping.source_table)
            source = f"(SELECT * FROM {name} WHERE ctid >= '({first},0)' AND ctid < '({end},0)') AS strangler_range"  # noqa: S608 - quoted name, numbers
        columns = ", ".join(f"{quoted(one.name)}::{wide(one.type)}" for one in self.mapping.columns)
        return f"SELECT {columns} FROM ({self.mapping.select(source)}) AS strangler_rows"  # noqa: S608 - the mapping engine's own SQL


def size_of(source: psycopg.Connection, relation: str) -> Size:
    """The size of a table of the source; nothing where there is no such table."""
    row = source.execute(
        "SELECT pg_relation_size(c.oid) / current_setting('block_size')::bigint, c.reltuples::bigint, c.relkind = 'r' "
        "FROM pg_class c WHERE c.oid = to_regclass(%s)",
        (table(relation).as_string(source),),
    ).fetchone()
    pages, rows, has_pages = row or (0, -1, False)
    return Size(pages, rows if rows >= 0 else None, has_pages)


def tasks_of(mapping: Mapping, size: Size) -> list[Task]:
    """The pieces of a table; pure. The last range is open: the snapshot's rows may be on pages added since."""
    if not size.has_pages or size.pages <= RANGE_PAGES:
        return [Task(mapping)]
    firsts = range(0, size.pages, RANGE_PAGES)
    return [
        Task(mapping, (first, first + RANGE_PAGES if first + RANGE_PAGES < size.pages else _PAGE_MAX))
        for first in firsts
    ]
