"""What would stop the streams of a capability: mappings, servers, privileges, and rows that a mapping cannot carry.

Reads both databases and changes neither: what has to be executed to be known (every translated statement, with the
functions it calls) is executed in transactions that are rolled back. A finding says what to do, where that can be said
as the statement that does it.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import psycopg

from cdc.catalogue import Catalogue, read_catalogue
from cdc.check_servers import check_server, check_tables
from cdc.findings import Finding, error
from cdc.mapping import Mapping, NotInvertible, TargetColumn
from cdc.sample import SampleReport, sample
from cdc.sql_types import quoted, quoted_table
from cdc.translation import references
from cdc.translation.build import build, drafted
from cdc.translation.draft import Draft
from cdc.translation.functions import install_functions
from cdc.translation.library import LIBRARY
from cdc.translation.refusals import MappingRefused
from cdc.verification.verify_sides import connect
from config.errors import NotConfigured

if TYPE_CHECKING:
    from config.model import Routes


@dataclass(frozen=True)
class ColumnReport:
    """One column of a mapping; `guard_violations` counts the source's rows outside of the guard, None if not run."""

    name: str
    kind: str
    sources: tuple[str, ...]
    inverse: str | None
    guard: str | None
    guard_violations: int | None = None


@dataclass(frozen=True)
class MappingReport:
    """One file: accepted, or refused with the reasons."""

    file: str
    target: str
    verdict: str
    reason: str
    sql: str
    reverse_sql: str
    columns: tuple[ColumnReport, ...]

    def as_json(self) -> dict[str, object]:
        """The form of `strangler sync check --json`."""
        columns = [
            {("class" if name == "kind" else name): value for name, value in asdict(column).items()}
            for column in self.columns
        ]
        form = asdict(self) | {"columns": columns}
        del form["reverse_sql"]
        return form


@dataclass(frozen=True)
class CheckReport:
    """Everything that `strangler sync check` shows."""

    mappings: tuple[MappingReport, ...]
    findings: tuple[Finding, ...]
    samples: tuple[SampleReport, ...] = ()

    @property
    def is_ready(self) -> bool:
        """Whether nothing was found that stops a stream."""
        return not any(finding.severity == "error" for finding in self.findings)

    def as_json(self) -> dict[str, object]:
        """The form of `strangler sync check --json`."""
        return {
            "mappings": [mapping.as_json() for mapping in self.mappings],
            "ways_back": [{"file": mapping.file, "sql": mapping.reverse_sql} for mapping in self.mappings],
            "findings": [asdict(finding) for finding in self.findings],
            "samples": [asdict(sample) for sample in self.samples],
        }


def check(routes: Routes, capability: str) -> tuple[Finding, ...]:
    """All findings of a capability's streams. Raises DatabaseDown, NotConfigured."""
    return inspect(routes, capability).findings


def inspect(routes: Routes, capability: str, sample_rows: int = 0) -> CheckReport:
    """All findings, and each mapping with its SQL and the classes of its columns.

    With `sample_rows`, what would go wrong in that many rows of each source table, too.
    """
    found = routes.capabilities.get(capability)
    if found is None or found.sync is None:
        raise NotConfigured(f"capabilities.{capability}.sync", "sync check")
    sync = found.sync
    with connect(routes, sync.source) as source, connect(routes, sync.target) as target:
        catalogues = read_catalogue(source), read_catalogue(target)
        files = sorted(sync.mappings.glob("*.sql")) if sync.mappings.is_dir() else []
        findings: list[Finding] = []
        if not files:
            findings.append(error(str(sync.mappings), "there is no mapping (*.sql) in this folder", "Add one a table."))
        findings += check_server(source, sync.source) + check_server(target, sync.target)
        reports, accepted, samples = [], [], []
        for file in files:
            report, more, mapping = _inspect_file(file, catalogues, (source, target))
            reports.append(report)
            findings += more
            accepted += [mapping] if mapping else []
            if mapping and sample_rows:
                sampled, more = _sampled(source, file, catalogues, sample_rows)
                samples += sampled
                findings += more
        findings += _shared(accepted) + _too_large(source, accepted)
        findings += check_tables(source, catalogues[0], sync.source, [m.source_table for m in accepted])
        findings += check_tables(target, catalogues[1], sync.target, [m.target_table for m in accepted])
    return CheckReport(tuple(reports), tuple(findings), tuple(samples))


def _sampled(
    source: psycopg.Connection[Any], file: Path, catalogues: tuple[Catalogue, Catalogue], rows: int
) -> tuple[list[SampleReport], list[Finding]]:
    draft = drafted(file, *catalogues)
    if not isinstance(draft, Draft):
        return [], []
    try:
        with source.transaction(force_rollback=True):
            _with_functions(source)
            return [sample(source, draft, rows)], []
    except psycopg.Error as problem:
        text = problem.diag.message_primary or type(problem).__name__
        return [], [error(str(file), f"the rows of {draft.source.name} could not be sampled: {text}")]


def _shared(mappings: list[Mapping]) -> list[Finding]:
    seen: set[str] = set()
    findings = []
    for mapping in mappings:
        for name in (f"source {mapping.source_table}", f"target {mapping.target_table}"):
            if name in seen:
                findings.append(error(str(mapping.file), f"{name} is mapped by two files", "Keep one of them."))
            seen.add(name)
    return findings


def _too_large(source: psycopg.Connection[Any], mappings: list[Mapping]) -> list[Finding]:
    """References are looked up for every row, and one changed row of them may change very many."""
    findings = []
    for mapping in (one for one in mappings if one.is_reference):
        first = f"SELECT FROM {quoted_table(mapping.source_table)} LIMIT {references.ROWS_MAX + 1}"
        row = source.execute(f"SELECT count(*) FROM ({first}) AS r".encode()).fetchone()  # noqa: S608 - quoted
        if row and row[0] > references.ROWS_MAX:
            text = f"{mapping.source_table} is declared as a reference and has more than {references.ROWS_MAX:,} rows"
            remedy = "Look up small code tables only; give the column of this one by a mapping of its own."
            findings.append(error(str(mapping.file), text, remedy))
    return findings


def _inspect_file(
    file: Path, catalogues: tuple[Catalogue, Catalogue], conns: tuple[psycopg.Connection[Any], psycopg.Connection[Any]]
) -> tuple[MappingReport, list[Finding], Mapping | None]:
    mapping = build(file, *catalogues)
    if not isinstance(mapping, Mapping):
        return _refused(file, mapping), [_finding(problem) for problem in mapping], None
    source, target = conns
    where, back = str(file), mapping.way_back
    failed = _executed(target, mapping, where)
    findings = list(failed)
    if isinstance(back, Mapping):
        findings += _executed(source, back, where) + _guards(target, back, where)[1]
    elif isinstance(back, NotInvertible):
        findings.append(error(where, back.sentence, back.hint))
    columns, violated = _guards(source, mapping, where)
    findings += violated
    report = MappingReport(
        file=where,
        target=mapping.target_table,
        verdict="refused" if failed else "ok",
        reason="; ".join(finding.text for finding in findings),
        sql=mapping.select(),
        reverse_sql=back.select() if isinstance(back, Mapping) else "",
        columns=columns,
    )
    return report, findings, mapping


def _refused(file: Path, problems: list[MappingRefused]) -> MappingReport:
    reason = "; ".join(str(problem) for problem in problems)
    return MappingReport(str(file), "", "refused", reason, "", "", ())


def _finding(problem: MappingRefused) -> Finding:
    text = f"{problem.column}: {problem.problem}" if problem.column else problem.problem
    return error(problem.place.within(problem.file), text, problem.remedy)


def _executed(conn: psycopg.Connection[Any], mapping: Mapping, where: str) -> list[Finding]:
    """Run the translated statement once as the stream would, from a staging table without rows."""
    staged = ", ".join(f"{quoted(column.name)} {column.type}" for column in mapping.reads)
    names = ", ".join(quoted(column.name) for column in mapping.columns)
    key = ", ".join(map(quoted, mapping.key))
    select = mapping.at_target.select("pg_temp.strangler_check")
    into = quoted_table(mapping.target_table)
    try:
        with conn.transaction(force_rollback=True):
            _with_functions(conn)
            conn.execute(f"CREATE TEMP TABLE strangler_check ({staged}) ON COMMIT DROP".encode())
            statement = f"INSERT INTO {into} ({names}) {select} ON CONFLICT ({key}) DO NOTHING"
            conn.execute(statement.encode())
    except psycopg.errors.InsufficientPrivilege as problem:
        text = problem.diag.message_primary or "permission denied"
        return [error(where, text, "Grant it; see the findings about privileges.")]
    except psycopg.Error as problem:
        text = problem.diag.message_primary or type(problem).__name__
        return [error(where, f"the statement for {mapping.target_table} fails: {text}", "Correct the mapping.")]
    return []


def _guards(
    conn: psycopg.Connection[Any], mapping: Mapping, where: str
) -> tuple[tuple[ColumnReport, ...], list[Finding]]:
    """Count the rows outside of each guard, all guards of a table in one pass."""
    reports = [_report(column) for column in mapping.columns]
    guards = [column.guard for column in mapping.columns if column.guard] + (
        [mapping.consistent] if mapping.consistent else []
    )
    if not guards:
        return tuple(reports), []
    counted = ", ".join(f"count(*) FILTER (WHERE ({guard}) IS NOT TRUE)" for guard in guards)
    table = quoted_table(mapping.source_table)
    condition = f" WHERE {mapping.where}" if mapping.where else ""
    try:
        with conn.transaction(force_rollback=True):
            _with_functions(conn)
            row = conn.execute(f"SELECT {counted} FROM {table}{condition}".encode()).fetchone()  # noqa: S608 - quoted
    except psycopg.Error as problem:
        text = problem.diag.message_primary or type(problem).__name__
        return tuple(reports), [error(where, f"the guards of {mapping.source_table} could not be run: {text}")]
    violations = dict(zip(guards, row or (), strict=False))
    reports = [replace(r, guard_violations=violations[r.guard]) if r.guard else r for r in reports]
    findings = [
        _violated(mapping, name, guard, violations[guard], where)
        for name, guard in [(r.name, r.guard) for r in reports if r.guard] + [("the row", mapping.consistent)]
        if guard and violations[guard]
    ]
    return tuple(reports), findings


def _report(column: TargetColumn) -> ColumnReport:
    return ColumnReport(column.name, column.kind, column.sources + column.looked_up, column.inverse, column.guard)


def _violated(mapping: Mapping, name: str, guard: str, rows: int, where: str) -> Finding:
    key = ", ".join(map(quoted, mapping.source_key))
    condition = f"{mapping.where} AND " if mapping.where else ""
    query = f"SELECT {key} FROM {quoted_table(mapping.source_table)} WHERE {condition}({guard}) IS NOT TRUE"  # noqa: S608
    text = f"{name}: {rows} row{'' if rows == 1 else 's'} of {mapping.source_table} cannot be carried there and back"
    return error(where, text, f"Correct them or the mapping; they are: {query};")


def _with_functions(conn: psycopg.Connection[Any]) -> None:
    newest = LIBRARY[-1]
    kinds = ",".join(argument.split()[-1] for argument in newest.signature.split(","))
    if conn.execute("SELECT to_regprocedure(%s)", (f"strangler.{newest.name}({kinds})",)).fetchone() == (None,):
        install_functions(conn)
