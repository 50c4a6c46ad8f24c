"""The gates' measurements: what each one asks of gateways, streams, databases and the comparison's store."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from datetime import UTC, datetime
from typing import Any

from psycopg import errors

from cdc import fence, state
from cdc.mapping import NotInvertible
from runbook import census, sentinel, trend
from runbook.business_calendar import judge_calendar
from runbook.errors import BudgetExceeded
from runbook.evidence import judge_comparison
from runbook.gates import Finding, gates_for
from runbook.ground import Ground
from runbook.judging import (
    judge_fences,
    judge_gateways,
    judge_lag,
    judge_privileges,
    judge_reversible,
    judge_sentinel,
    judge_sequences,
    judge_stream,
    judge_transactions,
    judge_verify,
    judge_way_back,
    judge_writers,
)
from runbook.runs import shadow_since
from runbook.schema_gate import judge_schema, look_at_schema
from runbook.sequences import SequencePlan
from runbook.sides import Side, mapped, table_name

AGE = """
SELECT extract(epoch FROM clock_timestamp() - greatest(heartbeat_at, updated_at))::float8
FROM strangler.stream WHERE name = %s
"""
LAST_VERIFY = """
SELECT equal, rows, extract(epoch FROM clock_timestamp() - at)::float8 FROM strangler.verify_result
WHERE capability = %s AND direction = 'forward' ORDER BY at DESC LIMIT 1
"""
KNOWN_DIFFERENCES = "SELECT count(*) FROM strangler.difference WHERE stream = %s"
OPEN_WRITERS = """
SELECT DISTINCT a.pid, a.application_name, extract(epoch FROM clock_timestamp() - a.xact_start)::int
FROM pg_stat_activity a JOIN pg_locks l ON l.pid = a.pid
WHERE l.relation = ANY(%s::regclass[]) AND l.granted AND a.pid <> pg_backend_pid()
  AND l.mode IN ('RowExclusiveLock', 'ShareUpdateExclusiveLock', 'ShareLock', 'ShareRowExclusiveLock',
                 'ExclusiveLock', 'AccessExclusiveLock')
  AND a.backend_type = 'client backend' AND a.xact_start < clock_timestamp() - make_interval(secs => %s)
"""
PREPARED = "SELECT count(*) FROM pg_prepared_xacts WHERE database = current_database()"
NOT_OWNED = "SELECT NOT pg_has_role(current_user, relowner, 'USAGE') FROM pg_class WHERE oid = %s::regclass"

Measure = Callable[[Ground], tuple[Finding, ...]]


def findings_of(ground: Ground) -> tuple[Finding, ...]:
    """Ask every gate of the transition, in order, and keep the answers. Raises DatabaseDown."""
    found: list[Finding] = []
    for gate in gates_for(ground.transition, has_sync=ground.sides is not None):
        found += MEASURES[gate.name](ground)
    earlier = trend.history(ground.control, ground.name)
    trend.note(ground.control, ground.name, found)
    return trend.with_trend(found, earlier)


def _gateways(ground: Ground) -> tuple[Finding, ...]:
    digest = ground.file_digest()
    with suppress(BudgetExceeded):
        # A file that was changed a moment ago may not have arrived yet: that is not a finding.
        ground.gateways.wait_for_those_that_answer(ground.file_digest, 2.0)
    return (judge_gateways(ground.gateways.tables_or_silence(), digest),)


def _reversible(ground: Ground) -> tuple[Finding, ...]:
    refused = [
        (mapping.target_table, f"{back.column}: {back.reason}")
        for mapping in ground.both.mappings
        if isinstance(back := mapping.way_back, NotInvertible)
    ]
    return judge_reversible(len(ground.both.mappings), refused)


def _calendar(ground: Ground) -> tuple[Finding, ...]:
    since = shadow_since(ground.control, ground.name)
    return judge_calendar(ground.routes.calendar, datetime.now(UTC), since)


def _schema(ground: Ground) -> tuple[Finding, ...]:
    modern = ground.both.modern
    return (judge_schema(modern.database, look_at_schema(modern)),)


def _stream(ground: Ground) -> tuple[Finding, ...]:
    found = _state(ground.new, ground.flow)
    return (judge_stream(ground.flow, found, _age(ground.new, ground.flow)),)


def _way_back(ground: Ground) -> tuple[Finding, ...]:
    found = _state(ground.old, ground.way_back)
    return (judge_way_back(ground.way_back, found, _age(ground.old, ground.way_back)),)


def _lag(ground: Ground) -> tuple[Finding, ...]:
    with mapped(ground.new.database):
        lag = state.lag(ground.old.conn, ground.new.conn, ground.flow)
    if lag is None:
        return (judge_lag(None, 0, ground.capability.gates.lag),)
    return (judge_lag(lag.seconds, lag.bytes, ground.capability.gates.lag),)


def _verify(ground: Ground) -> tuple[Finding, ...]:
    rows = _ask_if_set_up(ground.both.modern, LAST_VERIFY, (ground.name,))
    is_equal, count, age = rows[0] if rows else (None, 0, None)
    known = _ask_if_set_up(ground.new, KNOWN_DIFFERENCES, (ground.flow,))
    return (judge_verify(is_equal, int(count or 0), age, known[0][0] if known else 0),)


def _comparison(ground: Ground) -> tuple[Finding, ...]:
    return judge_comparison(ground.store_place, ground.name, ground.capability)


def _fences(ground: Ground) -> tuple[Finding, ...]:
    raised = []
    for side in (ground.old, ground.new):
        with mapped(side.database):
            raised.append(bool(fence.fence_is_raised(side.conn, side.tables)))
    return (judge_fences(ground.home, *raised),)


def _transactions(ground: Ground) -> tuple[Finding, ...]:
    seconds = ground.budget.seconds
    rows = ground.old.ask(OPEN_WRITERS, (_quoted(ground.old), seconds))
    old = [f"pid {pid} ({name or 'no application_name'}), open for {age} s" for pid, name, age in rows]
    if prepared := ground.old.ask(PREPARED)[0][0]:
        old.append(f"{prepared} prepared transaction(s) in {ground.old.database}")
    return (judge_transactions(old, seconds),)


def _privileges(ground: Ground) -> tuple[Finding, ...]:
    missing = []
    for side in (ground.old, ground.new):
        for table, quoted in zip(side.tables, _quoted(side), strict=True):
            if side.ask(NOT_OWNED, (quoted,))[0][0]:
                missing.append(f"ownership of {table} in {side.database}")
    # The way back raises the sequences of today's home: what it lacks would be found when it is needed most.
    for home, side in ((ground.home, ground.new), (ground.new.home, ground.old)):
        raises = SequencePlan(ground.both, home).raises()
        names = [item.sequence.name for item in raises if not item.sequence.may_be_set]
        missing += [f"UPDATE on sequence {name} in {side.database}" for name in names]
    return (judge_privileges(missing),)


def _sequences(ground: Ground) -> tuple[Finding, ...]:
    raises = SequencePlan(ground.both, ground.home).raises()
    too_small = [item.sequence.name for item in raises if item.value > item.sequence.maximum]
    return (judge_sequences([item.sequence.name for item in raises], too_small),)


def _writers(ground: Ground) -> tuple[Finding, ...]:
    is_installed = census.is_installed(ground.old)
    if not is_installed:
        census.install(ground.both, ground.old)
    strangers = census.foreign(census.writers(ground.both, ground.old), ground.capability.writers)
    return judge_writers(is_installed, strangers)


def _sentinel(ground: Ground) -> tuple[Finding, ...]:
    try:
        return (judge_sentinel(sentinel.round_trip(ground.both, sentinel.new_id(ground.run_id))),)
    except BudgetExceeded as error:
        return (judge_sentinel(None, error.sentence),)
    except (errors.UndefinedTable, errors.InvalidSchemaName):
        return (judge_sentinel(None, "strangler.sentinel does not exist: the streams have never run"),)


MEASURES: dict[str, Measure] = {
    "gateways": _gateways,
    "reversible": _reversible,
    "calendar": _calendar,
    "schema": _schema,
    "stream": _stream,
    "lag": _lag,
    "verify": _verify,
    "comparison": _comparison,
    "way_back": _way_back,
    "fences": _fences,
    "transactions": _transactions,
    "privileges": _privileges,
    "sequences": _sequences,
    "writers": _writers,
    "sentinel": _sentinel,
}


def _state(target: Side, stream: str) -> state.StreamState | None:
    try:
        with mapped(target.database):
            return state.read_state(target.conn, stream)
    except (errors.UndefinedTable, errors.InvalidSchemaName):
        return None


def _age(target: Side, stream: str) -> float | None:
    rows = _ask_if_set_up(target, AGE, (stream,))
    return rows[0][0] if rows else None


def _ask_if_set_up(side: Side, query: Any, params: tuple[object, ...]) -> list[tuple[Any, ...]]:
    try:
        return side.ask(query, params)
    except (errors.UndefinedTable, errors.InvalidSchemaName):
        return []


def _quoted(side: Side) -> list[str]:
    return [table_name(table).as_string(side.conn) for table in side.tables]
