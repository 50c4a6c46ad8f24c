"""Whether the stages of routes.yaml allow the contract branch of a service's database."""

from __future__ import annotations

from pathlib import Path

from config.reader import read_routes
from migrations.errors import ContractNotAllowed


def stage_that_allows(routes_file: Path, service: str) -> str:
    """What allows contract revisions: the capabilities of this database, all retired. Raises ContractNotAllowed."""
    routes = read_routes(routes_file)
    concerned = {
        name: found for name, found in routes.capabilities.items() if found.sync and found.sync.target == service
    }
    if not concerned:
        raise ContractNotAllowed(service, f"no capability of {routes_file} has its stream end in {service}")
    early = [f"{name} is in stage {found.stage}" for name, found in concerned.items() if found.stage != "retired"]
    if early:
        raise ContractNotAllowed(service, "; ".join(early))
    return ", ".join(sorted(concerned))
