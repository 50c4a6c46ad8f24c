"""check, explain, schema: what routes.yaml says, before anything runs."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from runbook.commands.options import DEFAULT_ROUTES, JsonOption, RoutesOption, show, show_json


def check(routes: RoutesOption = DEFAULT_ROUTES, json: JsonOption = False) -> None:
    """Validate routes.yaml and say what each route does today.

    Example: strangler check --routes routes.yaml
    """
    from rich.table import Table

    from config.reader import read_routes
    from runbook.today import what_routes_do

    read = read_routes(routes)
    rows = what_routes_do(read)
    if json:
        show_json({"digest": read.digest, "routes": [vars(row) for row in rows]})
        return
    table = Table("route", "capability", "stage", "reads", "writes", "mirrored to", title=f"{routes} is valid")
    for row in rows:
        table.add_row(row.route, row.capability, row.stage, row.reads, row.writes, row.mirrored_to)
    show(table)


def explain(
    request: Annotated[str, typer.Argument(help="METHOD and path, for example 'GET /accounts/1'.")] = "",
    header: Annotated[list[str] | None, typer.Option("-H", help="A header, NAME:VALUE; may be repeated.")] = None,
    column: Annotated[
        str | None, typer.Option(metavar="TABLE.COLUMN", help="Instead: where a column of a target table comes from.")
    ] = None,
    routes: RoutesOption = DEFAULT_ROUTES,
    json: JsonOption = False,
) -> None:
    """Say for one request which route it takes and why, who answers and who is mirrored.

    Example: strangler explain 'GET /accounts/1' -H X-Customer-Id:42

    Example: strangler explain --column account.balance
    """
    from dataclasses import asdict

    from config.reader import read_routes
    from gateway.routing.explain import explain as explain_request

    if column is not None:
        _explain_column(routes, column, json)
        return
    method, _, target = request.partition(" ")
    headers = [(name.strip(), value.strip()) for name, _, value in (line.partition(":") for line in header or [])]
    if not target.startswith("/"):
        raise typer.BadParameter("expected a method, a space and a path, as in 'GET /accounts/1'")
    explanation = explain_request(read_routes(routes), method, target, headers)
    if json:
        show_json(asdict(explanation))
    else:
        typer.echo(str(explanation))


def _explain_column(routes: Path, column: str, json: bool) -> None:
    from cdc.lineage import lineage
    from config.reader import read_routes

    found = lineage(read_routes(routes), column)
    if json:
        show_json({"lineage": found})
        return
    for one in found:
        typer.echo(f"{one.column} ({one.capability}, {one.file})")
        typer.echo(f"  from     {', '.join(one.sources) or 'a constant'}")
        typer.echo(f"  by       {one.expression}")
        typer.echo(f"  class    {one.kind}{f': {one.reason}' if one.reason else ''}")
        typer.echo(f"  back by  {one.inverse or 'nothing'}")


def schema() -> None:
    """Print a JSON Schema of routes.yaml, so that editors complete and check it.

    Example: strangler schema > routes.schema.json
    """
    from config.model import Routes

    show_json({"$schema": "https://json-schema.org/draft/2020-12/schema", **Routes.model_json_schema()})
