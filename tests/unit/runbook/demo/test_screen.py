import io

import pytest
from rich.console import Console

from runbook.demo.clients import Progress
from runbook.demo.screen import LineScreen, LiveScreen


def test_without_a_terminal_every_event_is_one_plain_line(capsys: pytest.CaptureFixture[str]) -> None:
    screen = LineScreen()
    screen.stage("shadow")
    screen.progress(Progress(requests=5))
    screen.say("the clients finish")
    screen.close()
    lines = capsys.readouterr().err.splitlines()
    assert [line.split("s  ")[1] for line in lines] == ["stage: shadow", "the clients finish"]


def test_on_a_terminal_the_stage_the_figures_and_the_events_are_shown() -> None:
    console = Console(file=io.StringIO(), force_terminal=True, width=100)
    screen = LiveScreen(console)
    screen.stage("shadow")
    screen.progress(Progress(requests=1234, failed=1))
    screen.say("the clients finish")
    screen.close()
    assert isinstance(console.file, io.StringIO)
    shown = console.file.getvalue()
    assert "1,234" in shown
    assert "the clients finish" in shown
