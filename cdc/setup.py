"""Makes everything that the two streams of a capability need, once; a second run finds it made.

Order: tables, functions and fences in both databases; publications; the reverse slot, so that from then on nothing that
happens in modern goes unseen; the forward slot with its backfill. Each step asks whether it is done already. What
decides is the stream's row in its target.
"""

from __future__ import annotations

from dataclasses import dataclass

import psycopg
import structlog

from cdc.catalogue import Catalogue, read_catalogue
from cdc.connections import connect, connect_for_replication
from cdc.crash_points import reached
from cdc.fence import install_legacy_fence, install_modern_fence
from cdc.filling.backfill import Watch
from cdc.filling.filled import empty_loading
from cdc.filling.forward import make_forward
from cdc.mapping import Mapping, NotInvertible
from cdc.plan import StreamPlan
from cdc.state import begin_stream, create_tables, read_state
from cdc.streaming import slots
from cdc.streaming.session import open_session
from cdc.streaming.stream import identify
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
        return connect(url)
    except psycopg.OperationalError as error:
        raise DatabaseDown(name, str(error)) from error


def make_ready(routes: Routes, capability: str, watch: Watch, *, leaves_what_streams: bool = False) -> Streams:
    """The streams of a capability with all that they need; with `leaves_what_streams` only where it never was made.

    One process at a time does this. Raises StreamError, MappingsRefused, DatabaseDown, Stopped; psycopg.Error where a
    privilege is missing.
    """
    sync = sync_of(routes, capability)
    name, url = f"{capability}:forward", routes.databases[sync.target].url
    with connected(url, sync.target) as target:
        state = read_state(target, name)
    if state is not None and state.state != "backfill":
        streams = streams_of(routes, capability)
        if not leaves_what_streams:
            _set_up(streams, watch)
        return streams
    session = open_session(url, name, "setup")
    try:
        if state is not None:
            empty_loading(session)  # first: a mapping is not understood where the primary key is put aside
        streams = streams_of(routes, capability)
        _set_up(streams, watch)
    finally:
        session.retire()
    return streams


def _set_up(streams: Streams, watch: Watch) -> None:
    """Make what is missing."""
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
        make_forward(forward, legacy, modern, watch)


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
    with connect_for_replication(plan.source_url) as replication:
        system = identify(replication)
        position = slots.create_slot(replication, plan.slot, with_snapshot=False)
    reached("setup.reverse_slot")
    begin_stream(target, plan.row(system, position, "skip", "streaming"))
    reached("setup.reverse_row")
    _log.info("stream.made", stream=plan.name, slot=plan.slot, position=position)
