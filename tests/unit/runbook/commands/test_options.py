import json
from decimal import Decimal
from pathlib import Path

import pytest

from runbook.commands.options import show, show_json


def test_json_keeps_decimals_exact_and_paths_readable(capsys: pytest.CaptureFixture[str]) -> None:
    show_json({"amount": Decimal("90071992547409.93"), "path": Path("routes.yaml"), "names": frozenset({"a"})})
    found = json.loads(capsys.readouterr().out)
    assert found == {"amount": "90071992547409.93", "path": "routes.yaml", "names": ["a"]}


def test_without_a_terminal_text_has_no_colour(capsys: pytest.CaptureFixture[str]) -> None:
    show("[red]stop[/red]")
    assert capsys.readouterr().out == "stop\n"
