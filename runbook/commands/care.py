"""doctor: what would stop the next step, with the remedy for each."""

from __future__ import annotations

from typing import Annotated

import typer

from runbook.commands.options import DEFAULT_ROUTES, JsonOption, RoutesOption, show, show_json


def doctor(
    capability: Annotated[str | None, typer.Argument(help="One capability; all of them without it.")] = None,
    routes: RoutesOption = DEFAULT_ROUTES,
    json: JsonOption = False,
) -> None:
    """Look at everything that a cutover needs, and say what would stop it and how to mend it. Exit 3 if anything does.

    Example: strangler doctor accounts
    """
    from runbook.doctor import examine
    from runbook.screen_run import doctor_screen

    found = examine(routes, capability)
    if json:
        show_json({"findings": found})
    else:
        show(doctor_screen(found))
    raise typer.Exit(3 if any(one.stops for one in found) else 0)
