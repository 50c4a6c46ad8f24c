"""How a rehearsal is shown: what was copied and left out, what each step took, what clients waited for."""

from __future__ import annotations

from statistics import median

from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from runbook.rehearsal.rehearse import Move, Rehearsal


def rehearsal_screen(found: Rehearsal) -> RenderableType:
    """All of it."""
    rows = sum(found.rows.values())
    head = Text(
        f"{found.capability}: rehearsed in {found.seconds:.0f} s\n"
        f"copied {rows:,} rows of {', '.join(found.rows) or 'no table'} ({found.size_bytes / (1 << 20):,.1f} MiB) "
        f"to {found.folder}, which is gone again"
    )
    table = Table("step", *(f"{move.kind}, ms" for move in found.moves), box=None, padding=(0, 1))
    for step in dict.fromkeys(step for move in found.moves for step in move.steps):
        table.add_row(step, *(_ms(move.steps.get(step)) for move in found.moves))
    table.add_row("writes held", *(_ms(move.pause_seconds) for move in found.moves), style="bold")
    table.add_row("a client waited", *(_clients(move) for move in found.moves))
    foot = [Text(f"{found.writes:,} writes, {found.failed_writes} failed", "red" if found.failed_writes else "")]
    foot += [Text(f"not copied: {what}", "yellow") for what in found.left_out]
    foot.append(Text(f"next: strangler plan {found.capability}"))
    return Group(head, table, *foot)


def _ms(seconds: float | None) -> str:
    return "-" if seconds is None else f"{seconds * 1000:.0f}"


def _clients(move: Move) -> str:
    waits = move.client_pauses
    if not waits:
        return "-"
    return f"{_ms(median(waits))} (longest {_ms(waits[-1])})"
