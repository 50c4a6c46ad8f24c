"""doctor and rehearse: what would stop the next step, and how long it will take."""

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


def rehearse(
    capability: CapabilityArgument,
    routes: RoutesOption = DEFAULT_ROUTES,
    rounds: Annotated[int, typer.Option(min=1, max=50, help="How often it moves there and back.")] = 3,
    clients: Annotated[int, typer.Option(min=1, max=200, help="Clients that write through the second gateway.")] = 8,
    rate: Annotated[float, typer.Option(min=1, max=1000, help="Their writes a second, together.")] = 50.0,
    folder: Annotated[Path | None, typer.Option(help="Where the copies are put; the system's, without it.")] = None,
    actor: ActorOption = None,
    json: JsonOption = False,
) -> None:
    """Run advance and back on copies of both databases, behind a second gateway, and keep what each step took.

    Reads the capability's tables (SELECT, in one snapshot; no slot, no lock that anyone meets) into two throw-away
    PostgreSQL servers on this machine, on loopback, in a folder that only their owner reads and that is removed at the
    end. They hold real rows for that time. No request reaches a real service. `strangler plan` predicts by it.

    Example: strangler rehearse accounts

    Example: strangler rehearse accounts --rounds 10 --rate 200 --clients 20 --folder /mnt/encrypted --json
    """
    from runbook.rehearsal.rehearse import Plan
    from runbook.rehearsal.rehearse import rehearse as run
    from runbook.screen_rehearsal import rehearsal_screen

    def say(text: str) -> None:
        typer.echo(text, err=True)

    found = run(routes, capability, Plan(rounds, clients, rate, folder), who(actor), say)
    if json:
        show_json(found)
    else:
        show(rehearsal_screen(found))
    raise typer.Exit(1 if found.failed_writes else 0)
