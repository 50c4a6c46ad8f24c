"""A mapping: one SELECT over one source table that is the copy query, the stream's transform and the verify query.

A Mapping is plain data and SQL text, so the streams need no parser. Its way back is a Mapping, too. The package
`cdc.translation` makes it from its author's file.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Literal

from cdc.sql_types import quoted, quoted_table
from config.errors import StranglerError

Kind = Literal["lossless", "guarded", "lossy", "constant", "opaque"]
"""How far the way back of a column can be trusted."""


@dataclass(eq=False)
class NotInvertible(StranglerError):
    """A mapping has no way back, so there can be no reverse stream for its table."""

    file: Path
    column: str
    reason: str

    @property
    def sentence(self) -> str:
        """The column and the reason."""
        return f"{self.file}: there is no way back for {self.column}: {self.reason}."

    @property
    def hint(self) -> str:
        """How a mapping gets a way back."""
        return (
            "Map the column by something that can be undone, add a column that keeps what is lost (`strangler sync "
            "check --residue` does it), or write the way back yourself below a line `-- reverse:` as a SELECT over the "
            "target table."
        )


@dataclass(frozen=True)
class SourceColumn:
    """A column that the mapping reads; `type` as format_type prints it."""

    name: str
    type: str


@dataclass(frozen=True)
class TargetColumn:
    """A column that the mapping gives.

    `expression` is SQL over the source's columns. `inverse` is SQL over the target's columns that gives the one source
    column back; `guard` is SQL over the source's columns, never NULL, true where that is exact. `reason` says why there
    is no inverse. `stands` is SQL over the target's columns for what a comparison sees in the column, if that is not
    the column itself. `looked_up` are columns of reference tables that the expression reads, as "table.column".
    """

    name: str
    type: str
    kind: Kind
    sources: tuple[str, ...]
    inverse: str | None
    guard: str | None
    expression: str = ""
    reason: str = ""
    stands: str = ""
    looked_up: tuple[str, ...] = ()


@dataclass(frozen=True)
class LookedUp:
    """A reference table in which a mapping looks rows up: by which columns of the source, of which unique key there.

    `is_enforced` if a foreign key of the source promises that every row finds its row.
    """

    table: str
    columns: tuple[str, ...]
    keys: tuple[str, ...]
    is_enforced: bool


@dataclass(frozen=True)
class Join:
    """The same lookup as a join, for whole tables: a sub-query a row would make a comparison six times as long.

    `values` are sub-queries of the columns' expressions, each with the column of the join that has its value.
    """

    clause: str
    values: tuple[tuple[str, str], ...]


@dataclass(frozen=True)
class Mapping:
    """One source table to one target table, in either direction.

    `reads` are in attnum order: a staging table has exactly these columns. `consistent` is SQL over the source's
    columns: true for the rows that lose nothing beyond what the columns' guards say (a column that is computed from
    another one must still agree with it).

    A mapping that looks rows up in reference tables reads those of the database in which it runs: as it stands those of
    the source, `staged` those that the stream has brought to the target. `again` gives the source's columns that are
    needed to derive the looked-up columns of a row of the target anew, as SQL over the target's columns.
    """

    file: Path
    source_table: str
    target_table: str
    key: tuple[str, ...]
    source_key: tuple[str, ...]
    reads: tuple[SourceColumn, ...]
    columns: tuple[TargetColumn, ...]
    where: str | None = None
    consistent: str | None = None
    is_reference: bool = False
    lookups: tuple[LookedUp, ...] = ()
    joins: tuple[Join, ...] = ()
    again: tuple[tuple[SourceColumn, str], ...] = ()
    staged: Mapping | None = field(default=None, repr=False, compare=False)
    way_back: Mapping | NotInvertible | None = field(default=None, repr=False, compare=False)

    def select(self, source: str | None = None) -> str:
        """The SELECT of the target's columns, FROM the source table or a relation (already quoted)."""
        condition = f" WHERE {self.where}" if self.where else ""
        return self.select_some(self.columns, source or quoted_table(self.source_table)) + condition

    def select_some(self, columns: Iterable[TargetColumn], relation: str) -> str:
        """The SELECT of some of the columns FROM a relation (already quoted)."""
        outputs = ", ".join(_output(column.expression, column.name) for column in columns)
        for sub_query, column in (value for join in self.joins for value in join.values):
            outputs = outputs.replace(sub_query, column)
        joins = "".join(f" {join.clause}" for join in self.joins)
        return f"SELECT {outputs} FROM {relation}{joins}"  # noqa: S608 - quoted

    def select_keys(self, relation: str, condition: str) -> str:
        """The SELECT of the key's columns FROM a relation (already quoted) WHERE a condition."""
        named = {column.name: column.expression for column in self.columns}
        outputs = ", ".join(_output(named[name], name) for name in self.key)
        return f"SELECT {outputs} FROM {relation} WHERE {condition}"  # noqa: S608 - quoted

    @property
    def at_target(self) -> Mapping:
        """The mapping as it runs in the target's database, over staged rows."""
        return self.staged or self

    @property
    def tables_read(self) -> tuple[str, ...]:
        """The tables of the source that its SELECT reads."""
        return (self.source_table, *dict.fromkeys(lookup.table for lookup in self.lookups))

    def reverse(self) -> Mapping:
        """The mapping from the target's rows to the source's. Raises NotInvertible with the column and the reason."""
        if isinstance(self.way_back, Mapping):
            return replace(self.way_back, way_back=self)
        if self.way_back is None:
            raise NotInvertible(self.file, self.target_table, "the mapping was made without its way back")
        raise NotInvertible(self.way_back.file, self.way_back.column, self.way_back.reason)


def _output(expression: str, name: str) -> str:
    name = quoted(name)
    return expression if expression == name else f"{expression} AS {name}"
