"""journal: what happened and who did it, and whether the record is whole."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from runbook.commands.options import DEFAULT_ROUTES, JsonOption, RoutesOption, show, show_json

if TYPE_CHECKING:
    from runbook.journal import Journal

journal = typer.Typer(invoke_without_command=True, help="What happened, who did it; the chain checked.")


@journal.callback()
def journal_entries(
    context: typer.Context,
    routes: RoutesOption = DEFAULT_ROUTES,
    last: Annotated[int, typer.Option(min=1, help="How many of the newest entries.")] = 50,
    json: JsonOption = False,
) -> None:
    """Print what happened and who did it, newest last.

    Example: strangler journal --last 20
    """
    if context.invoked_subcommand is not None:
        context.obj = routes
        return
    from runbook.screen_run import journal_screen

    with _journal(routes) as record:
        entries = record.entries(last=last)
    if json:
        show_json({"entries": [entry.facts() | {"seq": entry.seq} for entry in entries]})
    else:
        show(journal_screen(entries))


@journal.command("verify")
def journal_verify(routes: RoutesOption = DEFAULT_ROUTES, json: JsonOption = False) -> None:
    """Check the hash chain and its head; exit 6 if an entry was changed, removed, moved, or the tail was cut.

    Example: strangler journal verify
    """
    from runbook.screen_run import check_screen

    with _journal(routes) as record:
        found = record.verify()
    if json:
        show_json(found)
    else:
        show(check_screen(found))
    raise typer.Exit(0 if found.ok else 6)


@contextmanager
def _journal(routes: Path) -> Iterator[Journal]:
    """The journal of the control database that routes.yaml names."""
    from config.reader import read_routes
    from runbook.control import Control
    from runbook.journal import Journal

    control = Control.of(read_routes(routes))
    try:
        yield Journal(control)
    finally:
        control.close()
