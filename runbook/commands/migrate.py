"""migrate: schema revisions of the new services, and the import of a legacy schema."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from runbook.commands.options import DEFAULT_ROUTES, JsonOption, RoutesOption, show, show_json

migrate = typer.Typer(no_args_is_help=True, help="Schema revisions of the new services: upgrade, lint, import.")
LIVE = {"postgresql": "postgres", "postgres": "postgres", "mysql": "mysql", "mariadb": "mysql"}


@migrate.command("import")
def migrate_import(
    source: Annotated[str, typer.Argument(metavar="FILE|DSN", help="A script of DDL, or a live PostgreSQL or MySQL.")],
    dialect: Annotated[str, typer.Option(help="oracle, tsql or mysql; of the script.")] = "oracle",
    types: Annotated[Path | None, typer.Option(help="A file that overrides the table of types.")] = None,
    out: Annotated[Path, typer.Option(help="The folder for the revision.")] = Path("imported"),
    schema: Annotated[str, typer.Option(help="The schema to read from a live PostgreSQL.")] = "public",
    profile: Annotated[bool, typer.Option("--profile", help="Scan the data to choose types of bare numerics.")] = False,
    execute: Annotated[bool, typer.Option(help="Run every statement on a throw-away PostgreSQL.")] = True,
    json: JsonOption = False,
) -> None:
    """Turn a legacy schema into an expand revision, with a report that accounts for every statement.

    Reads what DBMS_METADATA.GET_DDL, SSMS (script database as) and mysqldump --no-data write, or a live PostgreSQL or
    MySQL (with the extra: pip install 'strangler[mysql]'). Passwords are best given by PGPASSWORD and MYSQL_PWD.

    Example: strangler migrate import --dialect oracle core.sql --out revisions

    Example: MYSQL_PWD=... strangler migrate import --dialect mysql mysql://reader@db.example/core
    """
    from contextlib import nullcontext

    from cdc.translation.views import translated_view
    from migrations.importing.importer import Means, import_live, import_mysql, import_script
    from migrations.importing.type_policy import read_policy
    from runbook.scratch import scratch_database
    from runbook.screen_migrate import import_screen, progress

    live = _live(source)
    if dialect not in ("oracle", "tsql", "mysql", "postgres"):
        raise typer.BadParameter("expected oracle, tsql or mysql", param_hint="--dialect")
    if dialect == "postgres" and not live:
        raise typer.BadParameter("a script of PostgreSQL needs no import: run it", param_hint="--dialect")
    if profile and live != "postgres":
        raise typer.BadParameter("only a live PostgreSQL has data to scan", param_hint="--profile")
    policy = read_policy(live or dialect, types)
    with progress() as tell, scratch_database("import") if execute else nullcontext() as scratch:
        if live == "postgres":
            report = import_live(source, schema, policy, out, scratch, profile=profile)
        elif live:
            report = import_mysql(source, policy, Means(out, scratch, tell, translated_view))
        else:
            report = import_script(Path(source), policy, Means(out, scratch, tell, translated_view))
    if json:
        show_json(report.as_json())
    else:
        show(import_screen(report))
    raise typer.Exit(0 if report.revisions else 1)


def _live(source: str) -> str:
    """The dialect of a live database; empty for a file."""
    kind, is_address, _ = source.partition("://")
    if is_address and kind not in LIVE:
        raise typer.BadParameter(
            f"a live {kind} database cannot be read; give a file with its DDL (GET_DDL, SSMS, mysqldump --no-data), "
            "or the address of a PostgreSQL or MySQL",
            param_hint="FILE|DSN",
        )
    return LIVE[kind] if is_address else ""


@migrate.command("upgrade")
def migrate_upgrade(
    service: Annotated[str, typer.Argument(help="The service, or a folder with revisions.")] = "ledger",
    database: Annotated[
        str, typer.Option(envvar="LEDGER_DB", show_default=False, help="Its database; best given by the environment.")
    ] = "postgresql://127.0.0.1:5433/ledger",
    branch: Annotated[str, typer.Option(help="expand, or contract.")] = "expand",
    repair: Annotated[bool, typer.Option("--repair", help="Build invalid indexes anew, concurrently.")] = False,
    routes: RoutesOption = DEFAULT_ROUTES,
    json: JsonOption = False,
) -> None:
    """Run the revisions that the database does not have yet; a second run does nothing.

    Prints each statement, the locks it takes and how long it took. The branch contract is refused until every
    capability whose stream ends in this database is retired.

    Example: LEDGER_DB=postgresql://... strangler migrate upgrade ledger
    """
    from migrations.upgrade import upgrade
    from migrations.watch import RanStatement
    from runbook.contract_stage import stage_that_allows
    from runbook.screen_migrate import listeners

    run = stage_that_allows(routes, service) if branch == "contract" else None
    ran: list[RanStatement] = []
    applied = upgrade(database, service, branch, run=run, mend=repair, listeners=listeners(ran.append))
    if json:
        show_json({"applied": applied, "statements": ran})
        return
    for revision in applied:
        typer.echo(f"{revision.revision}  {revision.title}  {revision.seconds:.2f} s")
    typer.echo(f"{len(applied)} revisions applied", err=True)


@migrate.command("lint")
def migrate_lint(
    service: Annotated[str, typer.Argument(help="The service whose revisions are linted, or a folder.")] = "ledger",
    form: Annotated[str, typer.Option("--format", help="text, json or sarif.")] = "text",
    measure: Annotated[bool, typer.Option("--measure", help="Run them on a scratch cluster; show locks held.")] = False,
    like: Annotated[
        str, typer.Option(envvar="LEDGER_DB", show_default=False, help="With --measure: the database they are for.")
    ] = "",
    traffic: Annotated[
        list[str] | None, typer.Option(metavar="TABLE=RPS", help="With --measure: requests a second, if not measured.")
    ] = None,
    routes: RoutesOption = DEFAULT_ROUTES,
    json: JsonOption = False,
) -> None:
    """Render each revision alone and look for statements that would block or break a running system.

    A revision suppresses a rule in its own file: LINT_ALLOWS = {"rule": "the reason"}. Exit 1 on errors.

    Example: strangler migrate lint ledger --format sarif > lint.sarif

    Example: LEDGER_DB=postgresql://... strangler migrate lint ledger --measure --traffic account=120
    """
    if measure:
        _measured(service, like, traffic or [], routes, json)
        return
    from migrations.lint import lint
    from migrations.sarif import sarif
    from runbook.screen_migrate import lint_screen

    if form not in ("text", "json", "sarif"):
        raise typer.BadParameter("expected text, json or sarif", param_hint="--format")
    report = lint(service)
    if form == "sarif":
        show_json(sarif(report))
    elif json or form == "json":
        show_json({"findings": report.findings, "suppressed": report.suppressed})
    else:
        show(lint_screen(report))
    raise typer.Exit(1 if report.has_errors else 0)


def _measured(service: str, like: str, traffic: list[str], routes: Path, json: bool) -> None:
    from config.reader import read_routes
    from migrations.measure import measure
    from runbook.scratch import scratch_database
    from runbook.screen_migrate import measured_screen, progress
    from runbook.traffic import traffic_by_table

    if not like:
        raise typer.BadParameter("give the database that the revisions are for", param_hint="--like")
    rates = dict(_rate(one) for one in traffic)
    if not rates and routes.exists():
        read = read_routes(routes)
        rates = traffic_by_table(read, list(read.gateway.instances) or [f"http://{read.gateway.admin}"])
    with progress() as tell, scratch_database("measure") as scratch:
        found = measure(scratch, like, service, rates, lambda step: tell(step, 0))
    if json:
        show_json({"measured": found, "traffic": rates})
    else:
        show(measured_screen(found))


def _rate(text: str) -> tuple[str, float]:
    table, _, rate = text.partition("=")
    try:
        return table, float(rate)
    except ValueError:
        raise typer.BadParameter(f"{text!r} is not TABLE=REQUESTS_PER_SECOND", param_hint="--traffic") from None
