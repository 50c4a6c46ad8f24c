"""The gate `schema`: the service's tables are expanded by revisions that were linted."""

from __future__ import annotations

from dataclasses import dataclass

from runbook.gates import BY_NAME, Finding
from runbook.sides import Connection, Side, mapped

VERSIONS = "SELECT to_regclass('public.alembic_version') IS NOT NULL"


@dataclass(frozen=True)
class Schema:
    """What was seen: revisions that have not run, statements that would block, indexes that are invalid."""

    revisions: int
    missing: tuple[str, ...] = ()
    unsafe: tuple[str, ...] = ()
    invalid: tuple[str, ...] = ()


def judge_schema(database: str, schema: Schema | None) -> Finding:
    """None where the database's tables are not made by revisions of ours; that the mappings fit was seen before."""
    gate, threshold = BY_NAME["schema"], "every expand revision applied and linted, every index valid"
    if schema is None:
        return gate.finding(
            True, f"{database} has no revisions here; every column that the mappings name exists", threshold
        )
    problems = [
        (schema.missing, "not applied: {}", f"strangler migrate upgrade {database}"),
        (schema.unsafe, "would block or break: {}", f"strangler migrate lint {database}"),
        (schema.invalid, "invalid indexes: {}", f"strangler migrate upgrade {database} --repair"),
    ]
    told = [(text.format(", ".join(names[:5])), remedy) for names, text, remedy in problems if names]
    if not told:
        evidence = f"{schema.revisions} expand revisions of {database} applied, linted without an error"
        return gate.finding(True, evidence, threshold)
    return gate.finding(
        False, "; ".join(text for text, _ in told), threshold, remedy="; ".join(remedy for _, remedy in told)
    )


def look_at_schema(side: Side) -> Schema | None:
    """Compare the database with the revisions of its service. Raises DatabaseDown, LinterMissing."""
    from migrations.environment import configuration, known_services, revisions  # Alembic takes long to load
    from migrations.leftovers import invalid_indexes
    from migrations.lint import lint

    if side.database not in known_services() or not _is_ours(side):
        return None
    names = [script.revision for script in revisions(configuration(side.database), "expand")]
    unsafe = [str(finding) for finding in lint(side.database).findings if finding.severity == "error"]
    with mapped(side.database):
        invalid = [f"{schema}.{name}" for schema, name in invalid_indexes(side.conn)]
        missing = names[_applied(side.conn, names) :]
    return Schema(len(names), tuple(missing), tuple(unsafe), tuple(invalid))


def _is_ours(side: Side) -> bool:
    """Whether revisions have ever run there: a database may have a service's name, and tables that others make."""
    return bool(side.ask(VERSIONS)[0][0])


def _applied(conn: Connection, names: list[str]) -> int:
    """How many revisions of the branch have run: those up to the newest that the database names."""
    heads = {name for (name,) in conn.execute("SELECT version_num FROM public.alembic_version").fetchall()}
    return max((at + 1 for at, name in enumerate(names) if name in heads), default=0)
