from pathlib import Path

from config.reader import parse_routes
from runbook.today import what_routes_do
from tests.support.routes_text import ROUTES_TEXT


def today(stage: str) -> dict[str, tuple[str, str, str]]:
    text = ROUTES_TEXT.replace("stage: shadow ", f"stage: {stage} ")
    rows = what_routes_do(parse_routes(text.encode(), Path("routes.yaml"), {}))
    return {row.route: (row.reads, row.writes, row.mirrored_to) for row in rows}


def test_each_stage_is_said_in_words() -> None:
    route = "GET /accounts/{account_id}"
    assert today("legacy")[route] == ("monolith", "monolith", "-")
    assert today("shadow")[route] == ("monolith", "monolith", "reads to ledger")
    assert today("canary")[route] == ("ledger for 5 % of keys, else monolith", "monolith", "reads to the other side")
    assert today("modern")[route] == ("ledger", "ledger", "-")


def test_what_no_route_names_is_said_too() -> None:
    assert today("legacy")["(everything else)"] == ("monolith", "monolith", "-")
    assert today("modern")["* /admin/{rest...}"] == ("monolith", "monolith", "-")
