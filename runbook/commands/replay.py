"""replay: recorded requests against both sides, judged by today's rules."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from runbook.commands.options import DEFAULT_ROUTES, JsonOption, RoutesOption, show, show_json

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from runbook.replay import Outcome
    from shadow.observation import Headers
    from shadow.recording import Recorded

DIFFERS, INTERRUPTED = 6, 130


def replay(
    file: Annotated[
        Path | None, typer.Argument(help="A HAR, or one JSON object a line.", exists=True, dir_okay=False)
    ] = None,
    captures: Annotated[
        str | None, typer.Option(metavar="CAPABILITY", help="Instead of a file: the reads that its gateways have kept.")
    ] = None,
    header_from: Annotated[
        list[str] | None,
        typer.Option(metavar="NAME:VARIABLE", help="A header for every request, its value from the environment."),
    ] = None,
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

    Example: strangler replay --captures accounts --header-from Authorization:BANK_TOKEN
    """
    from config.reader import read_routes
    from runbook.replay import Pace
    from runbook.replay import replay as replayed
    from runbook.screen_migrate import progress

    requests = _requests(routes, file, captures, _headers(header_from or []))
    with progress() as tell:
        pace = Pace(rate, at_once)
        outcome = replayed(read_routes(routes), requests, pace, lambda ended: tell("requests ended", ended))
    show_json(_as_json(outcome)) if json else _print(outcome)
    raise typer.Exit(INTERRUPTED if outcome.is_interrupted else DIFFERS if outcome.differs else 0)


def _requests(routes: Path, file: Path | None, captures: str | None, headers: Headers) -> Iterable[Recorded]:
    import msgspec

    from runbook.comparison import captures_of
    from shadow.recording import read_recording

    if (file is None) == (captures is None):
        raise typer.BadParameter("give a file, or --captures CAPABILITY")
    if file is not None:
        found: list[Recorded | None] | Iterator[Recorded] = read_recording(file)
    else:
        found = captures_of(routes, str(captures))
        typer.echo(f"{len(found)} kept reads, {found.count(None)} of them sealed with a key that is gone", err=True)
    return (msgspec.structs.replace(one, headers=(*one.headers, *headers)) for one in found if one is not None)


def _headers(named: list[str]) -> Headers:
    """Fields by NAME:VARIABLE; values are secrets, and so they come from the environment alone."""
    found = []
    for one in named:
        name, colon, variable = one.partition(":")
        if not colon or variable not in os.environ:
            raise typer.BadParameter(
                f"{one!r} is not NAME:VARIABLE with a variable that is set", param_hint="--header-from"
            )
        found.append((name, os.environ[variable]))
    return tuple(found)


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
