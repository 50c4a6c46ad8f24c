"""What `strangler sync check|status|verify` show: findings, both streams, and what differs."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from rich.console import Group, RenderableType
from rich.table import Table

from cdc.check import CheckReport
from cdc.filling.backfill import Copied
from cdc.filling.backfill import Progress as Tell
from cdc.verification.verify import VerifyResult, Wanted, verify
from cdc.verification.verify_sides import Direction
from config.model import Routes
from runbook.residue import ResidueReport
from runbook.screen_copy import copy_progress

_DIRECTIONS: tuple[Direction, ...] = ("forward", "reverse")
_SHOWN = (
    "stream",
    "state",
    "mode",
    "lag_seconds",
    "lag_bytes",
    "rows_per_second",
    "transactions_per_second",
    "rows_per_batch",
    "applied_rows",
    "alarms",
    "differences",
    "wal_held_bytes",
)


def check_screen(report: CheckReport) -> RenderableType:
    """The findings, worst first, and the mappings with the class of each column."""
    findings = Table("", "where", "what", "remedy", title="Findings", title_justify="left")
    for one in sorted(report.findings, key=lambda finding: finding.severity):
        findings.add_row(one.severity, one.where, one.text, one.remedy)
    mappings = Table("mapping", "column", "class", "from", "violations", title="Mappings", title_justify="left")
    for mapping in report.mappings:
        for column in mapping.columns:
            count = "" if column.guard_violations is None else f"{column.guard_violations:,}"
            mappings.add_row(mapping.target, column.name, column.kind, ", ".join(column.sources), count)
    parts: list[RenderableType] = [mappings]
    if report.samples:
        parts.append(_samples(report))
    return Group(*parts, findings) if report.findings else Group(*parts)


def residue_screen(report: ResidueReport, capability: str) -> RenderableType:
    """The columns that were added, the files that were written, and what comes next."""
    if not report.columns:
        return f"No column of {capability} loses anything that another column does not keep: nothing was written."
    table = Table("column", "keeps", "because", title="Residues", title_justify="left")
    for one in report.columns:
        table.add_row(f"{one.table}.{one.name}", f"{one.source}, as far as {one.of} does not say it", one.reason)
    written = [f"written: {path}" for path in (*report.revisions, *report.mappings)]
    steps = (
        "Next: strangler migrate upgrade adds the columns; start the stream anew, which reads the mappings; "
        f"strangler sync repair {capability} fills them for the rows that are there already."
    )
    return Group(table, *written, steps)


def _samples(report: CheckReport) -> RenderableType:
    """What would go wrong in the sampled rows: counts, keys, and what to write instead; never a value."""
    looked_at = ", ".join(f"{sample.rows:,} of {sample.table}" for sample in report.samples)
    title = f"Sampled rows: {looked_at}"
    table = Table("table", "column", "what", "rows", "keys", "instead", title=title, title_justify="left")
    for sample in report.samples:
        for one in sample.troubles:
            table.add_row(sample.table, one.column, one.kind, f"{one.rows:,}", "; ".join(one.keys), one.remedy)
    return table


def streams_screen(rows: Sequence[dict[str, Any]]) -> RenderableType:
    """One row a stream."""
    table = Table(*(name.replace("_", " ") for name in _SHOWN))
    for row in rows:
        table.add_row(*(_text(row.get(name)) for name in _SHOWN))
    held = [
        f"{row['slot']} holds {row['wal_held_bytes']:,} bytes of log: {row['wal']}" for row in rows if _is_held(row)
    ]
    alarms = [f"{row['stream']}: last alarm: {row['last_alarm']}" for row in rows if row.get("alarms")]
    alarms += [f"{row['stream']}: last difference: {row['last_difference']}" for row in rows if row.get("differences")]
    return Group(table, *held, *alarms, *(str(row["error"]) for row in rows if row.get("error")))


def _is_held(row: dict[str, Any]) -> bool:
    return row.get("wal") in {"warn", "page"}


def verify_each(
    routes: Routes, capability: str, direction: str, wanted: Wanted | None = None, *, as_json: bool = False
) -> list[VerifyResult]:
    """Compare in one direction or in both; progress on stderr where somebody watches, or a program does."""
    found = []
    for one in _DIRECTIONS:
        if direction in (one, "both"):
            with copy_progress(as_json=as_json) as tell:
                found.append(verify(capability, routes, one, _as_copied(tell), wanted))
    return found


def _as_copied(tell: Tell) -> Callable[[str, int], None]:
    return lambda table, rows: tell(Copied(table, rows, None, "comparing"))


def verify_screen(results: Sequence[VerifyResult]) -> RenderableType:
    """One row a table and direction, the rows that differ by key and column, and the control totals that differ.

    `at` is the place of the log at which both sides were compared; where they were not, the reason is told. Values
    are shown where they were asked for.
    """
    table = Table("direction", "table", "rows", "differences", "missing", "extra", "changed", "at")
    rows = Table("direction", "table", "key", "", "columns", "legacy", "modern", title="Rows that differ (a sample)")
    totals = Table("table", "column", "currency", "legacy", "modern", title="Control totals that differ")
    for result in results:
        for one in result.tables:
            counts = (one.rows, one.differences, one.missing, one.extra, one.changed)
            table.add_row(result.direction, one.target, *(f"{number:,}" for number in counts), one.position or "-")
            for detail in one.details:
                values = (_pairs(detail.legacy), _pairs(detail.modern))
                key = ", ".join(map(str, detail.key))
                rows.add_row(result.direction, one.target, key, detail.kind, ", ".join(detail.columns), *values)
    for one in results[0].tables if results else ():
        for total in one.totals:
            if total.legacy != total.modern:
                facts = (total.currency or "", str(total.legacy), str(total.modern))
                totals.add_row(one.target, total.column, *facts)
    reasons = [
        f"{one.direction}: not at one place of the log ({one.not_aligned}); what differed was looked at until it stayed"
        for one in results
        if one.not_aligned
    ]
    return Group(table, *reasons, *(part for part in (rows, totals) if part.row_count))


def _pairs(values: Mapping[str, str | None] | None) -> str:
    if values is None:
        return ""
    return "\n".join(f"{name} {'NULL' if value is None else repr(value)}" for name, value in values.items())


def _text(value: object) -> str:
    if value is None:
        return "-"
    if isinstance(value, float):
        return f"{value:.2f}"
    return f"{value:,}" if isinstance(value, int) else str(value)
