from pathlib import Path

import pytest

from config.errors import RoutesInvalid
from config.reader import digest_of, parse_routes, read_routes
from tests.support.routes_text import ROUTES_TEXT

HERE = Path("/srv/bank/routes.yaml")


def problems_of(text: str, environ: dict[str, str] | None = None) -> dict[str, str]:
    with pytest.raises(RoutesInvalid) as raised:
        parse_routes(text.encode(), HERE, environ or {})
    return {problem.where: f"{problem.what} | {problem.example}" for problem in raised.value.problems}


def test_the_whole_file_is_read_into_typed_objects() -> None:
    routes = parse_routes(ROUTES_TEXT.encode(), HERE, {"LEGACY_DB": "postgresql://db/core"})
    accounts = routes.capabilities["accounts"]
    assert routes.databases["legacy"].url == "postgresql://db/core"
    assert routes.upstreams["monolith"].connect_timeout == 0.25
    assert accounts.gates.mismatch_rate == 0.001
    assert accounts.sync is not None
    assert accounts.sync.mappings == Path("/srv/bank/mappings/accounts")
    assert (accounts.canary_key_kind, accounts.canary_key_name) == ("header", "X-Customer-Id")
    assert routes.capabilities["cards"].stage == "legacy"
    assert [route.is_write("POST") for route in routes.routes] == [True, False, True, True]
    assert routes.digest == digest_of(ROUTES_TEXT.encode())


def test_a_variable_falls_back_to_its_default() -> None:
    assert parse_routes(ROUTES_TEXT.encode(), HERE, {}).databases["legacy"].url == "postgresql://127.0.0.1/corebank"


def test_a_variable_without_value_or_default_is_named() -> None:
    found = problems_of(ROUTES_TEXT.replace(":-postgresql://127.0.0.1/corebank", ""))
    assert "the environment has no LEGACY_DB" in found["databases.legacy.url"]


def test_five_mistakes_get_five_messages_each_with_its_place_and_an_example() -> None:
    text = (
        ROUTES_TEXT.replace("stage: shadow ", "stage: shadows ")
        .replace("timeout: 30s", "timeout: 30 parsecs")
        .replace("percent: 5", "percent: 500")
        .replace("write: false", "writes: false")
        .replace("* /admin/{rest...}", "admin")
    )
    found = problems_of(text)
    assert set(found) == {
        "capabilities.accounts.stage",
        "upstreams.monolith.timeout",
        "capabilities.accounts.canary.percent",
        "routes[1].writes",
        "routes[3].match",
    }
    assert "stage: shadow" in found["capabilities.accounts.stage"]
    assert "timeout: 30s" in found["upstreams.monolith.timeout"]


def test_a_name_that_leads_nowhere_is_told_beside_a_value_that_is_wrong() -> None:
    text = ROUTES_TEXT.replace("timeout: 30s", "timeout: 30 parsecs").replace("modern: ledger", "modern: nowhere", 1)
    assert set(problems_of(text)) == {"upstreams.monolith.timeout", "capabilities.accounts.modern"}


def test_a_missing_key_is_named() -> None:
    assert (
        "is missing"
        in problems_of(ROUTES_TEXT.replace("    modern: ledger\n    stage", "    stage"))[
            "capabilities.accounts.modern"
        ]
    )


def test_text_that_is_no_yaml_is_refused_with_its_line() -> None:
    assert "line 3" in next(iter(problems_of("version: 1\nroutes:\n  - {match: [}\n")))


def test_a_file_that_is_not_there_is_one_sentence() -> None:
    with pytest.raises(RoutesInvalid, match="cannot be read"):
        read_routes(Path("/nonexistent/routes.yaml"))
