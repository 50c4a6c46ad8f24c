"""gateway, legacy, service, sync: the programs that run until they are told to stop."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from runbook.commands.backfill import ActiveOption, RateOption, StandbyOption, watching
from runbook.commands.options import (
    DEFAULT_ROUTES,
    ActorOption,
    CapabilityArgument,
    JsonOption,
    RoutesOption,
    seconds_of,
    show,
    show_json,
    who,
)

if TYPE_CHECKING:
    from datetime import datetime

ListenOption = Annotated[str, typer.Option(help="HOST:PORT to listen on; port 0 picks a free one.")]


def gateway(
    routes: RoutesOption = DEFAULT_ROUTES,
    listen: Annotated[str | None, typer.Option(help="HOST:PORT for clients, instead of the file's.")] = None,
    admin: Annotated[str | None, typer.Option(help="HOST:PORT of the admin API, instead of the file's.")] = None,
    workers: Annotated[int | None, typer.Option(min=1, help="Processes that share the port.")] = None,
) -> None:
    """Run the proxy: put it in front of the monolith, and no client notices.

    Example: strangler gateway --listen 127.0.0.1:8080 --workers 2
    """
    from gateway.server import serve

    raise typer.Exit(serve(routes, listen=listen, admin=admin, workers=workers))


def legacy(
    listen: ListenOption = "127.0.0.1:9100",
    database: Annotated[
        str, typer.Option(envvar="LEGACY_DB", show_default=False, help="Its database; best given by the environment.")
    ] = "postgresql://127.0.0.1:5432/corebank",
) -> None:
    """Run the simulated core-banking monolith on a database that `strangler demo` or its seed filled.

    Example: LEGACY_DB=postgresql://... strangler legacy --listen 127.0.0.1:9100
    """
    from legacy_adapter.monolith.app import serve

    serve(database, listen)


def service(
    name: Annotated[str, typer.Argument(help="ledger, or facade: the monolith's wire over the ledger.")],
    listen: ListenOption = "127.0.0.1:9201",
    database: Annotated[
        str, typer.Option(envvar="LEDGER_DB", show_default=False, help="The service's database; best by environment.")
    ] = "postgresql://127.0.0.1:5433/ledger",
    ledger: Annotated[str, typer.Option(envvar="LEDGER_URL", help="For the facade: where the ledger is.")] = (
        "http://127.0.0.1:9201"
    ),
) -> None:
    """Run one of the new services.

    Example: LEDGER_DB=postgresql://... strangler service ledger --listen 127.0.0.1:9201
    """
    if name == "ledger":
        from services.ledger.app import serve as serve_ledger

        serve_ledger(database, listen)
    elif name == "facade":
        from legacy_adapter.facade import serve as serve_facade

        serve_facade(ledger, listen)
    else:
        raise typer.BadParameter(f"there is no service {name!r}; there are ledger and facade", param_hint="NAME")


sync = typer.Typer(no_args_is_help=True, help="Keep both databases in step: run, check, status, verify.")


@sync.command("run")
def sync_run(
    capability: CapabilityArgument,
    routes: RoutesOption = DEFAULT_ROUTES,
    once: Annotated[bool, typer.Option("--once", help="End when what was flushed at the start is applied.")] = False,
    metrics: Annotated[
        str | None, typer.Option(help="HOST:PORT on which /metrics is served for Prometheus; port 0 picks a free one.")
    ] = None,
    recheck: Annotated[
        int, typer.Option(min=0, help="Compare so many written rows of each table a second again; 0: none.")
    ] = 100,
    max_rate: RateOption = None,
    max_active: ActiveOption = None,
    max_standby_lag: StandbyOption = "10s",
) -> None:
    """Run both streams of a capability; the first run makes slots and publications and copies the tables.

    A copy that was interrupted goes on with the tables that are not done. --max-... are about the copy alone. Rows that
    were written are compared again two seconds later; what differs is told by `sync status`, /metrics and the log.

    Example: strangler sync run accounts

    Example: strangler sync run accounts --max-rate 50000 --max-active 40
    """
    from contextlib import nullcontext

    from cdc.streaming.head_start import head_start
    from config.reader import read_routes

    loaded = read_routes(routes)
    if metrics is not None:
        from cdc.exposition import serve_metrics

        serve_metrics(loaded, capability, metrics)
    with head_start(loaded, capability) if once else nullcontext() as ahead:
        from cdc.sync import Running, run  # takes a quarter of a second, in which the source begins to send

        with watching(max_rate, max_active, max_standby_lag, as_json=False) as watch:
            run(loaded, capability, once=once, stop=watch.stop, running=Running(watch, recheck, ahead))


@sync.command("check")
def sync_check(
    capability: CapabilityArgument,
    routes: RoutesOption = DEFAULT_ROUTES,
    sample: Annotated[
        int, typer.Option(min=0, help="Run each mapping on this many rows of its source; say what would go wrong.")
    ] = 0,
    residue: Annotated[
        bool,
        typer.Option("--residue", help="Add a column for what each lossy column drops: revisions, and the SELECT."),
    ] = False,
    service: Annotated[
        str, typer.Option(help="With --residue: the service, or the folder, of the revisions; else the target's name.")
    ] = "",
    json: JsonOption = False,
) -> None:
    """Check mappings, tables, privileges and settings before anything is created.

    With --residue, mappings that lose a part of a column are made reversible: an expand revision adds a column that
    keeps the part, a contract revision takes it away again, and the mapping's SELECT is changed in its file.

    Example: strangler sync check accounts --sample 10000

    Example: strangler sync check accounts --residue && strangler migrate upgrade ledger
    """
    from cdc.check import inspect
    from config.reader import read_routes
    from runbook.screen_sync import check_screen

    if residue:
        _add_residues(capability, routes, service, json=json)
        return
    report = inspect(read_routes(routes), capability, sample)
    if json:
        show_json(report.as_json())
    else:
        show(check_screen(report))
    raise typer.Exit(0 if report.is_ready else 1)


def _add_residues(capability: str, routes: Path, service: str, *, json: bool) -> None:
    from dataclasses import asdict

    from config.reader import read_routes
    from runbook.residue import add_residues
    from runbook.screen_sync import residue_screen

    report = add_residues(read_routes(routes), capability, service)
    if json:
        show_json(asdict(report))
    else:
        show(residue_screen(report, capability))


@sync.command("status")
def sync_status(
    capability: CapabilityArgument, routes: RoutesOption = DEFAULT_ROUTES, json: JsonOption = False
) -> None:
    """Show both streams: state, delay, rates, what was applied, the write-ahead log that their slots hold.

    It looks twice, half a second apart. `SELECT * FROM strangler.status` in either database shows its ends.

    Example: strangler sync status accounts
    """
    from dataclasses import asdict

    from cdc.watch import look_twice
    from config.reader import read_routes
    from runbook.screen_sync import streams_screen

    rows = [asdict(one) for one in look_twice(read_routes(routes), capability)]
    if json:
        show_json({"streams": rows})
    else:
        show(streams_screen(rows))
    raise typer.Exit(0 if all(row["state"] == "streaming" for row in rows) else 1)


@sync.command("verify")
def sync_verify(
    capability: CapabilityArgument,
    direction: Annotated[str, typer.Option(help="forward, reverse or both.")] = "both",
    routes: RoutesOption = DEFAULT_ROUTES,
    since: Annotated[
        str | None,
        typer.Option(help="Only rows written since: a time, 30m, or a position of legacy's log.", show_default=False),
    ] = None,
    show_values: Annotated[
        bool, typer.Option("--show-values", help="Show what both sides have in the rows that differ: personal data.")
    ] = False,
    json: JsonOption = False,
) -> None:
    """Compare both databases by the mapping, while writes go on. Exit 6 if they differ.

    While the stream runs, both sides are seen at one place of the log, by a slot that is gone in a moment. Rows that
    differ are named by key and column, a sample of 20 a table; so are sums of money by currency. With --since only rows
    are compared that were written since an equal verification; of all others the number and the keys are.

    Example: strangler sync verify accounts --direction forward

    Example: strangler sync verify accounts --since 30m --show-values
    """
    from cdc.verification.verify import Wanted
    from config.reader import read_routes
    from runbook.screen_sync import verify_each, verify_screen

    if direction not in ("forward", "reverse", "both"):
        raise typer.BadParameter("expected forward, reverse or both", param_hint="--direction")
    wanted = Wanted(since=_moment(since), with_values=show_values)
    results = verify_each(read_routes(routes), capability, direction, wanted, as_json=json)
    if json:
        show_json({"results": results})
    else:
        show(verify_screen(results))
    raise typer.Exit(0 if all(result.equal for result in results) else 6)


def _moment(since: str | None) -> str | datetime | None:
    """A position as it is, a time, or a duration before now. Raises BadParameter."""
    from datetime import UTC, datetime, timedelta

    if since is None or "/" in since:
        return since
    try:
        moment = datetime.fromisoformat(since)
    except ValueError:
        return datetime.now(UTC) - timedelta(seconds=seconds_of(since))
    return moment if moment.tzinfo else moment.astimezone()


@sync.command("repair")
def sync_repair(
    capability: CapabilityArgument,
    direction: Annotated[
        Literal["forward", "reverse"], typer.Option(help="forward: legacy is right; reverse: modern is.")
    ] = "forward",
    routes: RoutesOption = DEFAULT_ROUTES,
    known: Annotated[
        bool, typer.Option("--known", help="Only rows that the re-check of `sync run` has found; nothing else is read.")
    ] = False,
    actor: ActorOption = None,
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask; for scripts.")] = False,
    json: JsonOption = False,
) -> None:
    """Put right what a verification finds, through the mapping and in the journal; verify again. Exit 6 if it differs.

    `sync run` must run. Writes to a table wait while a batch of its keys (500) is put right. What the rows were before
    is kept in strangler.repaired of the database that was repaired.

    Example: strangler sync repair accounts --as ada

    Example: strangler sync repair accounts --known --yes --as ada
    """
    from config.reader import read_routes
    from runbook.repair import find, put_right
    from runbook.screen_sync import verify_screen

    loaded = read_routes(routes)
    found = find(loaded, capability, direction, known=known)
    if not found.equal:
        if not json:
            show(verify_screen([found]))
        if not yes and not typer.confirm(
            f"Write what {'legacy' if direction == 'forward' else 'modern'} has for these keys?"
        ):
            raise typer.Exit(6)
        found = put_right(loaded, capability, found, who(actor), known=known)
    if json:
        show_json({"equal": found.equal, "result": found})
    else:
        show(verify_screen([found]))
    raise typer.Exit(0 if found.equal else 6)
