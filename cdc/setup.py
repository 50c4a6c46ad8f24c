"""Makes everything that the two streams of a capability need, once; a second run finds it made.

Order: tables, functions and fences in both databases; publications; the reverse slot, so that from then on nothing that
happens in modern goes unseen; the forward slot with its backfill. Each step asks whether it is done already. What
decides is the stream's row in its target: without one the stream is made anew, in state backfill it is made over.
"""

from __future__ import annotations

import threading
from dataclasses import dataclass
from datetime import UTC, datetime

import psycopg
import structlog

from cdc import slots
from cdc.backfill import Backfill, Progress, open_snapshot
from cdc.catalogue import Catalogue, read_catalogue
from cdc.crash_points import reached
from cdc.fence import install_legacy_fence, install_modern_fence
from cdc.mapping import Mapping, NotInvertible
from cdc.plan import StreamPlan
from cdc.session import APPLICATION, CONNECT_SECONDS_MAX, origin_of
from cdc.state import Mode, StreamState, begin_stream, create_tables, read_state
from cdc.stream import connect_for_replication, identify
from cdc.stream_errors import SourceNotReady
from cdc.translation.functions import install_functions
from cdc.translation.load import load, parents_first
from config.errors import DatabaseDown, NotConfigured, UnknownCapability
from config.model import Routes, Sync

_log = structlog.get_logger()


@dataclass(frozen=True)
class Streams:
    """The streams of a capability; there is no reverse one where a mapping has no way back."""

    forward: StreamPlan
    reverse: StreamPlan | None


def sync_of(routes: Routes, capability: str) -> Sync:
    """The `sync` section of a capability. Raises UnknownCapability, NotConfigured."""
    found = routes.capabilities.get(capability)
    if found is None:
        raise UnknownCapability(capability, tuple(routes.capabilities))
    if found.sync is None:
        raise NotConfigured(f"capabilities.{capability}.sync", "sync")
    return found.sync


def streams_of(routes: Routes, capability: str) -> Streams:
    """Read the mappings against both databases. Raises MappingsRefused, DatabaseDown."""
    sync = sync_of(routes, capability)
    legacy_url, modern_url = routes.databases[sync.source].url, routes.databases[sync.target].url
    with connected(legacy_url, sync.source) as legacy, connected(modern_url, sync.target) as modern:
        legacy_catalogue = read_catalogue(legacy)
        mappings = load(sync.mappings, legacy_catalogue, read_catalogue(modern))
    forward = StreamPlan(capability, "forward", legacy_url, modern_url, mappings)
    back = _reversed(capability, mappings, legacy_catalogue)
    reverse = StreamPlan(capability, "reverse", modern_url, legacy_url, back) if back else None
    return Streams(forward, reverse)


def connected(url: str, name: str) -> psycopg.Connection:
    """A connection in autocommit mode. Raises DatabaseDown with the database's name."""
    try:
        return psycopg.connect(url, autocommit=True, application_name=APPLICATION, connect_timeout=CONNECT_SECONDS_MAX)
    except psycopg.OperationalError as error:
        raise DatabaseDown(name, str(error)) from error


def set_up(streams: Streams, stop: threading.Event, progress: Progress) -> None:
    """Make what is missing. Raises StreamError, DatabaseDown; psycopg.Error where a privilege is missing."""
    forward, reverse = streams.forward, streams.reverse
    with connected(forward.source_url, "source") as legacy, connected(forward.target_url, "target") as modern:
        for conn in (legacy, modern):
            create_tables(conn)
            with conn.transaction():
                install_functions(conn)
        install_legacy_fence(legacy, [mapping.source_table for mapping in forward.mappings])
        install_modern_fence(modern, [mapping.target_table for mapping in forward.mappings])
        reached("setup.tables")
        slots.ensure_publication(legacy, forward.name, forward.slot, forward.published)
        if reverse is not None:
            slots.ensure_publication(modern, reverse.name, reverse.slot, reverse.published)
            if read_state(legacy, reverse.name) is None:
                _make_reverse(reverse, modern, legacy)
        _make_forward(forward, legacy, modern, stop, progress)


def _reversed(capability: str, mappings: tuple[Mapping, ...], catalogue: Catalogue) -> tuple[Mapping, ...]:
    """The way back of every mapping, parents before children in legacy; empty where one has none."""
    try:
        return parents_first([mapping.reverse() for mapping in mappings], catalogue)
    except NotInvertible as error:
        _log.warning("stream.no_reverse", capability=capability, reason=error.sentence)
        return ()


def _make_reverse(plan: StreamPlan, source: psycopg.Connection, target: psycopg.Connection) -> None:
    """A slot without backfill: both databases hold the same rows at the cutover, and until then nothing is applied."""
    slots.check_source(source, plan.name)
    slots.drop_slot(source, plan.slot)
    with connect_for_replication(plan.source_url, APPLICATION) as replication:
        system = identify(replication)
        position = slots.create_slot(replication, plan.slot, with_snapshot=False)
    reached("setup.reverse_slot")
    begin_stream(target, _row(plan, system, position, "skip", "streaming"))
    reached("setup.reverse_row")
    _log.info("stream.made", stream=plan.name, slot=plan.slot, position=position)


def _make_forward(
    plan: StreamPlan,
    source: psycopg.Connection,
    target: psycopg.Connection,
    stop: threading.Event,
    progress: Progress,
) -> None:
    state = read_state(target, plan.name)
    if state is not None and state.state != "backfill":
        return
    slots.check_source(source, plan.name)
    slots.drop_slot(source, plan.slot)
    with connect_for_replication(plan.source_url, APPLICATION) as replication:
        system = identify(replication)
        if state is None:
            _forget_origin(target, plan)
            begin_stream(target, _row(plan, system, None, "apply", "backfill"))
        reached("backfill.row")
        snapshot = open_snapshot(replication, plan.slot)
        reached("backfill.slot")
        _log.info("backfill.started", stream=plan.name, slot=plan.slot, position=snapshot.position)
        backfill = Backfill(
            stream=plan.name,
            source_url=plan.source_url,
            target_url=plan.target_url,
            mappings=plan.mappings,
            resumes=state is not None,
            stop=stop,
            progress=progress,
        )
        backfill.run(snapshot)
        reached("backfill.tables")
        begin_stream(target, _row(plan, system, snapshot.position, "apply", "streaming"))
        reached("backfill.done")
    _log.info("backfill.done", stream=plan.name)


def _forget_origin(target: psycopg.Connection, plan: StreamPlan) -> None:
    """An origin of a stream that was removed by hand still knows that stream's progress."""
    try:
        target.execute(
            "SELECT pg_replication_origin_drop(roname) FROM pg_replication_origin WHERE roname = %s",
            (origin_of(plan.name),),
        )
    except psycopg.errors.InsufficientPrivilege:
        return  # then it was never used
    except psycopg.errors.ObjectInUse as error:
        raise SourceNotReady(plan.name, "a process still applies it", "Stop the other `sync run` first.") from error


def _row(plan: StreamPlan, system: tuple[str, int], position: str | None, mode: Mode, state: str) -> StreamState:
    now = datetime.now(UTC)
    return StreamState(
        name=plan.name,
        system_id=system[0],
        timeline=system[1],
        slot=plan.slot,
        slot_created_lsn=position,
        position=position,
        commit_at=now if position else None,
        mode=mode,
        marker=None,
        marker_position=None,
        state=state,
        error=None,
        applied_rows=0,
        applied_transactions=0,
        skipped_transactions=0,
        alarms=0,
        last_alarm=None,
        heartbeat_at=None,
        updated_at=now,
    )
