"""sync backfill: the copy of a capability's tables apart from their stream, or of one of them again."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING, Annotated

import typer

from runbook.commands.options import (
    DEFAULT_ROUTES,
    ActorOption,
    CapabilityArgument,
    JsonOption,
    RoutesOption,
    seconds_of,
    show_json,
    who,
)

if TYPE_CHECKING:
    from cdc.filling.backfill import Watch

RateOption = Annotated[int | None, typer.Option("--max-rate", min=1, help="Rows a second at the most.")]
ActiveOption = Annotated[
    int | None,
    typer.Option("--max-active", min=0, help="Pause while more of others' sessions are active on the source."),
]
StandbyOption = Annotated[
    str, typer.Option("--max-standby-lag", help="Pause while a standby of either server is further behind; 0s: never.")
]


def sync_backfill(
    capability: CapabilityArgument,
    table: Annotated[
        str | None, typer.Option(help="Fill this table of modern again, while `sync run` goes on.", show_default=False)
    ] = None,
    routes: RoutesOption = DEFAULT_ROUTES,
    max_rate: RateOption = None,
    max_active: ActiveOption = None,
    max_standby_lag: StandbyOption = "10s",
    actor: ActorOption = None,
    json: JsonOption = False,
) -> None:
    """Copy a capability's tables as the first `sync run` does, and end; or fill one table again.

    An interrupted copy goes on with the tables that are not done. From its start the slot holds the log back until
    `sync run` reads it. With --table, `sync run` must run; it goes through the table in ranges of 10,000 rows, and
    writes to the table wait while a range is read. Progress is on stderr: bars on a terminal, lines with --json.

    Example: strangler sync backfill accounts --max-rate 50000

    Example: strangler sync backfill accounts --table posting --as ada
    """
    from cdc.filling.backfill import Stopped
    from cdc.sync import backfill
    from config.reader import read_routes
    from runbook.refill import fill_again

    loaded, refilled, is_done = read_routes(routes), None, False
    with watching(max_rate, max_active, max_standby_lag, as_json=json) as watch, suppress(Stopped):
        if table is None:
            is_done = backfill(loaded, capability, watch)
        else:
            refilled = fill_again(loaded, capability, table, who(actor), watch)
            is_done = True
    if json:
        show_json({"done": is_done, "table": refilled})
    elif refilled:
        counts = f"{refilled.rows:,} rows in legacy, {refilled.written:,} written, {refilled.removed:,} removed"
        typer.echo(f"{refilled.table}: {counts}")
    else:
        typer.echo("done: `strangler sync run` streams from here" if is_done else "stopped: the next start goes on")
    raise typer.Exit(0 if is_done else 1)


@contextmanager
def watching(max_rate: int | None, max_active: int | None, max_standby_lag: str, *, as_json: bool) -> Iterator[Watch]:
    """What stops a copy (Ctrl-C, SIGTERM), shows how far it is, and holds it back."""
    import signal
    import threading

    from cdc.filling.backfill import Watch
    from cdc.filling.pace import Care
    from runbook.screen_copy import copy_progress

    stop = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: stop.set())
    with copy_progress(as_json=as_json) as tell:
        yield Watch(stop, tell, Care(max_rate, max_active, seconds_of(max_standby_lag) or None))
