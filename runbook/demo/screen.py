"""What the demo shows while it runs: a live panel on a terminal, plain lines anywhere else; always on stderr."""

from __future__ import annotations

import sys
from collections import deque
from time import monotonic
from typing import Protocol

from rich.console import Console, Group
from rich.live import Live
from rich.panel import Panel
from rich.table import Table
from rich.text import Text

from runbook.demo.clients import Progress

LINES_SHOWN = 14
STAGES = ("legacy", "shadow", "canary 10 %", "canary 50 %", "canary 100 %", "modern")


class Screen(Protocol):
    """Shows what happens."""

    def say(self, text: str) -> None:
        """One event, as a sentence."""

    def stage(self, name: str) -> None:
        """The stage that the capability is in now."""

    def progress(self, progress: Progress) -> None:
        """The clients' latest figures."""

    def close(self) -> None:
        """Leave the terminal as it was."""


def open_screen() -> Screen:
    """A live panel when stderr is a terminal, lines otherwise."""
    console = Console(stderr=True)
    return LiveScreen(console) if console.is_terminal else LineScreen()


class LineScreen:
    """One line an event, with the seconds since the start."""

    def __init__(self) -> None:
        self._began = monotonic()

    def say(self, text: str) -> None:
        """Print the line."""
        print(f"{monotonic() - self._began:6.1f} s  {text}", file=sys.stderr, flush=True)

    def stage(self, name: str) -> None:
        """Print the stage."""
        self.say(f"stage: {name}")

    def progress(self, progress: Progress) -> None:
        """Nothing: four lines a second would bury the events."""

    def close(self) -> None:
        """Nothing to restore."""


class LiveScreen:
    """The stages as a path, the clients' figures, and the latest events."""

    def __init__(self, console: Console) -> None:
        self._began = monotonic()
        self._lines: deque[str] = deque(maxlen=LINES_SHOWN)
        self._stage = ""
        self._progress = Progress()
        self._live = Live(self._draw(), console=console, refresh_per_second=8, transient=False)
        self._live.start()

    def say(self, text: str) -> None:
        """Add the event."""
        self._lines.append(f"{monotonic() - self._began:6.1f} s  {text}")
        self._live.update(self._draw())

    def stage(self, name: str) -> None:
        """Move along the path."""
        self._stage = name
        self.say(f"stage: {name}")

    def progress(self, progress: Progress) -> None:
        """Show the clients' figures."""
        self._progress = progress
        self._live.update(self._draw())

    def close(self) -> None:
        """Stop drawing; the last picture stays."""
        self._live.stop()

    def _draw(self) -> Panel:
        path = Text()
        for name in STAGES:
            path.append(f" {name} ", style="reverse bold green" if name == self._stage else "dim")
            path.append("" if name == STAGES[-1] else " > ", style="dim")
        figures = Table.grid(padding=(0, 3))
        shown = self._progress
        figures.add_row("requests", "failed", "transfers", "stale reads", "a second", "p50", "p99", style="dim")
        figures.add_row(
            f"{shown.requests:,}",
            Text(str(shown.failed), style="red" if shown.failed else "green"),
            f"{shown.transfers:,}",
            Text(str(shown.stale_reads), style="red" if shown.stale_reads else "green"),
            f"{shown.per_second:.0f}",
            f"{shown.p50_ms:.0f} ms",
            f"{shown.p99_ms:.0f} ms",
        )
        return Panel(Group(path, "", figures, "", *self._lines), title="strangler demo", title_align="left")
