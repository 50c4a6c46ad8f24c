"""copybook, migrate: fixed-width records and schema revisions."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated

import typer

from runbook.commands.options import JsonOption, show, show_json

copybook = typer.Typer(no_args_is_help=True, help="Fixed-width records by copybook: decode, encode.")
migrate = typer.Typer(no_args_is_help=True, help="Schema revisions of the new services: upgrade, lint.")
CopybookArgument = Annotated[Path, typer.Argument(exists=True, dir_okay=False, help="The copybook.")]
DataArgument = Annotated[Path, typer.Argument(exists=True, dir_okay=False, help="The records.")]
CodepageOption = Annotated[str, typer.Option(help="The records' code page; part of the interface, never guessed.")]


@copybook.command("decode")
def copybook_decode(layout: CopybookArgument, data: DataArgument, codepage: CodepageOption = "cp037") -> None:
    """Print each record as a line of JSON; invalid bytes are named by field and offset.

    Example: strangler copybook decode inqa-reply.cpy answers.bin --codepage cp037
    """
    from legacy_adapter.codec import lines

    for line in lines(layout, data, codepage):
        typer.echo(line)


@copybook.command("encode")
def copybook_encode(layout: CopybookArgument, data: DataArgument, codepage: CodepageOption = "cp037") -> None:
    """Turn lines of JSON back into records, on stdout.

    Example: strangler copybook encode inqa-req.cpy requests.jsonl > requests.bin
    """
    from legacy_adapter.codec import encode_lines

    for record in encode_lines(layout, data, codepage):
        sys.stdout.buffer.write(record)


@migrate.command("upgrade")
def migrate_upgrade(
    service: Annotated[str, typer.Argument(help="The service whose database is upgraded.")] = "ledger",
    database: Annotated[
        str, typer.Option(envvar="LEDGER_DB", show_default=False, help="Its database; best given by the environment.")
    ] = "postgresql://127.0.0.1:5433/ledger",
    branch: Annotated[str, typer.Option(help="expand, or contract.")] = "expand",
) -> None:
    """Run the revisions that the database does not have yet; a second run does nothing.

    Example: LEDGER_DB=postgresql://... strangler migrate upgrade ledger
    """
    from migrations.upgrade import upgrade

    applied = upgrade(database, service=service, branch=branch)
    for revision in applied:
        typer.echo(f"{revision.revision}  {revision.title}")
    typer.echo(f"{len(applied)} revisions applied", err=True)


@migrate.command("lint")
def migrate_lint(
    service: Annotated[str, typer.Argument(help="The service whose revisions are linted.")] = "ledger",
    json: JsonOption = False,
) -> None:
    """Render each revision alone and look for statements that would block or break a running system.

    Example: strangler migrate lint ledger
    """
    from rich.table import Table

    from migrations.lint import lint

    findings = lint(service)
    if json:
        show_json({"findings": findings})
    else:
        table = Table("revision", "line", "rule", "message", title=f"{len(findings)} findings", title_justify="left")
        for finding in findings:
            table.add_row(finding.revision, str(finding.line), finding.rule, finding.message)
        show(table)
    raise typer.Exit(1 if findings else 0)
