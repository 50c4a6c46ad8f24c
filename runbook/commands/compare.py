"""report, judge: what the comparison found, and what it says of pairs in a file."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from runbook.commands.options import DEFAULT_ROUTES, CapabilityArgument, JsonOption, RoutesOption, show, show_json


def report(
    capability: CapabilityArgument,
    routes: RoutesOption = DEFAULT_ROUTES,
    html: Annotated[Path | None, typer.Option(help="Write one self-contained page to this file too.")] = None,
    json: JsonOption = False,
) -> None:
    """Show what the comparison of both sides found. Exit 3 if the gate does not pass.

    Example: strangler report accounts --html report.html
    """
    from runbook.comparison import read_report

    found = read_report(routes, capability)
    if html is not None:
        html.write_text(found.html(), encoding="utf-8")
        typer.echo(f"wrote {html}", err=True)
    if json:
        show_json(found.to_json())
    else:
        show(found.terminal())
    raise typer.Exit(0 if found.passes else 3)


def judge(
    pairs: Annotated[Path, typer.Argument(help="One JSON object a line: route, control, candidate.", exists=True)],
    routes: RoutesOption = DEFAULT_ROUTES,
) -> None:
    """Judge pairs of answers in a file under today's rules; one JSON object a line comes back.

    Example: strangler judge pairs.jsonl
    """
    from runbook.comparison import judge_pairs

    for line in judge_pairs(routes, pairs):
        typer.echo(line)
