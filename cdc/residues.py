"""Which mapping files of a capability want a residue column, and each of them with it: read from both databases."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from cdc.catalogue import read_catalogue
from cdc.translation.build import drafted
from cdc.translation.draft import Draft
from cdc.translation.refusals import MappingRefused, MappingsRefused, Refusal
from cdc.translation.residue_text import Residue, residues_of, with_residues
from cdc.verification.verify_sides import connect
from config.errors import NotConfigured

if TYPE_CHECKING:
    from config.model import Routes


@dataclass(frozen=True)
class ResiduePlan:
    """One mapping file, the columns that its target needs, and the text of the file that fills them."""

    file: Path
    residues: tuple[Residue, ...]
    text: str


def plan_residues(routes: Routes, capability: str) -> tuple[ResiduePlan, ...]:
    """The files with a lossy column that nothing brings back. Raises DatabaseDown, NotConfigured, MappingsRefused."""
    found = routes.capabilities.get(capability)
    if found is None or found.sync is None:
        raise NotConfigured(f"capabilities.{capability}.sync", "sync check --residue")
    with connect(routes, found.sync.source) as source, connect(routes, found.sync.target) as target:
        catalogues = read_catalogue(source), read_catalogue(target)
    plans, problems = [], []
    for file in sorted(found.sync.mappings.glob("*.sql")):
        draft = drafted(file, *catalogues)
        if not isinstance(draft, Draft):
            problems += draft
            continue
        try:
            if residues := residues_of(draft):
                text = with_residues(file.read_text(encoding="utf-8"), draft, residues)
                plans.append(ResiduePlan(file, residues, text))
        except Refusal as refusal:
            problems.append(MappingRefused(file, refusal.place, refusal.problem, refusal.remedy))
    if problems:
        raise MappingsRefused(tuple(problems))
    return tuple(plans)
