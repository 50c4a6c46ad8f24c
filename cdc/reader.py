"""The thread that reads: payloads of the stream become parts in the queue, and what is durable is confirmed.

A part is handed over when it is full; at a transaction's end when the applier has nothing to do and the stream is near
the present; and behind a marker. Far behind, small parts would only cost: then it waits for full ones or for the end of
what has been sent. While the queue is full nothing is read, so that the server waits, too; it is told that we live.
"""

from __future__ import annotations

import threading
from dataclasses import dataclass, field
from time import monotonic

from cdc import pgoutput
from cdc.batch import Limits, Part
from cdc.handover import Handover
from cdc.pgoutput import DELETE, INSERT, KIND, UPDATE, XLOG_DATA
from cdc.stream import ReplicationStream
from cdc.transactions import Transactions, is_plain

WAIT_SECONDS = 0.25
NEAR_US = 300_000  # nearer to the present than this, delay matters more than throughput
GATHER_SECONDS = 0.02  # further away, this pause in the data ends a batch
QUIET_SECONDS = 1.0  # positions that nobody waits for are recorded so often
_ROW_KINDS = frozenset((INSERT, UPDATE, DELETE))


@dataclass
class Reader:
    """One stream's reading; `run` is the thread."""

    stream: ReplicationStream
    transactions: Transactions
    handover: Handover
    stop: threading.Event
    until: int | None = None  # end when everything up to here has been read
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

    def _take_what_is_here(self) -> None:
        """Read payloads until there are no more for the moment, or until a part is full or must be handed over."""
        read, transactions = self.stream.read, self.transactions
        row_kinds, rows_max, bytes_max = _ROW_KINDS, 2 * self.limits.rows, 2 * self.limits.bytes
        changes, size = transactions.changes, self._size
        append = changes.append
        while True:
            count, view = read(1)
            if count <= 0:
                break
            data = bytes(view)
            if data[0] != XLOG_DATA:
                self._keepalive(data)
                continue
            size += count
            if data[KIND] in row_kinds and transactions.is_carrying and is_plain(data):
                append(data)
                if size < bytes_max and len(changes) < rows_max:
                    continue
                self._hand_over()
            elif not self._special(data, size):
                continue
            if self._has_reached_end:
                return
            changes, size = transactions.changes, self._size
            append = changes.append
        self._size = size
        if count < 0:
            raise self.stream.end()

    def _special(self, data: bytes, size: int) -> bool:
        """Anything but a plain change that is carried; true if a part was handed over or the end was reached."""
        transactions = self.transactions
        self._sent_us = pgoutput.sent_us(data)
        transactions.feed(data)
        if not transactions.ready and not transactions.is_between:
            return False
        parts = len(transactions.ready)
        while transactions.ready:
            self._offer(transactions.ready.pop(0))
        if not transactions.is_between:
            return parts > 0
        is_full = size >= self.limits.bytes or len(transactions.changes) >= self.limits.rows
        self._has_reached_end = self.until is not None and transactions.position >= self.until
        if is_full or transactions.has_marker:
            self._hand_over()
            return True
        return parts > 0 or self._has_reached_end

    def _keepalive(self, data: bytes) -> None:
        wal_end, wants_reply = pgoutput.keepalive(data)
        self.stream.received(wal_end)
        if self.until is not None and self.transactions.is_between and wal_end >= self.until:
            self._has_reached_end = True
        if wants_reply:
            self.stream.tell(self.handover.durable, now=True)

    def _has_pause(self) -> bool:
        """Wait for more data; true where the open part should go now instead."""
        transactions = self.transactions
        if not transactions.is_between or not transactions.has_news or not self._is_worth_it():
            self._wait(WAIT_SECONDS)
            return False
        if not self.handover.is_idle:
            self._wait(WAIT_SECONDS)
            return False
        is_near = self._sent_us - transactions.commit_us < NEAR_US
        return not self._wait(0 if is_near else GATHER_SECONDS)

    def _is_worth_it(self) -> bool:
        return self.transactions.is_urgent or monotonic() - self._sealed_at > QUIET_SECONDS

    def _wait(self, seconds: float) -> bool:
        has_data = self.stream.wait(seconds)
        self.handover.woken()
        return has_data

    def _hand_over(self) -> None:
        if self.transactions.is_between and not self.transactions.has_news:
            return
        self._offer(self.transactions.seal())
        self._size = 0
        self._sealed_at = monotonic()

    def _offer(self, part: Part) -> None:
        """Put a part into the queue; while it is full, keep the connection alive."""
        part.prepare()
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
