"""Bars of a copy or a comparison of tables, for a person at a terminal: rows, rate and time left.

Apart from the choice between bars, lines and silence, because a start without a terminal has no time for Rich.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from rich.console import Console
from rich.progress import BarColumn, Progress, ProgressColumn, Task, TaskID, TextColumn, TimeRemainingColumn
from rich.text import Text

from cdc.filling.backfill import Copied
from cdc.filling.backfill import Progress as Tell


@contextmanager
def bars(console: Console | None = None) -> Iterator[Tell]:
    """What moves the bars, on stderr unless a console is given."""
    columns = (TextColumn("{task.description}"), BarColumn(), _Rows(), _Rate(), TimeRemainingColumn())
    doing = TextColumn("{task.fields[doing]}")
    with Progress(*columns, doing, console=console or Console(stderr=True)) as progress:
        yield Bars(progress).tell


class Bars:
    """One bar a table. Several workers tell it."""

    def __init__(self, progress: Progress) -> None:
        self._progress = progress
        self._tasks: dict[str, TaskID] = {}

    def tell(self, copied: Copied) -> None:
        """Move the table's bar; the source's estimate of its rows may be wrong, what is done is not."""
        task = self._tasks.get(copied.table)
        if task is None:
            task = self._tasks[copied.table] = self._progress.add_task(copied.table, total=copied.expected, doing="")
        total = copied.rows if copied.doing == "done" else max(copied.expected or 0, copied.rows) or None
        self._progress.update(task, completed=copied.rows, total=total, doing=copied.doing)


class _Rows(ProgressColumn):
    def render(self, task: Task) -> Text:
        of = f" of about {task.total:,.0f}" if task.total and not task.finished else ""
        return Text(f"{task.completed:,.0f}{of} rows")


class _Rate(ProgressColumn):
    def render(self, task: Task) -> Text:
        speed = task.finished_speed or task.speed
        return Text(f"{speed:,.0f}/s" if speed else "")
