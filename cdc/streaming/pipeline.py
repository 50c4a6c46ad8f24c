"""The life of one change, from the source's log to a confirmed position; the only control flow across steps.

    connect     replication connection, target session (lease, origin), the stream's row and its slot are compared
    read        a thread of its own: frames become transactions, transactions become parts (reader, transactions)
    collapse    the last state of each row per part, framed for COPY (batch, copy_rows)
    apply       this thread: COPY into staging, one statement per table, checkpoint, COMMIT (apply)
    confirm     what the target has made durable is told to the source, which may then forget it (stream)

Who moves a change on: the reader up to the queue (at most three parts), the applier up to the commit, the reader again
to confirm. What survives a crash: before the commit nothing of a part does, and the source sends it again; after the
commit rows and position are there together, and the source may send it again, which the position skips. A position is
confirmed only when it is durable in the target, so the source keeps whatever could still be needed. When a connection
breaks both sides begin anew from the stream's row; the pauses between attempts grow.

A worked timeline (positions shortened; the checkpoint is 0/50):

    0/40  COMMIT of an old transaction arrives again after a reconnect    its BEGIN says 0/3F < 0/50: skipped
    0/60  INSERT 7, COMMIT                                                in the open part
    0/70  origin strangler:accounts:reverse, UPDATE 3, COMMIT             ours: not carried, counted as skipped
    0/80  UPDATE 7, COMMIT; the applier is idle                           part {7: insert, last state}, ending 0/80
          BEGIN; COPY; INSERT..SELECT; position = 0/80; COMMIT            kill -9 before the COMMIT: all of it again
    0/90  marker "run-1", mode skip, COMMIT                               part without rows, ending 0/90, mode skip
          position = 0/90, marker = run-1, mode = skip; COMMIT            whoever waits for the marker sees "drained"
          the target is asked to flush; status update 0/90 to the source  the slot's confirmed position is 0/90
    0/A0  INSERT 8, COMMIT                                                mode skip: not applied, alarms = 1
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import dataclass

import psycopg
import structlog

from cdc.connections import connect
from cdc.crash_points import reached
from cdc.plan import StreamPlan
from cdc.pulse import check_pulse
from cdc.sentinel import SENTINEL_TABLE
from cdc.source_types import SourceTypes, read_types
from cdc.state import StreamState, read_state, set_state
from cdc.streaming import slots
from cdc.streaming.apply import Applier
from cdc.streaming.batch import Part
from cdc.streaming.handover import Handover
from cdc.streaming.pgoutput import NotBinary, parse_lsn
from cdc.streaming.reader import Reader
from cdc.streaming.session import open_session
from cdc.streaming.stream import ReplicationStream
from cdc.streaming.stream_errors import DatabaseRefused, SlotGone, StreamError
from cdc.streaming.transactions import Expected, Transactions
from config.errors import DatabaseDown

PAUSE_SECONDS_MIN, PAUSE_SECONDS_MAX = 0.1, 5.0
TAKE_SECONDS = 0.5
SLOT_ATTEMPTS, SLOT_PAUSE_SECONDS = 50, 0.1  # the walsender of a killed process may need a moment to notice

_log = structlog.get_logger()


EachPart = Callable[[Part], None]


@dataclass
class _Left:
    """What an attempt finds: the sessions of the one before, or for the first one a stream that has begun.

    Where only we know that a connection has broken, those sessions still hold the lease and the slot.
    """

    stream: ReplicationStream | None = None
    writer_pid: int | None = None
    reader_pid: int | None = None

    def take_stream(self, url: str) -> ReplicationStream:
        """The stream that has begun, once, or a connection for a new one."""
        stream, self.stream = self.stream, None
        return stream or ReplicationStream(url)


def run(
    plan: StreamPlan,
    stop: threading.Event,
    until: int | None = None,
    each_part: EachPart | None = None,
    begun: ReplicationStream | None = None,
) -> None:
    """Stream until stopped, or until exactly what commits before `until` is applied and durable.

    `each_part` is told of every part before it is applied, and is not waited for long. `begun` is the stream, where it
    has begun already at the checkpoint.

    Raises StreamError where going on would lose or falsify something (the reason is in the stream's row, too). A broken
    connection is waited out; with `until` it is DatabaseDown.
    """
    pause, left = PAUSE_SECONDS_MIN, _Left(begun)
    while not stop.is_set():
        attempt = _Attempt(plan, stop, until, each_part, left)
        try:
            attempt.run()
            return
        except psycopg.OperationalError as error:
            if until is not None:
                raise DatabaseDown(f"{plan.name}: source or target", str(error)) from error
            pause = PAUSE_SECONDS_MIN if attempt.has_started else min(2 * pause, PAUSE_SECONDS_MAX)
            _log.warning("stream.interrupted", stream=plan.name, reason=type(error).__name__, again_in=pause)
            stop.wait(pause)
        except StreamError as error:
            _note(plan, error)
            raise
        except (psycopg.Error, NotBinary) as error:
            stopped = DatabaseRefused(plan.name, _said(error))
            _note(plan, stopped)
            raise stopped from error


class _Attempt:
    """From connecting to the end of the connections."""

    def __init__(
        self,
        plan: StreamPlan,
        stop: threading.Event,
        until: int | None,
        each_part: EachPart | None,
        left: _Left,
    ) -> None:
        self._plan, self._stop, self._until, self._each_part = plan, stop, until, each_part
        self._left = left
        self.has_started = False

    def run(self) -> None:
        plan, left = self._plan, self._left
        stream = left.take_stream(plan.source_url)
        try:
            session = open_session(plan.target_url, plan.name, lost=left.writer_pid)
            left.writer_pid = session.conn.pid
            try:
                with connect(plan.source_url) as source:
                    state = self._checked_state(stream, source, session.conn)
                    types = read_types(plan.name, plan.all_mappings, source)
                    slots.end_reader(source, plan.slot, left.reader_pid)
                left.reader_pid = stream.pid
                applier = Applier(session, plan.all_mappings, parse_lsn(state.position or "0/0"), types)
                transactions = Transactions(self._expected(state, types))
                self._start(stream, transactions.position, is_text=types.is_text)
                set_state(session.conn, plan.name, plan.state)
                reached("stream.started")
                self.has_started = True
                _log.info("stream.started", stream=plan.name, position=state.position, mode=state.mode)
                self._flow(stream, transactions, applier)
            finally:
                session.close()
        finally:
            stream.close()

    def _checked_state(
        self, stream: ReplicationStream, source: psycopg.Connection, target: psycopg.Connection
    ) -> StreamState:
        state = read_state(target, self._plan.name)
        if state is None:
            raise SlotGone(self._plan.name, self._plan.slot, "has no row of strangler.stream in the target")
        slots.check_start(state, slots.read_slot(source, state.slot), slots.read_end(source), *stream.identify())
        check_pulse(source, state)
        return state

    def _expected(self, state: StreamState, types: SourceTypes) -> Expected:
        return Expected(
            stream=self._plan.name,
            checkpoint=parse_lsn(state.position or "0/0"),
            mode=state.mode,
            mappings={mapping.source_table: mapping for mapping in self._plan.all_mappings},
            types=types.columns,
            sentinel=SENTINEL_TABLE,
            is_text=types.is_text,
        )

    def _start(self, stream: ReplicationStream, position: int, *, is_text: bool) -> None:
        for attempt in range(SLOT_ATTEMPTS):
            try:
                stream.start(self._plan.slot, self._plan.slot, position, is_text=is_text)
                return
            except psycopg.errors.ObjectInUse:
                if attempt == SLOT_ATTEMPTS - 1 or self._stop.wait(SLOT_PAUSE_SECONDS):
                    raise

    def _flow(self, stream: ReplicationStream, transactions: Transactions, applier: Applier) -> None:
        """Apply what the reader hands over until it ends; then confirm the last position."""
        handover = Handover(transactions.position)
        reader = Reader(stream, transactions, handover, self._stop, self._until)
        thread = threading.Thread(target=reader.run, name=f"read {self._plan.name}", daemon=True)
        thread.start()
        try:
            while not handover.is_drained:
                part = handover.take(TAKE_SECONDS)
                if part is not None:
                    if self._each_part is not None:
                        self._each_part(part)
                    applier.apply(part)
                handover.done(applier.durable())
            if handover.error is not None:
                raise handover.error
            handover.done(applier.durable(now=True))
        finally:
            handover.finish()
            thread.join()
            handover.release()
        stream.tell(handover.durable, now=True)


def _note(plan: StreamPlan, error: StreamError) -> None:
    """Store why the stream has stopped, where the target can still be reached."""
    _log.error("stream.stopped", stream=plan.name, error=error.sentence)
    try:
        with connect(plan.target_url) as conn:
            set_state(conn, plan.name, "stopped" if plan.state == "streaming" else plan.state, str(error))
    except psycopg.Error as failure:
        _log.warning("stream.not_noted", stream=plan.name, reason=type(failure).__name__)


def _said(error: Exception) -> str:
    """The server's sentence; those that can quote a row's values have become errors of their own before."""
    if isinstance(error, psycopg.Error):
        return error.diag.message_primary or type(error).__name__
    return "a column of a mapped table has a type without binary output"
