from __future__ import annotations

import json

import pytest

from services.ledger.problems import KINDS, Refused, problem


@pytest.mark.parametrize("code", KINDS)
def test_every_code_is_a_problem_with_its_status(code: str) -> None:
    answer = problem(code)
    body = json.loads(bytes(answer.body))
    assert answer.media_type == "application/problem+json"
    assert (body["status"], body["code"], body["type"]) == (answer.status_code, code, f"urn:problem:{code}")
    assert 400 <= answer.status_code < 600
    assert body.get("legacyCode") == KINDS[code].legacy_code
    assert "detail" not in body


def test_the_detail_is_told() -> None:
    assert json.loads(bytes(problem("format", "The note is too long.").body))["detail"] == "The note is too long."
    assert str(Refused("funds", "Ask again.")) == "The debtor's balance does not cover the amount. Ask again."
