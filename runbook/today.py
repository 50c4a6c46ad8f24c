"""What each route does today: DESIGN's table of stages, applied to one routes.yaml."""

from __future__ import annotations

from dataclasses import dataclass

from config.model import Capability, Route, Routes, Sandbox, VerifyByRead


@dataclass(frozen=True)
class Today:
    """One route in words."""

    route: str
    capability: str
    stage: str
    reads: str
    writes: str
    mirrored_to: str


def what_routes_do(routes: Routes) -> tuple[Today, ...]:
    """Every route of the file, in its order, and what happens to everything else."""
    rows = [_row(routes, route) for route in routes.routes]
    rest = routes.default or "404"
    return (*rows, Today("(everything else)", "-", "-", rest, rest, "-"))


def _row(routes: Routes, route: Route) -> Today:
    name = route.name if route.name == route.match else f"{route.name} ({route.match})"
    if route.capability is None:
        home = route.upstream or "-"
        return Today(name, "-", "pinned", home, home, "-")
    one = routes.capabilities[route.capability]
    return Today(name, route.capability, _stage(one), _reads(one), _writes(one), _mirrored(one, route))


def _stage(one: Capability) -> str:
    return f"canary {one.canary_percent:g} %" if one.stage == "canary" else one.stage


def _reads(one: Capability) -> str:
    if one.stage == "canary":
        return f"{one.modern} for {one.canary_percent:g} % of keys, else {one.legacy}"
    return one.legacy if one.stage in ("legacy", "shadow") else one.modern


def _writes(one: Capability) -> str:
    return one.modern if one.stage in ("modern", "retired") else one.legacy


def _mirrored(one: Capability, route: Route) -> str:
    if one.stage not in ("shadow", "canary"):
        return "-"
    reads = f"reads to {one.modern}" if one.stage == "shadow" else "reads to the other side"
    if isinstance(route.shadow, Sandbox):
        return f"{reads}, writes to {route.shadow.sandbox}"
    if isinstance(route.shadow, VerifyByRead):
        return f"{reads}, writes checked by {route.shadow.verify_by_read}"
    return f"{reads}, writes as a dry run" if route.shadow == "dry_run" else reads
