import json
import re
from collections import Counter
from pathlib import Path

from rich.console import Console

from runbook.demo.operation import Operation
from runbook.demo.phases import Phase
from runbook.demo.proof import Check, Pause
from runbook.demo.result import Result, render, write_html

RESULT = Result(
    ok=False,
    seconds=12.3,
    requests=2,
    transfers=1,
    failed=0,
    checks=(Check("nothing lost", ok=True, detail="2 transfers"), Check("<b>odd</b>", ok=False, detail="r1")),
    phases=(Phase("legacy", 0.0, 10.0, Counter({("legacy", "2xx"): 2})),),
    pauses=(Pause("cutover", (10.0, 250.0)),),
    comparison={"compared": 2},
    streams={},
    sabotage="",
)
HISTORY = [Operation(kind="read", client=1, account="1", began=1.0, seconds=0.5, outcome="ok")]


def test_the_page_needs_no_network_and_escapes_what_it_shows(tmp_path: Path) -> None:
    write_html(RESULT, HISTORY, tmp_path / "page.html")
    page = (tmp_path / "page.html").read_text()
    assert not re.search(r'(src|href)="?https?:', page)
    assert "<b>odd</b>" not in page
    assert "&lt;b&gt;odd&lt;/b&gt;" in page
    assert "500 ms" in page


def test_a_run_without_traffic_still_has_a_page(tmp_path: Path) -> None:
    write_html(RESULT, [], tmp_path / "page.html")
    assert "a check does not hold" in (tmp_path / "page.html").read_text()


def test_the_json_holds_every_figure() -> None:
    found = json.loads(json.dumps(RESULT.to_json()))
    assert found["pauses"] == [{"name": "cutover", "clients": 2, "median_ms": 250.0, "p99_ms": 250.0}]
    assert found["phases"][0] == {"name": "legacy", "seconds": 10.0, "legacy": 2, "modern": 0, "server_errors": 0}


def test_the_terminal_says_what_does_not_hold() -> None:
    console = Console(width=120, record=True, file=open("/dev/null", "w"))  # noqa: SIM115, PTH123  a sink
    console.print(render(RESULT))
    console.file.close()
    assert "1 of 2 checks hold" in console.export_text()
