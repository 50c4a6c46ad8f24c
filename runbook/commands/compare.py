"""report, accept, judge, erase: what the comparison found, what of it is noise, pairs in a file, what is forgotten."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from runbook.commands.options import (
    DEFAULT_ROUTES,
    ActorOption,
    CapabilityArgument,
    JsonOption,
    RoutesOption,
    show,
    show_json,
    who,
)


def report(
    capability: CapabilityArgument,
    routes: RoutesOption = DEFAULT_ROUTES,
    html: Annotated[Path | None, typer.Option(help="Write one self-contained page to this file too.")] = None,
    junit: Annotated[Path | None, typer.Option(help="Write JUnit XML for a build server to this file too.")] = None,
    csv: Annotated[Path | None, typer.Option(help="Write every count as a table to this file too.")] = None,
    against: Annotated[
        Path | None, typer.Option(help="Judge the stored pairs by the rules of this routes.yaml instead.", exists=True)
    ] = None,
    json: JsonOption = False,
) -> None:
    """Show what the comparison of both sides found. Exit 3 if the gate does not pass.

    Example: strangler report accounts --html report.html

    Example: strangler report accounts --against changed.yaml
    """
    from runbook.comparison import read_again, read_report

    if against is not None:
        from shadow.report import terminal_rejudged

        again = read_again(routes, capability, against)
        show_json(again.to_json()) if json else show(terminal_rejudged(again))
        raise typer.Exit(3 if again.differs else 0)
    found = read_report(routes, capability)
    for path, content in ((html, found.html), (junit, found.junit), (csv, found.csv)):
        if path is not None:
            path.write_text(content(), encoding="utf-8", newline="")
            typer.echo(f"wrote {path}", err=True)
    if json:
        show_json(found.to_json())
    else:
        show(found.terminal())
    raise typer.Exit(0 if found.passes else 3)


def accept(  # the words of one sentence
    capability: CapabilityArgument,
    path: Annotated[str, typer.Argument(help="Where legacy differs from itself, as the report proposes it.")],
    reason: Annotated[str, typer.Option(help="Why it may differ; it goes into routes.yaml and the journal.")],
    route: Annotated[str | None, typer.Option(help="The route, where several have noise at that path.")] = None,
    routes: RoutesOption = DEFAULT_ROUTES,
    actor: ActorOption = None,
    json: JsonOption = False,
) -> None:
    """Accept a proposal of the report: what is noise of legacy is ignored from now on, for 90 days.

    The line goes into compare.ignore of the route in routes.yaml, with the evidence; the journal says who accepted it.

    Example: strangler accept accounts '$.served_at' --reason 'a clock, each side has its own' --as alice
    """
    from runbook.accepting import accept as take

    given = take(routes, capability, path, route=route, actor=who(actor), reason=reason)
    if json:
        show_json(given)
    else:
        typer.echo(f"{given.path} of {given.route} is ignored until {given.until}: {given.evidence}")
        typer.echo(f"{routes}: {given.line}\nnext: strangler report {capability}")


def erase(
    capability: CapabilityArgument,
    key: Annotated[list[str], typer.Option(help="A canary key, such as a customer's number; may be repeated.")],
    routes: RoutesOption = DEFAULT_ROUTES,
) -> None:
    """Erase the stored pairs of a data subject, by the key that their requests carried.

    Example: strangler erase accounts --key 4711
    """
    from runbook.comparison import erase as erase_subjects

    count = erase_subjects(routes, capability, key)
    typer.echo(f"{count} stored pair{'' if count == 1 else 's'} erased.")


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
