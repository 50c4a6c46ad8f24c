"""Adds a line to `compare.ignore` of one route in routes.yaml: made ready here, with every other byte as it was."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ruamel.yaml import YAML
from ruamel.yaml.nodes import CollectionNode, MappingNode, Node, SequenceNode

from config.errors import RoutesChanged, StranglerError
from config.reader import digest_of, parse_routes
from config.writer import Change


@dataclass(eq=False)
class RuleNotPlaced(StranglerError):
    """The route is written in a way that a line cannot be added to without changing more."""

    route: str
    line: str

    @property
    def sentence(self) -> str:
        """The route."""
        return f"A line cannot be added to compare.ignore of {self.route} without changing more than that."

    @property
    def hint(self) -> str:
        """What to write by hand."""
        return f"Write it there yourself: {self.line}"


def prepare_ignore(path: Path, route_number: int, line: str, expected_digest: str) -> Change:
    """Make a list's line (`- {path: ..., reason: ...}`) ready for `writer.write`. `route_number` counts from 0.

    Raises RoutesChanged unless the file has the digest, RoutesInvalid, RuleNotPlaced.
    """
    path = path.resolve()
    raw = path.read_bytes()
    if digest_of(raw) != expected_digest:
        raise RoutesChanged(path)
    text = raw.decode("utf-8")
    route = _route(text, route_number)
    changed = text if route is None else _added(text, route, line.removeprefix("- "))
    routes = parse_routes(raw, path, os.environ)
    if not _adds_only(text, changed, route_number, line):
        raise RuleNotPlaced(routes.routes[route_number].name, line)
    parse_routes(changed.encode(), path, os.environ)
    return Change(path, changed.encode(), expected_digest)


def _route(text: str, number: int) -> Node | None:
    routes = _value(YAML().compose(text), "routes")
    return routes.value[number] if isinstance(routes, SequenceNode) else None


def _added(text: str, route: Node, rule: str) -> str:
    compare = _value(route, "compare")
    if compare is None:
        return _with_entry(text, route, f"compare: {{ignore: [{rule}]}}")
    ignored = _value(compare, "ignore")
    if ignored is None:
        return _with_entry(text, compare, f"ignore: [{rule}]")
    return _with_entry(text, ignored, rule if _is_flow(ignored) else f"- {rule}")


def _with_entry(text: str, collection: Node, entry: str) -> str:
    """The text with one entry more at the end of a collection, in its own style."""
    if not isinstance(collection, CollectionNode):
        return text
    if _is_flow(collection):
        end = collection.end_mark.index - 1
        while text[end - 1] in " \t":  # as in `{ignore: [] }`
            end -= 1
        return f"{text[:end]}{', ' if collection.value else ''}{entry}{text[end:]}"
    end = text.find("\n", _last(collection).end_mark.index)
    end = len(text) if end == -1 else end
    return f"{text[:end]}\n{' ' * collection.start_mark.column}{entry}{text[end:]}"


def _last(node: Node) -> Node:
    """What stands last in a block."""
    while isinstance(node, CollectionNode) and not _is_flow(node) and node.value:
        node = node.value[-1][1] if isinstance(node, MappingNode) else node.value[-1]
    return node


def _value(node: Node, key: str) -> Node | None:
    pairs = node.value if isinstance(node, MappingNode) else []
    return next((value for name, value in pairs if name.value == key), None)


def _is_flow(node: Node) -> bool:
    return bool(getattr(node, "flow_style", False))


def _adds_only(before: str, after: str, number: int, line: str) -> bool:
    """Whether the line, and nothing else, is what the file says more: the text may have been an alias, for example."""
    try:
        old, new, (added,) = (_loaded(text) for text in (before, after, line))
        ignored = new["routes"][number]["compare"]["ignore"]
        if ignored.pop() != added:
            return False
    except Exception:  # noqa: BLE001 - whatever is wrong with it, it is not the file with one line more
        return False
    for part in ("ignore", "compare"):
        route = new["routes"][number]
        holder = route["compare"] if part == "ignore" else route
        if not holder[part] and part not in _parts(old["routes"][number], part):
            del holder[part]
    return bool(old == new)


def _parts(route: dict[str, Any], part: str) -> dict[str, Any]:
    """What an old route has where that part would be."""
    return route if part == "compare" else route.get("compare", {})


def _loaded(text: str) -> Any:
    return _unshared(YAML(typ="safe", pure=True).load(text))


def _unshared(value: Any) -> Any:
    """A copy in which what an alias stands for is there as often as it is named."""
    if isinstance(value, dict):
        return {name: _unshared(inner) for name, inner in value.items()}
    return [_unshared(inner) for inner in value] if isinstance(value, list) else value
