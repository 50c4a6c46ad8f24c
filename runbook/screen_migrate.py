"""What `strangler migrate` shows: an import's report, findings of the linter, progress on a terminal."""

from __future__ import annotations

import sys
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager

from rich.console import Console, Group, RenderableType
from rich.progress import Progress, SpinnerColumn, TextColumn, TimeElapsedColumn
from rich.table import Table

from migrations.importing.effort import by_type, minutes
from migrations.importing.report import ImportReport, most_work
from migrations.lint import LintReport
from migrations.measure import Measured
from migrations.upgrade import Listeners
from migrations.watch import RanStatement

_SHOWN = 15
_SCHEMA_WORDS = ("CREATE", "ALTER", "DROP", "COMMENT", "TRUNCATE", "UPDATE", "INSERT", "DELETE", "REINDEX", "DO")


def import_screen(report: ImportReport) -> RenderableType:
    """The account of the statements, the objects by type, what needs most work, and where the revision is."""
    kinds = Table("objects", "count", "proven", "executed", "parsed", "refused", "left out", "effort", title="Objects")
    for kind, (count, spent) in sorted(by_type(report.objects).items(), key=lambda item: -item[1][0]):
        counts = Counter[str](found.confidence for found in report.objects if found.type == kind)
        columns = ("proven", "executed", "parsed", "refused", "left_out")
        kinds.add_row(
            kind, f"{count:,}", *(f"{counts[name]:,}" if counts[name] else "" for name in columns), _time(spent)
        )
    work = Table(
        "object", "type", "line", "effort", "why", title=f"Most work by hand (of {_time(report.minutes)} in all)"
    )
    for found in most_work(report.objects, _SHOWN):
        why = "; ".join(finding.text for finding in found.findings if finding.rule != "storage")
        work.add_row(found.name, found.type, str(found.line or ""), _time(minutes(found)), why[:300])
    account = f"{report.read:,} statements read = {report.translated:,} translated + {report.left_out:,} left out"
    where = ", ".join(str(path) for path in report.revisions[:3]) or "no statement could be translated"
    more = f" and {len(report.revisions) - 3} more" if len(report.revisions) > 3 else ""
    return Group(kinds, work, account, f"expand revision: {where}{more}")


def lint_screen(report: LintReport) -> RenderableType:
    """The findings, worst first, and what the revisions suppress, with the reasons."""
    title = f"{len(report.findings)} findings"
    table = Table("", "revision", "line", "rule", "what", "instead", title=title, title_justify="left")
    for one in sorted(report.findings, key=lambda finding: (finding.severity, finding.revision, finding.line)):
        table.add_row(one.severity, one.revision, str(one.line), one.rule, one.message, one.help)
    if not report.suppressed:
        return table
    allowed = Table("revision", "line", "rule", "reason", title=f"{len(report.suppressed)} suppressed")
    for found in report.suppressed:
        allowed.add_row(found.finding.revision, str(found.finding.line), found.finding.rule, found.reason)
    return Group(table, allowed)


def measured_screen(found: Sequence[Measured]) -> RenderableType:
    """Each statement with the locks that it took, how long they were held, and who would have waited."""
    title = f"{len(found)} statements measured"
    table = Table("revision", "statement", "took", "locks", "held", "at real size", "waiting requests", title=title)
    for one in found:
        held = f"{one.held_seconds * 1000:.0f} ms" if one.held_seconds else ""
        predicted = f"{one.predicted_seconds * 1000:,.0f} ms" if one.predicted_seconds else ""
        waiting = f"{one.waiting_requests:,.0f}" if one.waiting_requests else ""
        row = one.revision, one.statement[:80], f"{one.seconds * 1000:.1f} ms", "; ".join(one.locks)
        table.add_row(*row, held, predicted, waiting)
    return table


def listeners(keep: Callable[[RanStatement], None]) -> Listeners:
    """One line on stderr for each statement that ran, with its locks and its time; it is kept. One for each retry."""

    def ran(statement: RanStatement) -> None:
        words = " ".join(statement.sql.split())
        if words.upper().startswith(_SCHEMA_WORDS):
            locks = "; ".join(statement.locks) or "no lock that lasts"
            print(f"{statement.seconds * 1000:8.1f} ms  {words[:100]}  [{locks}]", file=sys.stderr)
            keep(statement)

    def retried(statement: str) -> None:
        print(f"no lock for: {statement[:100]}; trying again", file=sys.stderr)

    return Listeners(on_ran=ran, on_retry=retried)


def _time(spent: int) -> str:
    return f"{spent / 60:,.1f} h" if spent >= 60 else f"{spent} min" if spent else ""


@contextmanager
def progress() -> Iterator[Callable[[str, int], None]]:
    """Hears a step and its count; a line that moves on a terminal, and nothing anywhere else."""
    if not sys.stderr.isatty():
        yield lambda _, __: None
        return
    columns = SpinnerColumn(), TextColumn("{task.completed:,} {task.description}"), TimeElapsedColumn()
    with Progress(*columns, console=Console(stderr=True), transient=True) as bar:
        tasks: dict[str, object] = {}

        def tell(step: str, count: int) -> None:
            if step not in tasks:
                tasks[step] = bar.add_task(step, total=None)
            bar.update(tasks[step], completed=count)  # type: ignore[arg-type]  # Rich's TaskID is an int

        yield tell
