"""Mapping files and catalogues for tests: written in a line, built against tables that a line describes."""

from __future__ import annotations

import re
from pathlib import Path

from cdc.catalogue import Catalogue, Column, Table
from cdc.mapping import Mapping
from cdc.translation.build import build
from cdc.translation.refusals import MappingRefused


def table(name: str, columns: str, key: str = "id") -> Table:
    """A table of "id integer, c char(4)?" where the question mark says that NULL is allowed."""
    found = []
    for part in re.split(r",\s*(?![^(]*\))", columns):
        column, _, kind = part.strip().partition(" ")
        found.append(Column(column, kind.removesuffix("?"), not_null=not kind.endswith("?")))
    names = tuple(key.split(", "))
    return Table(name, tuple(found), primary_key=names, identity_key=names)


def catalogue(*tables: Table) -> Catalogue:
    return Catalogue({found.name: found for found in tables})


def written(folder: Path, select: str, dialect: str = "oracle", target: str = "t", key: str = "id") -> Path:
    file = folder / f"{target}.sql"
    file.write_text(f"-- target: {target}\n-- key: {key}\n-- dialect: {dialect}\n{select}\n", encoding="utf-8")
    return file


def built(folder: Path, select: str, source: Table, target: Table, dialect: str = "oracle") -> Mapping:
    """The mapping, or the test fails with the reason of the refusal."""
    file = written(folder, select, dialect, target.name, ", ".join(target.primary_key))
    result = build(file, catalogue(source), catalogue(target))
    assert isinstance(result, Mapping), [str(problem) for problem in result]
    return result


def refused(folder: Path, select: str, source: Table, target: Table, dialect: str = "oracle") -> list[MappingRefused]:
    """The problems, or the test fails because there are none."""
    file = written(folder, select, dialect, target.name, ", ".join(target.primary_key))
    result = build(file, catalogue(source), catalogue(target))
    assert not isinstance(result, Mapping), result.select()
    return result
