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
    seconds_of,
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
    actor: ActorOption = None,
    json: JsonOption = False,
) -> None:
    """Print what advance (or back) would do now, step by step, with the plan's hash. Moves nothing.

    Who asks for a plan first is its author, and cannot approve it.

    Example: strangler plan accounts
    """
    from runbook.advance import make_plan
    from runbook.screen_run import plan_screen

    made = make_plan(routes, capability, kind="back" if back else "advance", percent=percent, actor=who(actor))
    if json:
        show_json({"hash": made.hash, "plan": made})
    else:
        show(plan_screen(made))


def advance(
    capability: CapabilityArgument,
    routes: RoutesOption = DEFAULT_ROUTES,
    percent: PercentOption = None,
    plan_hash: PlanOption = None,
    auto: Annotated[
        bool, typer.Option("--auto", help="Walk to the last percentage of canary by the verdict; back if it fails.")
    ] = False,
    dwell: Annotated[str, typer.Option(help="With --auto: how long each percentage is looked at, as in 5m.")] = "5m",
    patience: Annotated[str, typer.Option(help="With --auto: how long it may stay undecided, as in 1h.")] = "1h",
    actor: ActorOption = None,
    yes: YesOption = False,
    json: JsonOption = False,
) -> None:
    """Move a capability one stage on, or to more canary, after showing the plan and asking.

    A run that was killed is finished or undone by the same command. Exit 3 blocked by a gate, 4 waiting for an
    approval, 5 the plan is stale, 7 another run holds the lease. With --auto it never makes the cutover.

    Example: strangler advance accounts --percent 25
    """
    from runbook import advance as moves

    if auto:
        _promote(routes, capability, seconds_of(dwell), seconds_of(patience), who(actor))
        return
    agreed = plan_hash or _agree(routes, capability, "advance", percent, actor, yes=yes)
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
    """Move a capability one stage back, the same way; says what would be lost, which is nothing, before it asks.

    Example: strangler back accounts
    """
    from runbook import advance as moves

    agreed = plan_hash or _agree(routes, capability, "back", None, actor, yes=yes)
    _report(lambda tell: moves.back(routes, capability, plan_hash=agreed, actor=who(actor), progress=tell), json)


def abandon(
    capability: CapabilityArgument,
    routes: RoutesOption = DEFAULT_ROUTES,
    actor: ActorOption = None,
    yes: YesOption = False,
    json: JsonOption = False,
) -> None:
    """Give a capability up before its first write reached modern: legacy alone, no streams, no fences, no slots.

    Example: strangler abandon accounts
    """
    from runbook import advance as moves
    from runbook.screen_run import plan_screen

    if not yes:
        show(plan_screen(moves.make_plan(routes, capability, kind="abandon")))
        if typer.prompt("Type the capability's name to give it up") != capability:
            raise typer.Abort
    _report(lambda tell: moves.abandon(routes, capability, actor=who(actor), progress=tell), json)


def _promote(routes: Path, capability: str, dwell: float, patience: float, actor: str) -> None:
    from runbook.promotion import Patience, promote
    from runbook.screen_run import print_event

    limits = Patience(dwell, patience)

    def say(text: str) -> None:
        typer.echo(text, err=True)

    try:
        ended = promote(routes, capability, patience=limits, actor=actor, progress=print_event, say=say)
    except KeyboardInterrupt:
        ended = "interrupted; it stays where it is"
    typer.echo(f"{capability}: {ended}\nnext: strangler status {capability}")


def _agree(  # the command's own options
    routes: Path,
    capability: str,
    kind: Literal["advance", "back"],
    percent: float | None,
    actor: str | None,
    *,
    yes: bool,
) -> str | None:
    """Show the plan and ask; returns its hash, so that what runs is what was read."""
    from runbook.advance import make_plan
    from runbook.screen_run import plan_screen

    if yes:
        return None
    made = make_plan(routes, capability, kind=kind, percent=percent, actor=who(actor))
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
