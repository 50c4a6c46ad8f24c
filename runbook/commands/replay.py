"""replay: recorded requests against both sides, judged by today's rules."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from runbook.commands.options import DEFAULT_ROUTES, JsonOption, RoutesOption, show, show_json

if TYPE_CHECKING:
    from runbook.replay import Outcome

DIFFERS, INTERRUPTED = 6, 130


def replay(
    file: Annotated[Path, typer.Argument(help="A HAR, or one JSON object a line.", exists=True, dir_okay=False)],
    routes: RoutesOption = DEFAULT_ROUTES,
    rate: Annotated[float, typer.Option(min=0.01, max=10_000, help="Requests a second, at most.")] = 20.0,
    at_once: Annotated[int, typer.Option(min=1, max=256, help="Requests under way at the same time, at most.")] = 8,
    json: JsonOption = False,
) -> None:
    """Send recorded requests to both sides and compare the answers. Exit 6 if they differ, 130 after Ctrl-C.

    Reads go to legacy and modern. A write never goes to legacy: it goes to modern where its route says `dry_run` or
    `sandbox`, and the recorded answer is what it is compared with. Nothing of it is evidence for the gate.

    Example: strangler replay monday.har --rate 50

    Example: strangler replay requests.jsonl --json
    """
    from config.reader import read_routes
    from runbook.replay import Pace
    from runbook.replay import replay as replayed
    from runbook.screen_migrate import progress
    from shadow.recording import read_recording

    with progress() as tell:
        pace = Pace(rate, at_once)
        outcome = replayed(read_routes(routes), read_recording(file), pace, lambda ended: tell("requests ended", ended))
    show_json(_as_json(outcome)) if json else _print(outcome)
    raise typer.Exit(INTERRUPTED if outcome.is_interrupted else DIFFERS if outcome.differs else 0)


def _print(outcome: Outcome) -> None:
    from shadow.report import terminal_replayed

    for summary in outcome.summaries.values():
        show(terminal_replayed(summary))
        typer.echo("")
    for reason, count in sorted(outcome.outside.items()):
        typer.echo(f"{count} not sent: {reason}")
    typer.echo(f"{outcome.read} requests read{', then interrupted' if outcome.is_interrupted else ''}")


def _as_json(outcome: Outcome) -> dict[str, Any]:
    from shadow.summary import summary_json

    return {
        "requests": outcome.read,
        "interrupted": outcome.is_interrupted,
        "differs": outcome.differs,
        "not_sent": dict(outcome.outside),
        "capabilities": {name: summary_json(summary) for name, summary in outcome.summaries.items()},
    }
