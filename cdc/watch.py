"""What an operator must know of both streams at one look: delay, rates, batches, and the log that a slot holds back."""

from __future__ import annotations

from dataclasses import dataclass, replace
from time import monotonic, sleep
from typing import Literal

from cdc.setup import connected, sync_of
from cdc.state import lag, read_state
from cdc.streaming.slots import read_slot
from cdc.verification.differences import read_rechecked
from config.model import Routes, Sync

Wal = Literal["ok", "warn", "page"]
BETWEEN_SECONDS = 0.5


@dataclass(frozen=True)
class Look:
    """One stream now. Delay is None where it never ran; rates are None at a first look.

    `lag_seconds` is the age of the newest transaction that is in the target, by the source's clock. A heartbeat comes
    every second, so where nobody writes it stays below that, and it grows when the stream stands still.
    """

    stream: str
    state: str
    mode: str | None = None
    position: str | None = None
    lag_bytes: int | None = None
    lag_seconds: float | None = None
    rows_per_second: float | None = None
    transactions_per_second: float | None = None
    rows_per_batch: float | None = None
    applied_rows: int = 0
    applied_transactions: int = 0
    applied_batches: int = 0
    skipped_transactions: int = 0
    alarms: int = 0
    last_alarm: str | None = None
    rechecked_rows: int = 0
    unchecked_rows: int = 0
    differences: int = 0
    last_difference: str | None = None
    slot: str | None = None
    slot_status: str | None = None
    wal_held_bytes: int | None = None
    wal: Wal = "ok"
    error: str | None = None


def look(routes: Routes, capability: str) -> tuple[Look, ...]:
    """Both streams of a capability. Raises DatabaseDown, NotConfigured, UnknownCapability."""
    sync = sync_of(routes, capability)
    ends = {"forward": (sync.source, sync.target), "reverse": (sync.target, sync.source)}
    return tuple(_look(routes, sync, f"{capability}:{direction}", *names) for direction, names in ends.items())


def look_twice(routes: Routes, capability: str) -> tuple[Look, ...]:
    """The same, with rates over half a second."""
    started = monotonic()
    before = look(routes, capability)
    sleep(BETWEEN_SECONDS)
    after = look(routes, capability)
    return tuple(with_rates(old, new, monotonic() - started) for old, new in zip(before, after, strict=True))


def with_rates(before: Look, after: Look, seconds: float) -> Look:
    """The later look with what was applied a second since the earlier one; pure."""
    return replace(
        after,
        rows_per_second=round((after.applied_rows - before.applied_rows) / seconds, 1),
        transactions_per_second=round((after.applied_transactions - before.applied_transactions) / seconds, 1),
    )


def wal_level(held_bytes: int, sync: Sync) -> Wal:
    """Whether a slot holds back more of the log than it may; pure."""
    return "page" if held_bytes > sync.wal_page else "warn" if held_bytes > sync.wal_warn else "ok"


def _look(routes: Routes, sync: Sync, stream: str, source_name: str, target_name: str) -> Look:
    with (
        connected(routes.databases[source_name].url, source_name) as source,
        connected(routes.databases[target_name].url, target_name) as target,
    ):
        state = read_state(target, stream)
        if state is None:
            return Look(stream, "not set up")
        delay, slot = lag(source, target, stream), read_slot(source, state.slot)
        rechecked = read_rechecked(target, stream)
    return Look(
        stream=stream,
        state=state.state,
        mode=state.mode,
        position=state.position,
        lag_bytes=delay.bytes if delay else None,
        lag_seconds=delay.seconds if delay else None,
        rows_per_batch=round(state.applied_rows / state.applied_batches, 1) if state.applied_batches else None,
        applied_rows=state.applied_rows,
        applied_transactions=state.applied_transactions,
        applied_batches=state.applied_batches,
        skipped_transactions=state.skipped_transactions,
        alarms=state.alarms,
        last_alarm=state.last_alarm,
        rechecked_rows=rechecked.checked,
        unchecked_rows=rechecked.left_out,
        differences=rechecked.differences,
        last_difference=rechecked.last,
        slot=state.slot,
        slot_status=slot.status if slot else "missing",
        wal_held_bytes=slot.retained_bytes if slot else None,
        wal=wal_level(slot.retained_bytes, sync) if slot else "ok",
        error=state.error,
    )
