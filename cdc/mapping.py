"""A mapping: one SELECT over one source table that is the copy query, the stream's transform and the verify query.

`load` reads a folder of files, resolves them against both databases' catalogues and gives `Mapping` objects, parents
before children. A Mapping is plain data and SQL text: the streams need no parser. Its way back is a Mapping, too.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING

from cdc.inverse import Kind
from cdc.refusals import MappingRefused, MappingsRefused, NotInvertible
from cdc.sql_types import quoted, quoted_table

if TYPE_CHECKING:
    from cdc.catalogue import Catalogue


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
    is no inverse.
    """

    name: str
    type: str
    kind: Kind
    sources: tuple[str, ...]
    inverse: str | None
    guard: str | None
    expression: str = ""
    reason: str = ""


@dataclass(frozen=True)
class Mapping:
    """One source table to one target table, in either direction.

    `reads` are in attnum order: a staging table has exactly these columns. `consistent` is SQL over the source's
    columns: true for the rows that lose nothing beyond what the columns' guards say (a column that is computed from
    another one must still agree with it).
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
    way_back: Mapping | NotInvertible | None = field(default=None, repr=False, compare=False)

    def select(self, source: str | None = None) -> str:
        """The SELECT of the target's columns, FROM the source table or a relation (already quoted)."""
        outputs = ", ".join(_output(column.expression, column.name) for column in self.columns)
        condition = f" WHERE {self.where}" if self.where else ""
        return f"SELECT {outputs} FROM {source or quoted_table(self.source_table)}{condition}"  # noqa: S608 - quoted

    def select_keys(self, relation: str, condition: str) -> str:
        """The SELECT of the key's columns FROM a relation (already quoted) WHERE a condition."""
        named = {column.name: column.expression for column in self.columns}
        outputs = ", ".join(_output(named[name], name) for name in self.key)
        return f"SELECT {outputs} FROM {relation} WHERE {condition}"  # noqa: S608 - quoted

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


def load(path_dir: Path, source: Catalogue, target: Catalogue) -> tuple[Mapping, ...]:
    """Read every *.sql of a folder. Raises MappingsRefused with every problem of every file.

    Parents come before children by the target's foreign keys.
    """
    from cdc.build_mapping import build

    files = sorted(path_dir.glob("*.sql")) if path_dir.is_dir() else []
    if not files:
        raise MappingsRefused((MappingRefused(path_dir, 0, "there is no mapping (*.sql) in this folder"),))
    found: list[Mapping] = []
    problems: list[MappingRefused] = []
    for file in files:
        result = build(file, source, target)
        if isinstance(result, Mapping):
            found.append(result)
        else:
            problems += result
    problems += _shared(found, "target_table") + _shared(found, "source_table")
    if problems:
        raise MappingsRefused(tuple(problems))
    return parents_first(found, target)


def parents_first(mappings: Iterable[Mapping], catalogue: Catalogue) -> tuple[Mapping, ...]:
    """The mappings so that a target table comes after the tables it refers to in the catalogue."""
    by_table = {mapping.target_table: mapping for mapping in mappings}
    return tuple(by_table[name] for name in catalogue.parents_first(tuple(by_table)))


def _shared(mappings: list[Mapping], attribute: str) -> list[MappingRefused]:
    # Two mappings into one table would take each other's rows for surplus; two of one source need one staging table.
    first: dict[str, Mapping] = {}
    problems = []
    for mapping in mappings:
        other = first.setdefault(getattr(mapping, attribute), mapping)
        if other is not mapping:
            problem = (
                f"{attribute.removesuffix('_table')} {getattr(mapping, attribute)} is mapped by {other.file.name}, too"
            )
            problems.append(MappingRefused(mapping.file, 1, problem, "A table belongs to one mapping."))
    return problems
