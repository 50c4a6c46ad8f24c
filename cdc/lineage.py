"""Where a column of a target table comes from: the mapping, the source's columns, the expression, and the way back."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar

from cdc.catalogue import read_catalogue
from cdc.mapping import Mapping, TargetColumn
from cdc.translation.build import build
from cdc.translation.refusals import MappingsRefused
from cdc.translation.terms import nearest_name
from cdc.verification.verify_sides import connect
from config.errors import USAGE, StranglerError

if TYPE_CHECKING:
    from config.model import Routes, Sync


@dataclass(frozen=True)
class Lineage:
    """One column's origin; `sources` are "table.column" of the source, `inverse` is over the target's columns."""

    capability: str
    file: str
    column: str
    sources: tuple[str, ...]
    expression: str
    kind: str
    inverse: str | None
    reason: str


@dataclass(eq=False)
class NotMapped(StranglerError):
    """No mapping gives the column."""

    column: str
    remedy: str
    exit_code: ClassVar[int] = USAGE

    @property
    def sentence(self) -> str:
        """The column that nothing gives."""
        return f"No mapping gives {self.column}."

    @property
    def hint(self) -> str:
        """The one most like it."""
        return self.remedy


def lineage(routes: Routes, wanted: str) -> tuple[Lineage, ...]:
    """The origin of "table.column", in every capability that maps it.

    Raises NotMapped, MappingsRefused, DatabaseDown.
    """
    found, known = [], []
    for name, capability in routes.capabilities.items():
        if capability.sync is None:
            continue
        for mapping in _mappings(routes, capability.sync):
            for column in mapping.columns:
                known.append(f"{mapping.target_table}.{column.name}")
                if known[-1] == wanted.lower():
                    found.append(_of(name, mapping, column))
    if not found:
        raise NotMapped(wanted, nearest_name(wanted, known))
    return tuple(found)


def _mappings(routes: Routes, sync: Sync) -> list[Mapping]:
    with connect(routes, sync.source) as source, connect(routes, sync.target) as target:
        catalogues = read_catalogue(source), read_catalogue(target)
    built = [build(file, *catalogues) for file in sorted(Path(sync.mappings).glob("*.sql"))]
    problems = [problem for one in built if not isinstance(one, Mapping) for problem in one]
    if problems:
        raise MappingsRefused(tuple(problems))
    return [one for one in built if isinstance(one, Mapping)]


def _of(capability: str, mapping: Mapping, column: TargetColumn) -> Lineage:
    return Lineage(
        capability=capability,
        file=str(mapping.file),
        column=f"{mapping.target_table}.{column.name}",
        sources=(*(f"{mapping.source_table}.{source}" for source in column.sources), *column.looked_up),
        expression=column.expression,
        kind=column.kind,
        inverse=column.inverse,
        reason=column.reason,
    )
