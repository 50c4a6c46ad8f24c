"""A folder of mapping files, resolved against both databases' catalogues: every problem of all, or parents first."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING

from cdc.catalogue import Catalogue, read_catalogue
from cdc.mapping import Mapping
from cdc.translation.build import build
from cdc.translation.refusals import NOWHERE, MappingRefused, MappingsRefused, Place

if TYPE_CHECKING:
    import psycopg

    from config.model import Sync


def load_mappings(sync: Sync, source_conn: psycopg.Connection, target_conn: psycopg.Connection) -> tuple[Mapping, ...]:
    """The mappings of a capability's `sync`, resolved against both databases as they are now.

    Raises MappingsRefused with every problem of every file.
    """
    return load(sync.mappings, read_catalogue(source_conn), read_catalogue(target_conn))


def load(path_dir: Path, source: Catalogue, target: Catalogue) -> tuple[Mapping, ...]:
    """Read every *.sql of a folder. Raises MappingsRefused with every problem of every file.

    Parents come before children by the target's foreign keys.
    """
    files = sorted(path_dir.glob("*.sql")) if path_dir.is_dir() else []
    if not files:
        raise MappingsRefused((MappingRefused(path_dir, NOWHERE, "there is no mapping (*.sql) in this folder"),))
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
    """The mappings so that a target table comes after the tables it refers to in the catalogue, and looks up."""
    first = sorted(mappings, key=lambda mapping: not mapping.is_reference)
    by_table = {mapping.target_table: mapping for mapping in first}
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
            problems.append(MappingRefused(mapping.file, Place(1), problem, "A table belongs to one mapping."))
    return problems
