"""Statements that add to a row or make it; built once, because building one costs more than running it."""

from __future__ import annotations

from collections.abc import Sequence

from sqlalchemy import Table
from sqlalchemy.dialects.postgresql import Insert, insert  # SQLite understands what it makes


def upsert(table: Table, *, add: Sequence[str] = (), put: Sequence[str] = (), by: Sequence[str] = ()) -> Insert:
    """An INSERT for all columns of the table; where the row is there already, `add` columns are added to and `put`
    columns replaced. `by` names the unique columns if they are not the primary key."""
    new = insert(table)
    sums = {name: table.c[name] + new.excluded[name] for name in add}
    sums |= {name: new.excluded[name] for name in put}
    unique = list(by) or [column.name for column in table.primary_key]
    return new.on_conflict_do_update(index_elements=unique, set_=sums)
