"""What `strangler sync check|status|verify` show: findings, both streams, and what differs."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from typing import Any

from rich.console import Group, RenderableType
from rich.table import Table

from cdc.check import CheckReport
from cdc.setup import connected, sync_of
from cdc.slots import read_slot
from cdc.state import lag, read_state
from cdc.verify import VerifyResult, verify
from config.model import Routes


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
    return Group(mappings, findings) if report.findings else mappings


def stream_rows(routes: Routes, capability: str) -> list[dict[str, Any]]:
    """Both streams of a capability as their rows, slots and delays say. Raises DatabaseDown, NotConfigured."""
    sync = sync_of(routes, capability)
    ends = {"forward": (sync.source, sync.target), "reverse": (sync.target, sync.source)}
    return [_row(routes, f"{capability}:{direction}", *names) for direction, names in ends.items()]


def _row(routes: Routes, stream: str, source_name: str, target_name: str) -> dict[str, Any]:
    with (
        connected(routes.databases[source_name].url, source_name) as source,
        connected(routes.databases[target_name].url, target_name) as target,
    ):
        state = read_state(target, stream)
        if state is None:
            return {"stream": stream, "state": "not set up"}
        delay, slot = lag(source, target, stream), read_slot(source, state.slot)
        return {
            "stream": stream,
            "state": state.state,
            "mode": state.mode,
            "position": state.position,
            "lag_bytes": delay.bytes if delay else None,
            "lag_seconds": delay.seconds if delay else None,
            "applied_rows": state.applied_rows,
            "applied_transactions": state.applied_transactions,
            "skipped_transactions": state.skipped_transactions,
            "alarms": state.alarms,
            "last_alarm": state.last_alarm,
            "slot": state.slot,
            "slot_status": slot.status if slot else "missing",
            "slot_retained_bytes": slot.retained_bytes if slot else None,
            "error": state.error,
        }


def streams_screen(rows: Sequence[dict[str, Any]]) -> RenderableType:
    """One row a stream."""
    columns = ("stream", "state", "mode", "lag_seconds", "lag_bytes", "applied_rows", "alarms", "slot_retained_bytes")
    table = Table(*(name.replace("_", " ") for name in columns))
    for row in rows:
        table.add_row(*(_text(row.get(name)) for name in columns))
    return Group(table, *(str(row["error"]) for row in rows if row.get("error")))


def verify_each(routes: Routes, capability: str, direction: str) -> list[VerifyResult]:
    """Compare in one direction or in both, with a line of progress on stderr where somebody watches."""

    def tell(table: str, rows: int) -> None:
        if sys.stderr.isatty():
            print(f"\r{table}: {rows:,} rows compared", end="\033[K", file=sys.stderr, flush=True)

    found = []
    if direction in ("forward", "both"):
        found.append(verify(capability, routes, "forward", tell))
    if direction in ("reverse", "both"):
        found.append(verify(capability, routes, "reverse", tell))
    if sys.stderr.isatty():
        print(file=sys.stderr)
    return found


def verify_screen(results: Sequence[VerifyResult]) -> RenderableType:
    """One row a table and direction; keys of rows that differ, never values."""
    table = Table("direction", "table", "rows", "differences", "keys")
    for result in results:
        for one in result.tables:
            keys = ", ".join(str(key) for key in one.sample_keys[:5])
            table.add_row(result.direction, one.target, f"{one.rows:,}", f"{one.differences:,}", keys)
    return table


def _text(value: object) -> str:
    if value is None:
        return "-"
    if isinstance(value, float):
        return f"{value:.2f}"
    return f"{value:,}" if isinstance(value, int) else str(value)
