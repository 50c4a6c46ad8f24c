"""The command line: every subcommand, and how an error becomes one sentence and an exit code."""

from __future__ import annotations

import gc
import sys
from typing import Annotated

import typer

from config.errors import StranglerError
from runbook.commands import (
    backfill,
    care,
    compare,
    demo,
    journal,
    migrate,
    move,
    people,
    replay,
    routes,
    run,
    tools,
)

gc.set_threshold(50_000)  # what a start imports stays: looking through it again and again took a quarter of the start

app = typer.Typer(
    name="strangler",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
    help="Moves a monolith that cannot stop to new services, one capability at a time.",
    epilog="Exit codes: 0 done, 1 failed, 2 usage or invalid routes.yaml, 3 blocked by a gate, 4 waiting for an "
    "approval, 5 plan is stale, 6 verification found differences, 7 another run holds the lease.",
)


def _show_version(is_asked: bool) -> None:
    if is_asked:
        from importlib.metadata import version

        typer.echo(f"strangler {version('strangler')}")
        raise typer.Exit


@app.callback()
def prepare(
    version: Annotated[  # noqa: ARG001  # its callback ends the program
        bool, typer.Option("--version", callback=_show_version, is_eager=True, help="Show the version and exit.")
    ] = False,
) -> None:
    """Moves a monolith that cannot stop to new services, one capability at a time."""
    from runbook.logs import configure

    configure()


for command in (
    demo.demo,
    run.gateway,
    routes.check,
    routes.explain,
    routes.schema,
    move.status,
    move.plan,
    move.advance,
    move.back,
    people.gates,
    people.approve,
    people.reject,
    people.waive,
    people.pause,
    people.resume,
    move.abandon,
    care.doctor,
    care.rehearse,
):
    app.command()(command)
app.add_typer(journal.journal, name="journal")
run.sync.command("backfill")(backfill.sync_backfill)
app.add_typer(run.sync, name="sync")
app.add_typer(migrate.migrate, name="migrate")
app.command()(compare.report)
app.command()(compare.accept)
app.command()(compare.judge)
app.command()(compare.erase)
app.command()(replay.replay)
app.add_typer(tools.copybook, name="copybook")
app.command()(run.legacy)
app.command()(run.service)


def main() -> None:
    """Run the command line; an error of ours is one sentence with its remedy, never a traceback."""
    try:
        app()
    except StranglerError as error:
        typer.echo(f"strangler: {error}", err=True)
        sys.exit(error.exit_code)
    finally:
        gc.freeze()  # the interpreter's last collection looked through all that was imported: 0.13 s of every command


if __name__ == "__main__":
    main()
