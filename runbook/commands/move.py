"""status, plan, advance, back: where a capability is, and how it moves."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from runbook.commands.options import (
    DEFAULT_ROUTES,
    ActorOption,
    BackOption,
    CapabilityArgument,
    JsonOption,
    PercentOption,
    RoutesOption,
    show,
    show_json,
    who,
)

if TYPE_CHECKING:
    from collections.abc import Callable

    from runbook.advance import Outcome
    from runbook.execute import Event

PlanOption = Annotated[str | None, typer.Option("--plan", help="Refuse to run if the plan's hash is not this one.")]
YesOption = Annotated[bool, typer.Option("--yes", help="Do not ask; for scripts.")]


def status(
    capability: Annotated[str | None, typer.Argument(help="One capability; all of them without it.")] = None,
    routes: RoutesOption = DEFAULT_ROUTES,
    watch: Annotated[bool, typer.Option("-w", "--watch", help="Refresh until Ctrl-C.")] = False,
    json: JsonOption = False,
) -> None:
    """Show the board: stage, traffic, verdict, delay of the streams, what is next.

    Example: strangler status accounts
    """
    from runbook.board import read_boards
    from runbook.screen_run import board_screen, watch_boards

    if watch and not json:
        watch_boards(routes, capability)
        return
    boards = read_boards(routes, capability)
    if json:
        show_json({"capabilities": boards})
    else:
        show(board_screen(boards))


def plan(
    capability: CapabilityArgument,
    routes: RoutesOption = DEFAULT_ROUTES,
    percent: PercentOption = None,
    back: BackOption = False,
    json: JsonOption = False,
) -> None:
    """Print what advance (or back) would do now, step by step, with the plan's hash. Changes nothing.

    Example: strangler plan accounts
    """
    from runbook.advance import make_plan
    from runbook.screen_run import plan_screen

    made = make_plan(routes, capability, kind="back" if back else "advance", percent=percent)
    if json:
        show_json({"hash": made.hash, "plan": made})
    else:
        show(plan_screen(made))


def advance(
    capability: CapabilityArgument,
    routes: RoutesOption = DEFAULT_ROUTES,
    percent: PercentOption = None,
    plan_hash: PlanOption = None,
    actor: ActorOption = None,
    yes: YesOption = False,
    json: JsonOption = False,
) -> None:
    """Move a capability one stage on, or to more canary, after showing the plan and asking.

    A run that was killed is finished or undone by the same command. Exit 3 blocked by a gate, 4 waiting for an
    approval, 5 the plan is stale, 7 another run holds the lease.

    Example: strangler advance accounts --percent 25
    """
    from runbook import advance as moves

    agreed = plan_hash or _agree(routes, capability, "advance", percent, yes)
    _report(
        lambda tell: moves.advance(
            routes, capability, percent=percent, plan_hash=agreed, actor=who(actor), progress=tell
        ),
        json,
    )


def back(
    capability: CapabilityArgument,
    routes: RoutesOption = DEFAULT_ROUTES,
    plan_hash: PlanOption = None,
    actor: ActorOption = None,
    yes: YesOption = False,
    json: JsonOption = False,
) -> None:
    """Move a capability one stage back, the same way; nothing is lost.

    Example: strangler back accounts
    """
    from runbook import advance as moves

    agreed = plan_hash or _agree(routes, capability, "back", None, yes)
    _report(lambda tell: moves.back(routes, capability, plan_hash=agreed, actor=who(actor), progress=tell), json)


def _agree(
    routes: Path, capability: str, kind: Literal["advance", "back"], percent: float | None, yes: bool
) -> str | None:
    """Show the plan and ask; returns its hash, so that what runs is what was read."""
    from runbook.advance import make_plan
    from runbook.screen_run import plan_screen

    if yes:
        return None
    made = make_plan(routes, capability, kind=kind, percent=percent)
    show(plan_screen(made))
    typer.confirm("Run it?", abort=True)
    return made.hash


def _report(move: Callable[[Callable[[Event], None]], Outcome], json: bool) -> None:
    """Make the move, with progress on stderr and the outcome on stdout."""
    from runbook.screen_run import outcome_screen, print_event

    outcome = move(print_event)
    if json:
        show_json(outcome)
    else:
        show(outcome_screen(outcome))
