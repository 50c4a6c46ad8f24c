"""Routes compiled to one lookup, swapped whole.

A path pattern is its number of segments, the places where it is literal, and the literals there. All patterns of one
number and one set of places share a dictionary, so a lookup tries each *shape* that occurs (a few, however many routes
there are) from the most specific to the least, and then the few routes under that key.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from operator import itemgetter
from typing import Any

from config.model import READS, Capability, Route, Routes
from gateway.routing.carriers import Carriers, carriers_of
from gateway.routing.conditions import Asked, Condition, compile_when, holds
from gateway.routing.decision import Rule, pinned, rule_of, seed_of
from gateway.routing.keys import KeyReader, compile_key

ShadowPolicy = Any  # "never", "dry_run", Sandbox or VerifyByRead: config.model.Route.shadow


@dataclass(frozen=True, slots=True, eq=False)
class Plan:
    """One route as the gateway uses it."""

    name: str
    rule: Rule
    methods: frozenset[bytes] | None
    conditions: tuple[Condition, ...]
    write: bool | None = None
    capability: str | None = None
    capability_index: int = -1
    seed: int = 0
    key: KeyReader | None = None
    shadow: ShadowPolicy = "never"
    sample: float = 1.0
    noise: float = 0.0
    mirror_body_max: int = 1 << 20
    template: tuple[tuple[str, str], ...] = ()
    compared: frozenset[bytes] = frozenset()  # headers, beside those that every route compares
    cookie: bytes | None = None  # of a capability in canary
    bytes_decide: bool = True  # whether equal bytes mean the same on both sides
    carriers: Carriers | None = None  # of ids that each side assigns itself
    captured: frozenset[bytes] | None = None  # the fields of reads that are kept to be replayed

    def is_write(self, method: bytes) -> bool:
        """Whether a request by that method writes."""
        return self.write if self.write is not None else method not in _READS


_LETS_IN = frozenset({b"authorization", b"proxy-authorization", b"cookie"})
_READS = frozenset(method.encode() for method in READS)


@dataclass(frozen=True, slots=True)
class Undecided:
    """The routes that remain possible; more of the body must be seen."""

    plans: tuple[Plan, ...]


Found = Plan | Undecided | None


@dataclass(slots=True)
class _Shape:
    """All patterns that are literal at the same places; `key` picks the literals out of a path's segments."""

    ranks: tuple[int, ...]
    key: Callable[[Sequence[bytes]], Any]
    plans: dict[Any, list[Plan]] = field(default_factory=dict)

    def fits(self, count: int) -> bool:
        """Whether a path of that many segments can have this shape."""
        return count >= len(self.ranks) if self.ranks[-1] == _RANK["rest"] else count == len(self.ranks)


@dataclass(slots=True, eq=False)
class Table:
    """Every route of one version of routes.yaml. `shapes[n]` are those that a path of n segments can have."""

    digest: str
    routes: Routes
    by_name: dict[str, Plan]
    default: Plan | None
    shapes: list[list[_Shape]] = field(default_factory=list)

    def find(self, asked: Asked, segments: Sequence[bytes]) -> Found:
        """The most specific route of that request; the default where none matches."""
        method = asked.method
        shapes = self.shapes
        for shape in shapes[len(segments)] if len(segments) < len(shapes) else shapes[-1]:
            for plan in shape.plans.get(shape.key(segments), ()):
                if plan.methods is None or method in plan.methods:
                    if not plan.conditions:
                        return plan
                    return narrowed(asked, list(self._candidates(method, segments)), self.default)
        return self.default

    def _candidates(self, method: bytes, segments: Sequence[bytes]) -> Iterator[Plan]:
        for shape in self.shapes[min(len(segments), len(self.shapes) - 1)]:
            for plan in shape.plans.get(shape.key(segments), ()):
                if plan.methods is None or method in plan.methods:
                    yield plan


def narrowed(asked: Asked, plans: Sequence[Plan], default: Plan | None) -> Found:
    """The first of these routes whose conditions hold."""
    for index, plan in enumerate(plans):
        answer = holds(plan.conditions, asked)
        if answer:
            return plan
        if answer is None:
            return Undecided(tuple(plans[index:]))
    return default


def compile_table(routes: Routes) -> Table:
    """The table of a routes.yaml that has been read and validated."""
    indexes = {name: index for index, name in enumerate(routes.capabilities)}
    default = None
    if routes.default is not None:
        default = Plan("default", pinned(routes.default, "default", "no route matches"), None, ())
    plans = [(route, _plan(route, routes, indexes)) for route in routes.routes]
    ordered = sorted(plans, key=lambda pair: (pair[0].pattern.methods is not None, pair[0].when.count), reverse=True)
    shapes: dict[tuple[int, ...], _Shape] = {}
    for route, plan in ordered:
        _place(shapes, route, plan)
    by_name = {plan.name: plan for _, plan in plans}
    return Table(routes.digest, routes, by_name, default, _by_length(shapes.values()))


def _by_length(shapes: Iterable[_Shape]) -> list[list[_Shape]]:
    """For each number of segments the shapes that fit, most specific first; the last entry is for all longer paths."""
    ordered = sorted(shapes, key=lambda shape: shape.ranks, reverse=True)
    longest = max((len(shape.ranks) for shape in ordered), default=0)
    return [[shape for shape in ordered if shape.fits(count)] for count in range(longest + 2)]


def _plan(route: Route, routes: Routes, indexes: dict[str, int]) -> Plan:
    pattern = route.pattern
    methods = None if pattern.methods is None else frozenset(method.encode() for method in pattern.methods)
    conditions = compile_when(route.when)
    template = tuple((segment.kind, segment.text) for segment in pattern.segments)
    if route.capability is None:
        rule = pinned(str(route.upstream), "pinned", f"{route.name} is pinned")
        return Plan(route.name, rule, methods, conditions, route.write, template=template)
    capability: Capability = routes.capabilities[route.capability]
    key = compile_key(capability.canary_key_kind, capability.canary_key_name, pattern) if capability.canary else None
    shadow = capability.shadow
    return Plan(
        route.name,
        rule_of(route.capability, capability),
        methods,
        conditions,
        route.write,
        route.capability,
        indexes[route.capability],
        seed_of(route.capability),
        key,
        route.shadow,
        shadow.sample if shadow else 1.0,
        shadow.noise if shadow else 0.0,
        shadow.body_max if shadow else 1 << 20,
        template,
        frozenset(name.encode() for name in route.compare.headers),
        _cookie(capability),
        not any(rule.minor_unit or rule.id for rule in route.compare.rules),
        carriers_of(route.capability, pattern, routes),
        _captured(route, capability),
    )


def _captured(route: Route, capability: Capability) -> frozenset[bytes] | None:
    """What an answer depends on, and what the canary and the route are chosen by; nothing that lets somebody in."""
    if capability.shadow is None or not capability.shadow.captures:
        return None
    names = {"accept", "accept-language", "accept-charset", *map(str.lower, route.when.header)}
    if capability.canary is not None and capability.canary_key_kind == "header":
        names.add(capability.canary_key_name.lower())
    return frozenset(name.encode() for name in names) - _LETS_IN


def _cookie(capability: Capability) -> bytes | None:
    """Outside of the canary reads have one home, and nothing is stamped."""
    if capability.stage != "canary" or capability.canary is None or capability.canary.cookie is None:
        return None
    return capability.canary.cookie.encode()


_RANK = {"literal": 2, "name": 1, "rest": 0}


def _place(shapes: dict[tuple[int, ...], _Shape], route: Route, plan: Plan) -> None:
    segments = route.pattern.segments
    ranks = tuple(_RANK[segment.kind] for segment in segments)
    places = [index for index, segment in enumerate(segments) if segment.kind == "literal"]
    literals = tuple(segments[index].text.encode() for index in places)
    shape = shapes.get(ranks)
    if shape is None:
        shape = shapes[ranks] = _Shape(ranks, itemgetter(*places) if places else _no_literals)
    key: Any = literals[0] if len(literals) == 1 else literals
    shape.plans.setdefault(key, []).append(plan)


def _no_literals(_: Sequence[bytes]) -> tuple[bytes, ...]:
    return ()
