from pathlib import Path

from config.reader import parse_routes
from gateway.routing.table import compile_table

ROUTES = """
version: 1
upstreams: {m: {url: "http://127.0.0.1:1"}, l: {url: "http://127.0.0.1:2"}}
capabilities: {a: {legacy: m, modern: l, stage: shadow}, b: {legacy: m, modern: l, stage: shadow}}
routes:
  - match: "GET /a/{owner}/transfers"
    name: list
    capability: a
    compare:
      rules:
        - {path: "$.items[*].id", id: {name: transfer, carried: ["path:transfer", "body:$.reverses"]}, reason: each its own}
        - {path: "$.owner", id: owner, reason: each its own}
  - {match: "GET /a/transfers/{transfer}", name: one, capability: a}
  - {match: "GET /b/{transfer}", name: other, capability: b}
"""


def test_the_rules_of_one_route_hold_for_the_requests_of_its_whole_capability() -> None:
    table = compile_table(parse_routes(ROUTES.encode(), Path("routes.yaml"), {}))
    plans = table.by_name
    listed, one = plans["list"].carriers, plans["one"].carriers
    assert listed is not None
    assert one is not None
    assert listed.segments == ()
    assert one.segments == ((2, "transfer"),)
    assert [name for _, name in one.members] == ["transfer"]
    assert plans["other"].carriers is None


def test_equal_bytes_decide_only_where_no_rule_looks_for_ids() -> None:
    plans = compile_table(parse_routes(ROUTES.encode(), Path("routes.yaml"), {})).by_name
    assert not plans["list"].bytes_decide
    assert plans["one"].bytes_decide
