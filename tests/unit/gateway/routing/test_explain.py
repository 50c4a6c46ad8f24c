from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from config.model import Routes
from config.reader import parse_routes
from gateway.routing.explain import explain

TEXT = """
version: 1
upstreams: {monolith: {url: "http://127.0.0.1:1"}, ledger: {url: "http://127.0.0.1:2"}, pen: {url: "http://127.0.0.1:3"}}
default: monolith
capabilities:
  accounts: {legacy: monolith, modern: ledger, stage: STAGE, canary: {percent: 50, key: "KEY"}, shadow: {sample: 10%}}
routes:
  - {match: "GET /accounts/{id}", capability: accounts}
  - {match: "POST /accounts/{id}/transfers", capability: accounts, shadow: dry_run}
  - {match: "POST /accounts/{id}/fees", capability: accounts, shadow: {sandbox: pen}}
  - {match: "POST /accounts/{id}/close", capability: accounts}
  - {match: "POST /cics", name: inquiry, when: {body: {offset: 0, equals: INQA}}, write: false, capability: accounts}
  - {match: "* /admin/{rest...}", upstream: monolith}
"""


def _routes(stage: str, key: str = "header:X-Customer-Id") -> Routes:
    return parse_routes(TEXT.replace("STAGE", stage).replace("KEY", key).encode(), Path("routes.yaml"), {})


@pytest.mark.parametrize(
    ("stage", "read", "copy", "write"),
    [
        ("legacy", "monolith", None, "monolith"),
        ("shadow", "monolith", "ledger", "monolith"),
        ("canary", "monolith", "ledger", "monolith"),
        ("modern", "ledger", None, "ledger"),
        ("retired", "ledger", None, "ledger"),
    ],
)
def test_the_stage_decides_who_answers_and_who_gets_a_copy(stage: str, read: str, copy: str | None, write: str) -> None:
    routes = _routes(stage)
    reading = explain(routes, "GET", "/accounts/1")
    assert (reading.answered_by, reading.mirrored_to, reading.is_write) == (read, copy, False)
    assert explain(routes, "POST", "/accounts/1/transfers").answered_by == write


def test_a_canary_shows_the_key_and_its_bucket() -> None:
    routes = _routes("canary")
    answers = {str(n): explain(routes, "GET", "/accounts/1", [("x-customer-id", str(n))]) for n in range(200)}
    for key, one in answers.items():
        assert one.key == key
        assert one.bucket is not None
        assert one.answered_by == ("ledger" if one.bucket < 5000 else "monolith")
        assert f"bucket {one.bucket}" in str(one)
    assert {one.answered_by for one in answers.values()} == {"ledger", "monolith"}


def test_a_request_without_the_key_is_for_legacy() -> None:
    one = explain(_routes("canary"), "GET", "/accounts/1")
    assert one.answered_by == "monolith"
    assert one.bucket is None
    assert "no key (header:X-Customer-Id)" in str(one)
    assert "not known here" in str(explain(_routes("canary", "client"), "GET", "/accounts/1"))


def test_writes_are_mirrored_only_as_the_route_says() -> None:
    routes = _routes("shadow")
    dry_run = explain(routes, "POST", "/accounts/1/transfers")
    assert dry_run.mirrored_to == "ledger"
    assert "dry-run" in str(dry_run)
    assert explain(routes, "POST", "/accounts/1/fees").mirrored_to == "pen"
    assert explain(routes, "POST", "/accounts/1/close").mirrored_to is None


def test_what_no_route_matches_and_what_the_body_decides() -> None:
    routes = _routes("shadow")
    assert explain(routes, "GET", "/elsewhere").answered_by == "monolith"
    assert "the default monolith" in str(explain(routes, "GET", "/elsewhere"))
    assert "pinned to monolith" in str(explain(routes, "DELETE", "/admin/users/7"))
    undecided = explain(routes, "POST", "/cics")
    assert (undecided.route, undecided.candidates) == (None, ("inquiry",))
    assert "404" in str(explain(routes.model_copy(update={"default": None}), "GET", "/elsewhere"))
    assert "400" in str(explain(routes, "GET", "/%00"))


@pytest.mark.parametrize(
    ("method", "target", "headers", "status"),
    [
        ("TRACE", "/accounts/1", [], 501), ("CONNECT", "bank:443", [], 501), ("BREW", "/", [], 501), ("G(T", "/", [], 400),
        ("GET", "*", [], 400), ("GET", "/a b", [], 400), ("GET", "/a#b", [], 400), ("GET", "http://other/", [("Host", "bank")], 400),
        ("GET", "/" + "a" * 20_000, [], 414), ("GET", "/", [("Host", "a b")], 400), ("GET", "/", [("Via", "1.1 strangler")], 508),
        ("POST", "/", [("Content-Length", "1"), ("Transfer-Encoding", "chunked")], 400), ("GET", "/", [("A b", "c")], 400),
    ],
)  # fmt: skip
def test_what_the_gateway_refuses_is_said_to_be_refused(
    method: str, target: str, headers: list[tuple[str, str]], status: int
) -> None:
    one = explain(_routes("legacy"), method, target, headers)
    assert f"answered with {status} here" in str(one)
    assert one.answered_by is None


def test_the_absolute_form_and_the_asterisk_are_explained_as_they_are_routed() -> None:
    assert explain(_routes("legacy"), "GET", "http://localhost/accounts/1").route == "GET /accounts/{id}"
    assert explain(_routes("legacy"), "OPTIONS", "*").answered_by == "monolith"


CANARY = _routes("canary")


@given(
    st.text(max_size=8), st.text(max_size=30), st.lists(st.tuples(st.text(max_size=8), st.text(max_size=8)), max_size=3)
)
def test_any_request_has_an_answer(method: str, target: str, headers: list[tuple[str, str]]) -> None:
    one = explain(CANARY, method, target, headers)
    assert str(one)
    assert (one.answered_by is None) == (one.route is None)
