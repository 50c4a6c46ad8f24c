"""Makes the forward stream with its backfill, or goes on with one that was interrupted.

What decides is the stream's row in its target. Without one the stream is made anew. In state backfill the copy goes on:

    the slot is there, some tables are done    a new snapshot P; the stream applies to these tables, and to no others,
                                               exactly what commits before P; the others are copied at P
    no table is done, or the slot is lost      a new slot and its snapshot; everything is copied
"""

from __future__ import annotations

from dataclasses import replace

import psycopg
import structlog

from cdc.connections import connect_for_replication
from cdc.crash_points import reached
from cdc.filling.backfill import Backfill, Snapshot, Stopped, Watch, open_snapshot
from cdc.filling.filled import forget_done, forget_filled, is_done, read_filled
from cdc.mapping import Mapping
from cdc.plan import StreamPlan
from cdc.state import begin_stream, read_state
from cdc.streaming import pipeline, slots
from cdc.streaming.pgoutput import parse_lsn
from cdc.streaming.session import origin_of
from cdc.streaming.stream import identify
from cdc.streaming.stream_errors import SourceNotReady

_log = structlog.get_logger()


def make_forward(plan: StreamPlan, source: psycopg.Connection, target: psycopg.Connection, watch: Watch) -> None:
    """Leave it as it is where it streams. Raises what a backfill raises, SourceNotReady, DatabaseDown."""
    state = read_state(target, plan.name)
    if state is not None and state.state != "backfill":
        return
    slots.check_source(source, plan.name)
    with connect_for_replication(plan.source_url) as replication:
        system = identify(replication)
        if state is None:
            _forget_origin(target, plan)
            forget_filled(target, plan.name)
            begin_stream(target, plan.row(system, None, "apply", "backfill"))
        reached("backfill.row")
        done = _done(plan, target)
        if (
            state is not None
            and done
            and slots.may_start(state, slots.read_slot(source, plan.slot), slots.read_end(source), *system)
        ):
            snapshot, created = _catch_up(plan, replication, done, watch), state.slot_created_lsn
        else:
            slots.drop_slot(source, plan.slot)
            forget_done(target, plan.name)
            snapshot = open_snapshot(replication, plan.slot)
            created = snapshot.position
        row = replace(plan.row(system, snapshot.position, "apply", "backfill"), slot_created_lsn=created)
        begin_stream(target, row)
        reached("backfill.slot")
        _log.info("backfill.started", stream=plan.name, slot=plan.slot, position=snapshot.position, done=len(done))
        Backfill(plan, watch, snapshot).run()
        reached("backfill.tables")
        begin_stream(target, replace(row, state="streaming"))
        reached("backfill.done")
    _log.info("backfill.done", stream=plan.name)


def _done(plan: StreamPlan, target: psycopg.Connection) -> tuple[Mapping, ...]:
    filled = read_filled(target, plan.name)
    return tuple(mapping for mapping in plan.mappings if is_done(filled.get(mapping.target_table), mapping))


def _catch_up(plan: StreamPlan, replication: psycopg.Connection, done: tuple[Mapping, ...], watch: Watch) -> Snapshot:
    """A new snapshot, and the tables that are done brought to it: exactly what commits before it is applied to them.

    The stream's own slot stays where it is, so nothing is lost whatever dies; the new snapshot's slot is temporary.
    """
    snapshot = open_snapshot(replication, f"{plan.slot[:56]}_resume", is_temporary=True)
    _log.info("backfill.resumes", stream=plan.name, position=snapshot.position, done=len(done), of=len(plan.mappings))
    behind = replace(plan, mappings=done, state="backfill")
    pipeline.run(behind, watch.stop, until=parse_lsn(snapshot.position))
    if watch.stop.is_set():
        raise Stopped
    reached("backfill.caught_up")
    return snapshot


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
