"""Progress is lines of JSON for a program, and silence where neither a program nor a person looks."""

from __future__ import annotations

import json

import pytest

from cdc.filling.backfill import Copied
from runbook.screen_copy import copy_progress


def test_lines_are_json_with_rate_and_time_left(capsys: pytest.CaptureFixture[str]) -> None:
    with copy_progress(as_json=True) as tell:
        tell(Copied("account", 10, 100, "copying"))
        tell(Copied("account", 20, 100, "copying"))
        tell(Copied("account", 100, 100, "done"))
    lines = [json.loads(line) for line in capsys.readouterr().err.splitlines()]
    assert [(line["rows"], line["doing"]) for line in lines] == [(10, "copying"), (100, "done")]
    assert lines[-1]["seconds_left"] == 0
    assert lines[-1]["rows_per_second"] > 0


def test_nothing_is_printed_where_nobody_looks(capsys: pytest.CaptureFixture[str]) -> None:
    with copy_progress(as_json=False) as tell:
        tell(Copied("account", 10, None, "copying"))
    assert capsys.readouterr() == ("", "")
