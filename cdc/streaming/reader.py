"""The thread that reads: payloads of the stream become parts in the queue, and what is durable is confirmed.

A part is handed over when it is full; at a transaction's end when the applier has nothing to do and the stream is near
the present; and behind a marker. Far behind, small parts would only cost: then it waits until there is work for a
while, or for the end of what has been sent. While the queue is full nothing is read, so that the server waits, too; it
is told that we live.
"""

from __future__ import annotations

import threading
from dataclasses import dataclass, field
from time import monotonic

from cdc.crash_points import reached
from cdc.streaming import pgoutput
from cdc.streaming.batch import Limits, Part
from cdc.streaming.handover import Handover
from cdc.streaming.pgoutput import (
    BEGIN,
    COMMIT,
    DELETE,
    INSERT,
    KIND,
    NEW,
    TUPLE_KIND,
    UPDATE,
    XLOG_DATA,
    end_lsn,
    final_lsn,
)
from cdc.streaming.stream import ReplicationStream
from cdc.streaming.stream_errors import StreamError
from cdc.streaming.transactions import Transactions

WAIT_SECONDS = 0.25
NEAR_US = 300_000  # nearer to the present than this, delay matters more than throughput
GATHER_SECONDS = 0.02  # further away, this pause in the data ends a batch
NEVER = 1 << 64  # no position is so far
QUIET_SECONDS = 1.0  # positions that nobody waits for are recorded so often
_ROW_KINDS = frozenset((INSERT, UPDATE, DELETE))


@dataclass
class Reader:
    """One stream's reading; `run` is the thread."""

    stream: ReplicationStream
    transactions: Transactions
    handover: Handover
    stop: threading.Event
    until: int | None = None  # end when everything that commits before here has been read, and nothing else
    limits: Limits = field(default_factory=Limits)

    def __post_init__(self) -> None:
        self._sealed_at = monotonic()
        self._size = 0
        self._sent_us = 0
        self._has_reached_end = False

    def run(self) -> None:
        """Read until stopped, until the wanted position, or until something breaks."""
        error: BaseException | None = None
        try:
            self.stream.watch(self.handover.wakes)
            self._read()
        except StreamError as caught:
            error = caught
            self._hand_over_whole()
        except BaseException as caught:  # noqa: BLE001 - it is raised again by the thread that waits for us
            error = caught
        self.handover.close(error)
        if error is None:
            self._stay_until_applied()

    def _read(self) -> None:
        while not self.stop.is_set() and not self.handover.is_over:
            self._take_what_is_here()
            if self._has_reached_end:
                self._hand_over()
                return
            if self._has_pause():
                self._hand_over()
            self.stream.tell(self.handover.durable)
        if self.stop.is_set() and self.transactions.is_between and self.transactions.has_news:
            self._hand_over()

    def _take_what_is_here(self) -> None:  # noqa: C901 - a call for each payload would double what one costs
        """Read payloads until there are no more for the moment, or until a part is full or must be handed over.

        Nine in ten payloads are a plain change, a BEGIN or a COMMIT. They cost about a microsecond each here, which is
        what decides how fast a backlog is caught up with; everything else is `_special`.
        """
        read, transactions, handover = self.stream.read, self.transactions, self.handover
        full, full_bytes = self.limits.rows, self.limits.bytes
        enough, cut, cut_bytes = min(full, self.limits.idle_rows), 2 * full, 2 * full_bytes
        until = NEVER if self.until is None else self.until
        changes, size, data = transactions.changes, self._size, b""
        while True:
            count, view = read(1)
            if count <= 0:
                break
            data = bytes(view)
            if data[0] != XLOG_DATA:
                self._keepalive(data)
                continue
            size += count
            kind = data[KIND]
            if kind in _ROW_KINDS and transactions.is_carrying and (kind != UPDATE or data[TUPLE_KIND] == NEW):
                changes.append(data)
                if size < cut_bytes and len(changes) < cut:
                    continue
                self._hand_over()
            elif kind == BEGIN:
                if final_lsn(data) >= until:
                    self._has_reached_end = True
                    return
                transactions.begin(data)
                continue
            elif kind == COMMIT:
                transactions.commit(data)
                rows = len(changes)
                is_full = rows >= enough and (rows >= full or handover.is_idle)
                if not is_full and size < full_bytes and not transactions.has_marker and end_lsn(data) < until:
                    continue
                self._has_reached_end = transactions.position >= until
                self._hand_over()
            elif not self._special(data):
                continue
            if self._has_reached_end:
                return
            changes, size = transactions.changes, self._size
        self._size = size
        if data:
            self._sent_us = pgoutput.sent_us(data)
        if count < 0:
            raise self.stream.end()

    def _special(self, data: bytes) -> bool:
        """Anything but a plain change that is carried, a BEGIN or a COMMIT; true if a part was handed over."""
        ready = self.transactions.ready
        self.transactions.feed(data)
        if not ready:
            return False
        while ready:
            self._offer(ready.pop(0))
        return True

    def _keepalive(self, data: bytes) -> None:
        wal_end, wants_reply = pgoutput.keepalive(data)
        self.stream.received(wal_end)
        if self.until is not None and self.transactions.is_between and wal_end >= self.until:
            self._has_reached_end = True
        if wants_reply:
            self.stream.tell(self.handover.durable, now=True)

    def _has_pause(self) -> bool:
        """Wait for more data; true where the open part should go now instead."""
        transactions, is_far = self.transactions, self._is_far
        may_go = transactions.is_between and transactions.has_news and self._is_worth_it() and self.handover.is_idle
        if may_go and not is_far:
            return True  # more is on its way, always; it makes the next part
        # Nobody waits for the end of transactions that are left out: let many of them come together.
        has_time = is_far or (transactions.has_news and not transactions.is_urgent)
        return not self._wait(GATHER_SECONDS if may_go else WAIT_SECONDS, has_time=has_time) and may_go

    @property
    def _is_far(self) -> bool:
        """Whether throughput matters more than delay."""
        return self._sent_us - self.transactions.commit_us > NEAR_US

    def _is_worth_it(self) -> bool:
        return self.transactions.is_urgent or monotonic() - self._sealed_at > QUIET_SECONDS

    def _wait(self, seconds: float, *, has_time: bool) -> bool:
        """Wait for data or a sign; true if data came.

        A server that wakes its reader for every message costs both sides more than the messages do: half of the
        walsender's time and a third of ours. So where there is time we sleep until many have gathered.
        """
        self.stream.gather(has_time)
        has_data = self.stream.wait(0) or self.stream.wait(seconds)
        self.handover.woken()
        return has_data

    def _hand_over(self) -> None:
        if self.transactions.is_between and not self.transactions.has_news:
            return
        self._offer(self.transactions.seal())
        self._size = 0
        self._sealed_at = monotonic()

    def _hand_over_whole(self) -> None:
        """The stream stops here: what came before must be in the target when somebody has adapted the mapping."""
        whole = self.transactions.seal_whole()
        if whole is not None:
            self._offer(whole)

    def _offer(self, part: Part) -> None:
        """Put a part into the queue; while it is full, keep the connection alive."""
        part.prepare()
        reached("read.sealed")
        while not self.handover.offer(part):
            if self.handover.is_over:
                return
            self.handover.wait_for_sign(WAIT_SECONDS)
            self.stream.tell(self.handover.durable)
        self.stream.resume()

    def _stay_until_applied(self) -> None:
        """Everything is handed over: keep the connection alive until it has been applied."""
        while not self.handover.is_over:
            self.handover.wait_for_sign(WAIT_SECONDS)
            self.stream.tell(self.handover.durable)
