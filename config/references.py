"""Whether the parts of routes.yaml fit together: capabilities that are whole, routes that can be told apart."""

from __future__ import annotations

from collections.abc import Iterator

from config.errors import Problem
from config.model import Capability, Route, Routes, Sandbox, Upstream, VerifyByRead


def reference_problems(routes: Routes) -> tuple[Problem, ...]:
    """Every capability that contradicts itself and every pair of routes that tie, with its path in the file."""
    return (
        *(problem for name, one in routes.capabilities.items() for problem in _capability(name, one)),
        *(problem for name, one in routes.upstreams.items() for problem in _upstream(name, one)),
        *_cookies(routes),
        *_write_policies(routes),
        *_ids(routes),
        *_ties(routes),
    )


def _capability(name: str, capability: Capability) -> Iterator[Problem]:
    where = f"capabilities.{name}"
    if capability.stage == "canary" and capability.canary is None:
        yield Problem(f"{where}.canary", "stage canary needs a canary", '{percent: 5, key: "header:X-Customer-Id"}')
    if capability.canary is not None and capability.canary.cookie is not None and capability.sync is None:
        what = "a cookie says what the stream must have carried, and there is no sync"
        yield Problem(f"{where}.canary.cookie", what, "sync: {source: legacy, target: ledger, mappings: accounts}")
    if capability.sync is not None and capability.sync.source == capability.sync.target:
        yield Problem(f"{where}.sync", "source and target are the same database", "{source: legacy, target: ledger}")


def _upstream(name: str, upstream: Upstream) -> Iterator[Problem]:
    where = f"upstreams.{name}.tls"
    if upstream.tls is None:
        return
    if not upstream.url.startswith("https:"):
        yield Problem(where, "belongs to an https url", f'url: "{upstream.url.replace("http:", "https:")}"')
    if (upstream.tls.certificate is None) != (upstream.tls.key is None):
        yield Problem(where, "certificate and key go together", "{certificate: gateway.crt, key: gateway.key}")


def _cookies(routes: Routes) -> Iterator[Problem]:
    seen: dict[str, str] = {}
    for name, one in routes.capabilities.items():
        cookie = one.canary.cookie if one.canary else None
        if cookie is not None and seen.setdefault(cookie, name) != name:
            what = f"capabilities.{seen[cookie]} has the cookie {cookie!r} too"
            yield Problem(f"capabilities.{name}.canary.cookie", what, f"cookie: {cookie}-{name}")


def _write_policies(routes: Routes) -> Iterator[Problem]:
    """A mirrored write must not reach a system where it would be booked, and what verifies it must not write itself."""
    by_name = {route.name: route for route in routes.routes}
    for index, route in enumerate(routes.routes):
        where, capability = f"routes[{index}].shadow", routes.capabilities.get(route.capability or "")
        policy = route.shadow
        if isinstance(policy, Sandbox) and capability and policy.sandbox in (capability.legacy, capability.modern):
            what = f"{policy.sandbox!r} is where the capability's real requests go: the copy would be booked too"
            yield Problem(f"{where}.sandbox", what, "dry_run, or an upstream with books of its own")
        if not isinstance(policy, VerifyByRead) or policy.verify_by_read not in by_name:
            continue
        reading = by_name[policy.verify_by_read]
        if reading.is_write("GET") or "GET" not in (reading.pattern.methods or {"GET"}):
            yield Problem(
                f"{where}.verify_by_read",
                f"{reading.name!r} is no route that is read by GET",
                "the name of a GET route",
            )


def _ids(routes: Routes) -> Iterator[Problem]:
    """An id that a dry run assigned is gone with it, and a parameter that no path has carries none."""
    for index, route in enumerate(routes.routes):
        beside = [one for one in routes.routes if one.capability == route.capability]
        parameters = {name for one in beside for name in one.pattern.parameters}
        for number, rule in enumerate(route.compare.rules):
            where = f"routes[{index}].compare.rules[{number}].id.carried"
            carried = rule.id.carried if rule.id is not None else ()
            if carried and route.shadow == "dry_run":
                what = "modern rolls a dry run back and its ids with it, so no later request can carry them"
                yield Problem(where, what, "leave carried out, or mirror the write with {sandbox: UPSTREAM}")
            for place in carried:
                kind, _, name = place.partition(":")
                if kind == "path" and name not in parameters:
                    what = f"no route of the capability has {{{name}}} in its path"
                    yield Problem(where, what, f"path:{min(parameters)}" if parameters else "query:id")


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
