"""gates, approve, reject, waive: what stands before the next step, and what people say to it."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path
from typing import Annotated, Literal

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


def gates(
    capability: CapabilityArgument,
    routes: RoutesOption = DEFAULT_ROUTES,
    explain: Annotated[str | None, typer.Option(help="Only this gate, with why it matters.")] = None,
    back: BackOption = False,
    json: JsonOption = False,
) -> None:
    """Ask the gates of the next step now: evidence, threshold, why one blocks, how to clear it. Exit 3 if one does.

    Example: strangler gates accounts --explain lag
    """
    from runbook.advance import gates as ask
    from runbook.screen_run import findings_screen

    found = ask(routes, capability, kind="back" if back else "advance")
    if explain is not None:
        found = tuple(one for one in found if one.gate.partition(":")[0] == explain)
        if not found:
            raise typer.BadParameter(f"no gate {explain!r} stands before the next step", param_hint="--explain")
    if json:
        show_json({"gates": found})
    else:
        show(findings_screen(found, explain))
    raise typer.Exit(3 if any(one.blocks for one in found) else 0)


def approve(
    capability: CapabilityArgument,
    plan_hash: Annotated[str, typer.Option("--plan", help="The hash of the plan that you have read.")],
    routes: RoutesOption = DEFAULT_ROUTES,
    percent: PercentOption = None,
    back: BackOption = False,
    actor: ActorOption = None,
) -> None:
    """Approve exactly that plan on what its gates say now (they are asked); not by who made it or starts the run.

    The approval is void when the plan, a gate's verdict or threshold, or a waiver changes: status and advance say so.

    Example: strangler approve accounts --plan a41f03c2 --as bob
    """
    _decide("approve", capability, plan_hash, routes, percent, back, actor)


def reject(
    capability: CapabilityArgument,
    plan_hash: Annotated[str, typer.Option("--plan", help="The hash of the plan that you have read.")],
    routes: RoutesOption = DEFAULT_ROUTES,
    percent: PercentOption = None,
    back: BackOption = False,
    actor: ActorOption = None,
) -> None:
    """Reject exactly that plan.

    Example: strangler reject accounts --plan a41f03c2 --as bob
    """
    _decide("reject", capability, plan_hash, routes, percent, back, actor)


def waive(
    capability: CapabilityArgument,
    gate: Annotated[str, typer.Argument(help="The gate's name, or writers:NAME for one writer.")],
    lasting: Annotated[str, typer.Option("--for", help="How long, as in 30m, 2h or 1d.")],
    reason: Annotated[str, typer.Option(help="Why; it goes into the journal.")],
    second: Annotated[str, typer.Option(help="The second person who agrees.")],
    routes: RoutesOption = DEFAULT_ROUTES,
    actor: ActorOption = None,
) -> None:
    """Let one gate pass for a time, on the word of two people.

    Example: strangler waive accounts writers:corebank-batch --for 2h --reason 'stopped by the fence' --second bob
    """
    from runbook.advance import waive as give
    from runbook.screen_run import waiver_screen

    span = timedelta(seconds=seconds_of(lasting))
    given = give(routes, capability, gate, lasting=span, reason=reason, actor=who(actor), second=second)
    show(waiver_screen(given))


def pause(
    capability: CapabilityArgument,
    reason: Annotated[str, typer.Option(help="Why; it goes into the journal.")],
    routes: RoutesOption = DEFAULT_ROUTES,
    actor: ActorOption = None,
) -> None:
    """Let a capability go no further, `advance --auto` too, until somebody resumes it; going back stays allowed.

    Example: strangler pause accounts --reason 'month end'
    """
    from runbook.advance import pause as give

    given = give(routes, capability, actor=who(actor), reason=reason)
    typer.echo(f"{given.capability} is paused by {given.actor}: {given.reason}\nnext: strangler resume {capability}")


def resume(capability: CapabilityArgument, routes: RoutesOption = DEFAULT_ROUTES, actor: ActorOption = None) -> None:
    """Take a pause back.

    Example: strangler resume accounts
    """
    from runbook.advance import resume as take_back

    found = take_back(routes, capability, actor=who(actor))
    typer.echo(f"{capability} goes on; it was paused by {found.actor}" if found else f"{capability} was not paused")


def _decide(
    decision: Literal["approve", "reject"],
    capability: str,
    plan_hash: str,
    routes: Path,
    percent: float | None,
    back: bool,
    actor: str | None,
) -> None:
    from runbook.advance import approve as decide

    given = decide(
        routes,
        capability,
        plan_hash=plan_hash,
        actor=who(actor),
        kind="back" if back else "advance",
        percent=percent,
        decision=decision,
    )
    typer.echo(
        f"approved by: {', '.join(given.approved_by) or '-'}; rejected by: {', '.join(given.rejected_by) or '-'}"
    )
