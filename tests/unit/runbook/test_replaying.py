"""Where a recorded request may be sent."""

from __future__ import annotations

from pathlib import Path

import pytest

from config.reader import parse_routes
from gateway.routing.table import Table, compile_table
from runbook.replaying import Course, Nowhere, course_of, fields_of
from shadow.observation import Observation
from shadow.recording import Recorded

TEXT = """
version: 1
upstreams: {{mono: {{url: "http://127.0.0.1:1"}}, ledger: {{url: "http://127.0.0.1:2"}}, toy: {{url: "http://127.0.0.1:3"}}}}
default: mono
capabilities: {{accounts: {{legacy: mono, modern: ledger, stage: {stage}, canary: {{percent: 5, key: "header:X-Id"}}}}}}
routes:
  - {{match: "GET /accounts/{{id}}", name: read, capability: accounts}}
  - {{match: "POST /query", name: query, capability: accounts, write: false, when: {{soap: Inquiry}}}}
  - {{match: "POST /dry", name: dry, capability: accounts, shadow: dry_run}}
  - {{match: "POST /toy", name: toy, capability: accounts, shadow: {{sandbox: toy}}}}
  - {{match: "POST /seen", name: seen, capability: accounts, shadow: {{verify_by_read: read}}}}
  - {{match: "POST /never", name: never, capability: accounts}}
  - {{match: "* /admin", upstream: mono}}
"""
ANSWER = Observation(200, (), b"{}", 0.0, "legacy")


def table(stage: str = "shadow") -> Table:
    return compile_table(parse_routes(TEXT.format(stage=stage).encode(), Path("routes.yaml"), {}))


def asked(method: str, target: str, *, answer: Observation | None = ANSWER, body: bytes = b"") -> Recorded:
    return Recorded("Line 1", method, target, (("Host", "bank"),), body, answer)


def test_a_read_goes_to_both_sides() -> None:
    course = course_of(asked("GET", "/accounts/1"), table())
    assert isinstance(course, Course)
    assert (course.control, course.candidate, course.shadow, course.is_read) == ("mono", "ledger", "mirror", True)


def test_a_route_that_its_body_decides_is_found() -> None:
    soap = b'<s:Envelope xmlns:s="urn:s"><s:Body><Inquiry/></s:Body></s:Envelope>'
    course = course_of(asked("POST", "/query", body=soap), table())
    assert isinstance(course, Course)
    assert course.plan.name == "query"


@pytest.mark.parametrize("stage", ["legacy", "shadow", "canary", "modern", "retired"])
@pytest.mark.parametrize(("target", "candidate", "shadow"), [("/dry", "ledger", "dry-run"), ("/toy", "toy", "mirror")])
def test_a_write_goes_only_where_its_policy_says_and_never_to_legacy(
    stage: str, target: str, candidate: str, shadow: str
) -> None:
    course = course_of(asked("POST", target), table(stage))
    assert isinstance(course, Course)
    assert (course.control, course.candidate, course.shadow) == (None, candidate, shadow)


@pytest.mark.parametrize(
    ("target", "answer", "reason"),
    [
        ("/never", ANSWER, "write_never"),
        ("/seen", ANSWER, "write_is_read_back"),
        ("/dry", None, "write_without_recorded_answer"),
        ("/admin", ANSWER, "no_capability"),
        ("/elsewhere", ANSWER, "no_capability"),
    ],
)
def test_whatever_else_is_sent_nowhere_and_says_why(target: str, answer: Observation | None, reason: str) -> None:
    found = course_of(asked("POST", target, answer=answer), table())
    assert isinstance(found, Nowhere)
    assert found.reason == reason


def test_a_method_that_is_none_is_sent_nowhere() -> None:
    assert isinstance(course_of(asked("GET /x\r\n", "/accounts/1"), table()), Nowhere)


def test_a_retired_legacy_is_not_called() -> None:
    course = course_of(asked("GET", "/accounts/1"), table("retired"))
    assert isinstance(course, Course)
    assert course.control is None
    assert course_of(asked("GET", "/accounts/1", answer=None), table("retired")) == Nowhere(
        "read", "accounts", "legacy_is_retired"
    )


def test_fields_of_the_old_connection_are_left_out_and_the_copy_is_marked() -> None:
    lines = (("Accept", "*/*"), ("Connection", "close"), ("X-Shadow", "x"), ("Idempotency-Key", "1"))
    recorded = Recorded("Line 1", "GET", "/", lines)
    assert fields_of(recorded, None) == (("Accept", "*/*"), ("accept-encoding", "identity"))
    assert fields_of(recorded, "dry-run")[-1] == ("x-shadow", "dry-run")
