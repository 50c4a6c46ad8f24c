"""Whether the parts of routes.yaml fit together: names that exist, routes that can be told apart."""

from __future__ import annotations

from collections.abc import Iterator
from difflib import get_close_matches

from config.errors import Problem
from config.model import Capability, Route, Routes, Sandbox, VerifyByRead


def reference_problems(routes: Routes) -> tuple[Problem, ...]:
    """Every reference that leads nowhere and every pair of routes that tie, with its path in the file."""
    return (
        *_default(routes),
        *(problem for name, one in routes.capabilities.items() for problem in _capability(routes, name, one)),
        *(problem for index, one in enumerate(routes.routes) for problem in _route(routes, index, one)),
        *_ties(routes),
    )


def _missing(where: str, kind: str, name: str, known: dict[str, object]) -> Iterator[Problem]:
    if name not in known:
        near = get_close_matches(name, known, n=1)
        example = near[0] if near else next(iter(known), f"a name under {kind}")
        yield Problem(where, f"{name!r} is not one of the {kind} of this file", example)


def _default(routes: Routes) -> Iterator[Problem]:
    if routes.default is not None:
        yield from _missing("default", "upstreams", routes.default, dict(routes.upstreams))


def _capability(routes: Routes, name: str, capability: Capability) -> Iterator[Problem]:
    where = f"capabilities.{name}"
    upstreams, databases = dict[str, object](routes.upstreams), dict[str, object](routes.databases)
    yield from _missing(f"{where}.legacy", "upstreams", capability.legacy, upstreams)
    yield from _missing(f"{where}.modern", "upstreams", capability.modern, upstreams)
    if capability.stage == "canary" and capability.canary is None:
        yield Problem(f"{where}.canary", "stage canary needs a canary", '{percent: 5, key: "header:X-Customer-Id"}')
    if capability.sync is None:
        return
    yield from _missing(f"{where}.sync.source", "databases", capability.sync.source, databases)
    yield from _missing(f"{where}.sync.target", "databases", capability.sync.target, databases)
    if capability.sync.source == capability.sync.target:
        yield Problem(f"{where}.sync", "source and target are the same database", "{source: legacy, target: ledger}")


def _route(routes: Routes, index: int, route: Route) -> Iterator[Problem]:
    where = f"routes[{index}]"
    if route.capability is not None:
        yield from _missing(f"{where}.capability", "capabilities", route.capability, dict(routes.capabilities))
    if route.upstream is not None:
        yield from _missing(f"{where}.upstream", "upstreams", route.upstream, dict(routes.upstreams))
    if isinstance(route.shadow, Sandbox):
        yield from _missing(f"{where}.shadow.sandbox", "upstreams", route.shadow.sandbox, dict(routes.upstreams))
    if isinstance(route.shadow, VerifyByRead):
        names: dict[str, object] = {other.name: other for other in routes.routes}
        yield from _missing(f"{where}.shadow.verify_by_read", "routes", route.shadow.verify_by_read, names)


def _ties(routes: Routes) -> Iterator[Problem]:
    """Two routes tie when one request can match both and neither is more specific."""
    seen: dict[tuple[object, ...], list[tuple[int, Route]]] = {}
    names: dict[str, int] = {}
    for index, route in enumerate(routes.routes):
        pattern = route.pattern
        for other_index, other in seen.setdefault((pattern.shape, route.when.count), []):
            if _methods_overlap(route, other) and _conditions_overlap(route, other):
                what = f"ties with routes[{other_index}] ({other.name!r}): a request can match both"
                yield Problem(f"routes[{index}].match", what, "add a `when`, or make one path more specific")
        seen[pattern.shape, route.when.count].append((index, route))
        if route.name in names and route.when == routes.routes[names[route.name]].when:
            continue  # the tie above says it already
        if route.name in names:
            what = f"routes[{names[route.name]}] has the name {route.name!r} too"
            yield Problem(f"routes[{index}].name", what, f"name: {route.name.split()[-1].strip('/')}-{index}")
        names.setdefault(route.name, index)


def _methods_overlap(one: Route, other: Route) -> bool:
    """Equal kinds of method sets tie when they share a method; a named method beats `*`."""
    first, second = one.pattern.methods, other.pattern.methods
    if first is None or second is None:
        return first is second
    return bool(first & second)


def _conditions_overlap(one: Route, other: Route) -> bool:
    """False when some condition of both asks for different values of the same thing."""
    first, second = one.when, other.when
    for single in ("host", "soap"):
        mine, theirs = getattr(first, single), getattr(second, single)
        if mine is not None and theirs is not None and mine != theirs:
            return False
    for several in ("header", "query", "cookie", "form"):
        mine_map, their_map = getattr(first, several), getattr(second, several)
        if any(name in their_map and their_map[name] != value for name, value in mine_map.items()):
            return False
    return not _bodies_exclude(one, other)


def _bodies_exclude(one: Route, other: Route) -> bool:
    first, second = one.when.body, other.when.body
    if first is None or second is None:
        return False
    mine, theirs = first.equals.encode(first.codepage), second.equals.encode(second.codepage)
    start, end = max(first.offset, second.offset), min(first.offset + len(mine), second.offset + len(theirs))
    return mine[start - first.offset : end - first.offset] != theirs[start - second.offset : end - second.offset]
