"""Makes a lossy mapping reversible: a pair of revisions for its residue columns, and the changed SELECT."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from cdc.residues import plan_residues
from cdc.sql_types import quoted, quoted_table
from config.model import Routes
from migrations.added_columns import AddedColumn, write_added_columns


@dataclass(frozen=True)
class ResidueColumn:
    """One column that was added: the column whose loss it keeps, where that comes from, and why it is lost."""

    table: str
    name: str
    of: str
    source: str
    reason: str


@dataclass(frozen=True)
class ResidueReport:
    """What was written."""

    columns: tuple[ResidueColumn, ...] = ()
    mappings: tuple[str, ...] = ()
    revisions: tuple[str, ...] = ()


def add_residues(routes: Routes, capability: str, service: str) -> ResidueReport:
    """Write the revisions into the service's folder, then the mappings; nothing where no column is lossy.

    `service` names a service with revisions, or a folder of them; empty for the one that is called as the database that
    the stream ends in.
    """
    plans = plan_residues(routes, capability)
    if not plans:
        return ResidueReport()
    sync = routes.capabilities[capability].sync
    columns = tuple(
        AddedColumn(quoted_table(one.table), quoted(one.name), one.type, one.comment)
        for plan in plans
        for one in plan.residues
    )
    written = write_added_columns(service or (sync.target if sync else ""), columns, f"residues of {capability}")
    for plan in plans:
        _replace(plan.file, plan.text)
    return ResidueReport(
        tuple(ResidueColumn(o.table, o.name, o.of, o.source, o.reason) for plan in plans for o in plan.residues),
        tuple(str(plan.file) for plan in plans),
        tuple(str(path) for path in written),
    )


def _replace(path: Path, text: str) -> None:
    """As a whole or not at all: a stream that starts meanwhile reads one of both."""
    beside = path.with_name(f".{path.name}.new")
    beside.write_text(text, encoding="utf-8")
    beside.replace(path)
