from pathlib import Path

import pytest

from config.errors import RoutesInvalid
from config.reader import parse_routes
from tests.support.routes_text import ROUTES_TEXT


def problems_of(text: str) -> dict[str, str]:
    with pytest.raises(RoutesInvalid) as raised:
        parse_routes(text.encode(), Path("routes.yaml"), {})
    return {problem.where: problem.what for problem in raised.value.problems}


def test_names_that_lead_nowhere_are_all_reported() -> None:
    text = ROUTES_TEXT.replace("default: monolith", "default: monolit").replace("source: legacy", "source: legcy")
    assert set(problems_of(text)) == {"default", "capabilities.accounts.sync.source"}


def test_two_routes_that_match_the_same_request_tie() -> None:
    twin = '  - match: "GET /accounts/{no}"\n    name: twin\n    capability: cards\n'
    assert "ties with routes[0]" in problems_of(ROUTES_TEXT + twin)["routes[4].match"]


@pytest.mark.parametrize(
    "extra",
    [
        '  - match: "PUT /accounts/{no}"\n    capability: cards\n',
        '  - match: "GET /accounts/summary"\n    capability: cards\n',
        '  - match: "GET /accounts/{no}"\n    name: by-host\n    when: {host: bank.example}\n    capability: cards\n',
        '  - match: "* /accounts/{no}"\n    capability: cards\n',
    ],
)
def test_routes_that_can_be_told_apart_do_not_tie(extra: str) -> None:
    parse_routes((ROUTES_TEXT + extra).encode(), Path("routes.yaml"), {})


def test_body_conditions_tie_unless_their_bytes_differ() -> None:
    text = ROUTES_TEXT.replace("equals: XFER", "equals: INQA")
    assert any(where.startswith("routes[2]") for where in problems_of(text))


POLICIES = """
version: 1
upstreams: {m: {url: "http://127.0.0.1:1"}, l: {url: "http://127.0.0.1:2"}, s: {url: "http://127.0.0.1:3"}}
capabilities: {a: {legacy: m, modern: l, stage: shadow}}
routes:
  - {match: "GET /a/{id}", name: read, capability: a}
  - {match: "POST /a/{id}", name: write, capability: a, shadow: POLICY}
"""


@pytest.mark.parametrize(
    ("policy", "said"),
    [
        ("{sandbox: m}", "would be booked too"),
        ("{sandbox: l}", "would be booked too"),
        ("{verify_by_read: write}", "is no route that is read by GET"),
        ("mirror", "shadow: dry_run"),
        ("true", "shadow: dry_run"),
    ],
)
def test_a_write_is_not_mirrored_without_a_policy_that_keeps_it_from_being_booked(policy: str, said: str) -> None:
    with pytest.raises(RoutesInvalid) as caught:
        parse_routes(POLICIES.replace("POLICY", policy).encode(), Path("routes.yaml"), {})
    assert said in str(caught.value)
    assert "routes[1].shadow" in str(caught.value)


@pytest.mark.parametrize("policy", ["never", "dry_run", "{sandbox: s}", "{verify_by_read: read}"])
def test_each_policy_that_keeps_a_write_from_being_booked_is_taken(policy: str) -> None:
    parse_routes(POLICIES.replace("POLICY", policy).encode(), Path("routes.yaml"), {})


IDS = """
version: 1
upstreams: {m: {url: "http://127.0.0.1:1"}, l: {url: "http://127.0.0.1:2"}, s: {url: "http://127.0.0.1:3"}}
capabilities: {a: {legacy: m, modern: l, stage: shadow}}
routes:
  - match: "POST /a/{owner}"
    capability: a
    shadow: POLICY
    compare: {rules: [{path: $.id, id: {name: transfer, carried: ["PLACE"]}, reason: each its own}]}
"""


@pytest.mark.parametrize(
    ("policy", "place", "said"),
    [
        ("dry_run", "path:owner", "leave carried out"),
        ("{sandbox: s}", "path:transfer", "has {transfer} in its path"),
        ("never", "header:x", "none of path:NAME, query:NAME and body:$.PATH"),
        ("never", "body:$..id", "is no one place"),
        ("never", "body:reverses", "none of path:NAME"),
    ],
)
def test_ids_are_carried_where_requests_can_carry_them(policy: str, place: str, said: str) -> None:
    with pytest.raises(RoutesInvalid) as caught:
        parse_routes(IDS.replace("POLICY", policy).replace("PLACE", place).encode(), Path("routes.yaml"), {})
    assert said in str(caught.value)


@pytest.mark.parametrize("place", ["path:owner", "query:id", "body:$.all[*].id"])
def test_each_place_that_can_carry_an_id_is_taken(place: str) -> None:
    parse_routes(IDS.replace("POLICY", "{sandbox: s}").replace("PLACE", place).encode(), Path("routes.yaml"), {})
