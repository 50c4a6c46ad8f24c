from __future__ import annotations

from pathlib import Path

import pytest

from config.model import Routes
from config.reader import parse_routes
from gateway.mirroring.judging import Judge, decoder_of
from shadow.observation import Noise, Observation, Pair, Skipped

COPYBOOK = """
       01  REPLY.
           05  RC       PIC X(2).
           05  BALANCE  PIC S9(5)V99 COMP-3.
"""
TEXT = """
version: 1
upstreams: {monolith: {url: "http://127.0.0.1:1"}, ledger: {url: "http://127.0.0.1:2"}}
capabilities: {accounts: {legacy: monolith, modern: ledger, stage: shadow}}
routes:
  - {match: "GET /plain/{id}", capability: accounts, compare: {ignore: ["$.served_by"]}}
  - {match: "POST /cics", capability: accounts, compare: {copybook: reply.cpy}}
  - {match: "GET /missing", capability: accounts, compare: {copybook: missing.cpy}}
"""


@pytest.fixture
def routes(tmp_path: Path) -> Routes:
    (tmp_path / "reply.cpy").write_text(COPYBOOK)
    return parse_routes(TEXT.encode(), tmp_path / "routes.yaml", {})


def pair(route: str, control: bytes, candidate: bytes, media: str = "application/json") -> Pair:
    def answer(body: bytes, side: str) -> Observation:
        return Observation(200, (("content-type", media),), body, 0.01, side)  # type: ignore[arg-type]

    both = answer(control, "legacy"), answer(candidate, "modern")
    return Pair(route, "accounts", "k", "GET", *both, candidate_first=False, stage="shadow", at=1.0)


def _kind(routes: Routes, one: Pair) -> tuple[str, str | None]:
    _, verdict = Judge(routes).judge(one)
    assert verdict is not None
    return verdict.kind, verdict.reason


def test_what_legacy_differs_in_from_itself_is_judged_by_the_routes_rules(routes: Routes) -> None:
    both = pair("GET /plain/{id}", b'{"served_by":1,"at":1}', b'{"served_by":2,"at":2}')
    _, verdict = Judge(routes).judge(Noise(both.route, "accounts", both.control, both.candidate, 1.0))
    assert verdict is not None
    assert [difference.path for difference in verdict.differences] == ["$.at"]


def test_the_rules_of_the_route_are_used(routes: Routes) -> None:
    bodies = b'{"bal":1,"served_by":"a"}', b'{"bal":1,"served_by":"b"}'
    assert _kind(routes, pair("GET /plain/{id}", *bodies))[0] == "equivalent"
    assert _kind(routes, pair("a route that is gone", *bodies))[0] == "different"


def test_fixed_width_answers_are_read_by_their_copybook(routes: Routes) -> None:
    negative_zero, zero, one = (bytes.fromhex("f0f0" + packed) for packed in ("0000000d", "0000000c", "0000100c"))
    assert _kind(routes, pair("POST /cics", negative_zero, zero, "application/octet-stream"))[0] != "different"
    assert _kind(routes, pair("POST /cics", zero, one, "application/octet-stream"))[0] == "different"
    broken = _kind(routes, pair("POST /cics", zero, b"\xf0", "application/octet-stream"))
    assert broken == ("incomparable", "undecodable:candidate")


def test_rules_that_cannot_be_used_make_the_route_incomparable_and_no_other(routes: Routes) -> None:
    assert _kind(routes, pair("GET /missing", b"1", b"1")) == ("incomparable", "rules_invalid")
    assert _kind(routes, pair("GET /plain/{id}", b"1", b"1"))[0] == "equal"


def test_a_crash_on_one_pair_is_a_verdict(routes: Routes) -> None:
    def crash(*_: object) -> None:
        raise ZeroDivisionError

    _, verdict = Judge(routes, crash).judge(pair("GET /plain/{id}", b"1", b"2"))  # type: ignore[arg-type]
    assert verdict is not None
    assert (verdict.kind, verdict.reason) == ("incomparable", "crashed")


def test_what_is_no_pair_has_no_verdict(routes: Routes) -> None:
    event = Skipped("GET /plain/{id}", "accounts", "sample")
    assert Judge(routes).judge(event) == (event, None)


def test_a_route_without_a_copybook_has_no_decoder(routes: Routes) -> None:
    assert decoder_of(routes.routes[0].compare) is None
