import json
from pathlib import Path

import pytest
from typer.testing import CliRunner

from runbook.cli import app
from tests.support.routes_text import ROUTES_TEXT


@pytest.fixture
def file(tmp_path: Path) -> str:
    path = tmp_path / "routes.yaml"
    path.write_text(ROUTES_TEXT)
    return str(path)


def test_check_says_what_each_route_does_today(file: str) -> None:
    done = CliRunner().invoke(app, ["check", "--routes", file, "--json"])
    assert done.exit_code == 0
    assert json.loads(done.stdout)["routes"][0]["mirrored_to"] == "reads to ledger"


def test_explain_names_the_route_and_who_answers(file: str) -> None:
    done = CliRunner().invoke(app, ["explain", "GET /accounts/1", "--routes", file, "--json"])
    assert done.exit_code == 0, done.output
    assert "GET /accounts/{account_id}" in done.stdout


def test_explain_refuses_what_is_no_request(file: str) -> None:
    assert CliRunner().invoke(app, ["explain", "accounts", "--routes", file]).exit_code == 2


def test_schema_is_a_json_schema() -> None:
    assert json.loads(CliRunner().invoke(app, ["schema"]).stdout)["properties"]["version"]["const"] == 1
