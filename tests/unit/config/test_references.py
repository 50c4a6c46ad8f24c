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
