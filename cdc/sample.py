"""Runs a mapping on rows of the source: for each column, what would go wrong, in how many rows, and in which.

One scan counts everything; a second one, only where something was found, looks for keys. Only keys are read, never a
value. Nothing is written.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from cdc.sql_types import literal, quoted, quoted_table
from cdc.translation.draft import Draft, source_key_of
from cdc.translation.hazards import Hazard, hazards

if TYPE_CHECKING:
    import psycopg

KEYS_MAX = 5
_OVERSAMPLED = 1.3


@dataclass(frozen=True)
class Trouble:
    """Rows of one column that have one hazard, with the keys of some of them."""

    column: str
    kind: str
    rows: int
    keys: tuple[str, ...]
    remedy: str


@dataclass(frozen=True)
class SampleReport:
    """What was found in the rows of one source table."""

    file: str
    table: str
    rows: int
    troubles: tuple[Trouble, ...]


Place = tuple[int, int]
"""The number of a probe, and of one of its hazards."""


@dataclass(frozen=True)
class _Probe:
    """One output's hazards; a row has the first of them that holds."""

    column: str
    hazards: tuple[Hazard, ...]

    @property
    def sql(self) -> str:
        whens = " ".join(f"WHEN ({one.condition}) THEN {number}" for number, one in enumerate(self.hazards))
        return f"CASE {whens} END"


def sample(conn: psycopg.Connection[Any], draft: Draft, rows_max: int) -> SampleReport:
    """Look at up to `rows_max` rows; at random pages where the table has more."""
    probes = [_Probe(output.column.name, found) for output in draft.outputs if (found := hazards(output, draft.scope))]
    table = quoted_table(draft.source.name)
    rows, counts = _counted(conn, draft, probes, _source(conn, table, draft, rows_max))
    met = {place: count for place, count in counts.items() if count}
    # Only the columns that have trouble are computed again.
    troubled = {at: probes[at] for at in dict.fromkeys(place[0] for place in met)}
    keys = _keys(conn, draft, troubled, _source(conn, table, draft, rows_max)) if met else {}
    troubles = tuple(_trouble(probes[place[0]], place, count, keys) for place, count in met.items())
    return SampleReport(str(draft.parsed.file), draft.source.name, rows, troubles)


def _trouble(probe: _Probe, place: Place, count: int, keys: dict[Place, list[str]]) -> Trouble:
    hazard = probe.hazards[place[1]]
    return Trouble(probe.column, hazard.kind, count, tuple(keys.get(place, ())), hazard.remedy)


def _source(conn: psycopg.Connection[Any], table: str, draft: Draft, rows_max: int) -> str:
    """The rows to look at, the same ones for both scans."""
    row = conn.execute("SELECT reltuples FROM pg_class WHERE oid = %s::regclass", (table,)).fetchone()
    known = float(row[0]) if row else -1.0
    share = min(100.0, 100.0 * _OVERSAMPLED * rows_max / known) if known > rows_max else 100.0
    pages = f" TABLESAMPLE SYSTEM ({share:.4f}) REPEATABLE (1)" if share < 100 else ""
    where = f" WHERE {draft.where.sql}" if draft.where else ""
    return f"(SELECT * FROM {table}{pages}{where} LIMIT {int(rows_max)}) AS sampled"  # noqa: S608 - quoted


def _counted(
    conn: psycopg.Connection[Any], draft: Draft, probes: Sequence[_Probe], source: str
) -> tuple[int, dict[Place, int]]:
    places = [(at, number) for at, probe in enumerate(probes) for number in range(len(probe.hazards))]
    counted = "".join(f", count(*) FILTER (WHERE p{at} = {number})" for at, number in places)
    # OFFSET 0 keeps each CASE from being computed anew for each count.
    judged = _judged(draft, dict(enumerate(probes)))
    statement = f"SELECT count(*){counted} FROM (SELECT {judged} FROM {source} OFFSET 0) AS judged"  # noqa: S608
    row = conn.execute(statement.encode()).fetchone()
    values = list(row or (0,))
    return int(values[0]), dict(zip(places, values[1:], strict=False))


def _judged(draft: Draft, probes: Mapping[int, _Probe]) -> str:
    key = " || ', ' || ".join(
        f"{literal(name + ' = ')} || {quoted(name)}::text" for name in source_key_of(draft.source)
    )
    return ", ".join([f"{key} AS key", *(f"{probe.sql} AS p{at}" for at, probe in probes.items())])


def _keys(
    conn: psycopg.Connection[Any], draft: Draft, probes: Mapping[int, _Probe], source: str
) -> dict[Place, list[str]]:
    """Up to KEYS_MAX keys for each hazard that occurs, in one scan."""
    pairs = ", ".join(f"({at}, p{at})" for at in probes)
    statement = f"""
        SELECT at, number, (array_agg(key))[1:{KEYS_MAX}] FROM (
            SELECT at, number, key, row_number() OVER (PARTITION BY at, number) AS place
            FROM (SELECT {_judged(draft, probes)} FROM {source} OFFSET 0) AS judged,
                 LATERAL (VALUES {pairs}) AS found(at, number) WHERE number IS NOT NULL) AS numbered
        WHERE place <= {KEYS_MAX} GROUP BY at, number"""  # noqa: S608 - quoted
    return {(at, number): list(keys) for at, number, keys in conn.execute(statement.encode()).fetchall()}
