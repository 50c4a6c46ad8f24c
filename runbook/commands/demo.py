"""demo: the whole story on an embedded PostgreSQL; it ends by itself."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from runbook.commands.options import JsonOption, show, show_json

SABOTAGES = ("lose-a-change", "double-a-change", "flip-before-drain")


def demo(
    json: JsonOption = False,
    keep: Annotated[bool, typer.Option("--keep", help="Leave everything running and print where it is.")] = False,
    port: Annotated[int, typer.Option(min=0, max=65535, help="The gateway's port; 0 picks a free one.")] = 0,
    sabotage: Annotated[
        str | None, typer.Option(help=f"Do damage from outside and see the proof fail: {', '.join(SABOTAGES)}.")
    ] = None,
    report: Annotated[Path, typer.Option(help="Where the HTML report is written.")] = Path("demo-report.html"),
    comparison: Annotated[Path, typer.Option(help="Where the comparison's HTML report is written.")] = Path(
        "demo-comparison.html"
    ),
) -> None:
    """Move one capability of the demo bank to the new service and back, under load, and prove that nothing is lost.

    Needs no database, no Docker and no root; takes less than two minutes. Exit 0 only if every check holds.

    Example: strangler demo --json
    """
    if sabotage is not None and sabotage not in SABOTAGES:
        raise typer.BadParameter(f"expected one of {', '.join(SABOTAGES)}", param_hint="--sabotage")
    from runbook.demo.run import Pages, run_demo

    outcome = run_demo(port=port, keep=keep, sabotage=sabotage, pages=Pages(report, comparison))
    if json:
        show_json(outcome.result.to_json())
    else:
        show(outcome.closing())
    raise typer.Exit(0 if outcome.result.ok else 1)
