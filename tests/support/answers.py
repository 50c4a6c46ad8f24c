"""Answers and pairs of answers for tests of the comparison."""

from __future__ import annotations

import json
from typing import Any

from shadow.compare import Verdict, compare
from shadow.observation import Observation, Pair, Side
from shadow.redact import Redactor
from shadow.rules import NO_RULES, Rules

JSON_HEADERS = (("Content-Type", "application/json"), ("Server", "CORE87"))
REDACTOR = Redactor(b"a key for tests only")
EQUAL = Verdict("equal")
DIFFERENT = Verdict("different")


def answer(
    body: Any, *, status: int = 200, headers: Any = JSON_HEADERS, seconds: float = 0.01, side: Side = "legacy"
) -> Observation:
    """An answer; a body that is not bytes is written as JSON."""
    raw = body if isinstance(body, bytes) else json.dumps(body).encode()
    return Observation(status, headers, raw, seconds, side)


def pair(control: Any, candidate: Any, **fields: Any) -> Pair:
    """A pair of answers by legacy and modern; an answer may be given as its body."""
    ours = control if isinstance(control, Observation) else answer(control)
    theirs = candidate if isinstance(candidate, Observation) else answer(candidate, side="modern")
    known = {
        "route": "GET /accounts/{no}", "capability": "accounts", "key": "k1", "method": "GET",
        "candidate_first": False, "stage": "shadow", "at": 1000.0,
    }  # fmt: skip
    return Pair(control=ours, candidate=theirs, **{**known, **fields})


def verdict_on(control: Any, candidate: Any, rules: Rules = NO_RULES, **fields: Any) -> Verdict:
    """The verdict on such a pair."""
    return compare(pair(control, candidate, **fields), rules, None, REDACTOR)
