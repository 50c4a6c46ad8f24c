"""One run of the demo around its story: the workspace before it, the report and the clearing up after it."""

from __future__ import annotations

import signal
from dataclasses import dataclass
from pathlib import Path
from types import FrameType
from typing import cast

from rich.console import Group, RenderableType
from rich.text import Text

from runbook.comparison import read_report
from runbook.demo.result import Result, render, write_html
from runbook.demo.sabotage import Sabotage
from runbook.demo.screen import open_screen
from runbook.demo.story import Story
from runbook.demo.workspace import Workspace
from runbook.demo.world import CAPABILITY, Size, World, build


@dataclass(frozen=True)
class Pages:
    """Where the pages of a run are written: the run's own, and the comparison's, on which somebody would sign."""

    report: Path
    comparison: Path


@dataclass(frozen=True)
class Outcome:
    """What one run leaves: its result, its pages, and where it runs on if it was to be kept."""

    result: Result
    pages: Pages
    kept: World | None

    def closing(self) -> RenderableType:
        """The last thing on the terminal."""
        lines = [f"report: {self.pages.report}", f"comparison: {self.pages.comparison}"]
        if self.kept is not None:
            lines += [
                f"clients' address: {self.kept.gateway}",
                f"admin API:        {self.kept.admin}",
                f"routes.yaml:      {self.kept.routes}",
                f"to end it:        rm {self.kept.folder / 'keep'}; the next run clears it away",
            ]
        return Group(render(self.result), Text("\n".join(lines)))


def run_demo(*, port: int, keep: bool, sabotage: str | None, pages: Pages) -> Outcome:
    """Run the story in a workspace of its own and write its pages; Ctrl-C and SIGTERM clear up as its end does."""
    signal.signal(signal.SIGTERM, _interrupt)
    screen = open_screen()
    workspace = Workspace("demo")
    is_kept = False
    try:
        world = build(workspace.path, Size(), port, screen.say)
        result, history = Story(world, screen, cast(Sabotage | None, sabotage)).tell()
        write_html(result, history, pages.report)
        pages.comparison.write_text(read_report(world.routes, CAPABILITY).html())
        if keep:
            workspace.keep()
            is_kept = True
        return Outcome(result, pages, world if is_kept else None)
    finally:
        screen.close()
        if not is_kept:
            workspace.close()


def _interrupt(_number: int, _frame: FrameType | None) -> None:
    raise KeyboardInterrupt
