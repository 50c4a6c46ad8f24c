"""One thread of a worker that claims idempotency keys and keeps answers; the event loop never waits for it.

Operations queue up and are applied in one transaction as soon as the one before has ended, so many requests share the
price of one commit. Everything is bounded: what waits, the time it may wait, and how long a database that does not
answer is left alone. A claim that comes too late is given back.
"""

from __future__ import annotations

import asyncio
import queue
import threading
from collections import Counter, deque
from collections.abc import Callable
from datetime import UTC, datetime
from time import monotonic
from typing import Final

import structlog

from config.errors import DatabaseDown
from gateway.idempotency.store import LEASE_SECONDS, Operation, Outcome, Store

BATCH_MAX: Final = 256
WAITING_MAX: Final = 1024
UNFINISHED_MAX: Final = 1024
RENEW_SECONDS: Final = LEASE_SECONDS / 3
PURGE_SECONDS: Final = 60.0
LEFT_ALONE_SECONDS: Final = 1.0
WAIT_SECONDS_MAX: Final = 2.0
CLOSE_SECONDS: Final = 3.0

Told = Callable[[Outcome | DatabaseDown], None]
log = structlog.get_logger()


class Keeper(threading.Thread):
    """The queue and its thread. `claim` and `finish` are called in the event loop, and so is what they are given."""

    def __init__(self, store: Store, loop: asyncio.AbstractEventLoop) -> None:
        super().__init__(name="idempotency", daemon=True)
        self.counts: Counter[str] = Counter()
        self._store = store
        self._loop = loop
        self._queue: queue.SimpleQueue[tuple[Operation, int] | None] = queue.SimpleQueue()
        self._told: dict[int, tuple[Operation, Told, float]] = {}
        self._unfinished: deque[Operation] = deque(maxlen=UNFINISHED_MAX)
        self._number = 0
        self._open = 0  # claims that are ours and not settled; only then is there a lease to renew
        self._down_until = 0.0
        self._renew_at = self._purge_at = 0.0

    def do(self, operation: Operation, told: Told) -> bool:
        """Do it soon, and tell; False where the queue is full or the database is left alone."""
        is_claim = operation.kind == "claim"
        if is_claim and (len(self._told) >= WAITING_MAX or monotonic() < self._down_until):
            return False
        self._number += 1
        self._told[self._number] = operation, told, monotonic() + WAIT_SECONDS_MAX
        self._queue.put((operation, self._number))
        return True

    def soon(self, told: Told, outcome: Outcome | DatabaseDown) -> None:
        """Tell it in the loop's next turn."""
        self._loop.call_soon(told, outcome)

    def sweep(self, now: float) -> None:
        """Whoever has waited for too long is told that the database is down."""
        for number, (_, told, until) in tuple(self._told.items()):
            if until > now:
                return  # the others came later
            del self._told[number]
            told(DatabaseDown("control", f"no answer within {WAIT_SECONDS_MAX:g} s"))

    def close(self) -> None:
        """Do what is queued, then end; bounded, because a worker that ends cannot wait for a database."""
        self._queue.put(None)
        self.join(CLOSE_SECONDS)

    # In the thread.

    def run(self) -> None:
        """Batches until closed."""
        is_last = False
        while not is_last:
            batch: list[tuple[Operation, int]] = []
            try:
                item = self._queue.get(timeout=RENEW_SECONDS)
                while item is not None and len(batch) < BATCH_MAX:
                    batch.append(item)
                    item = self._queue.get_nowait()
                is_last = item is None
                if item is not None:
                    batch.append(item)
            except queue.Empty:
                pass
            self._apply(batch)
            self._maintain(datetime.now(UTC).timestamp())
        self._store.close()

    def _apply(self, batch: list[tuple[Operation, int]]) -> None:
        again = [self._unfinished.popleft() for _ in range(len(self._unfinished))]
        operations = [*again, *(operation for operation, _ in batch)]
        if not operations:
            return
        outcomes: list[Outcome | DatabaseDown]
        try:
            outcomes = list(self._store.apply(operations, datetime.now(UTC).timestamp())[len(again) :])
            self._down_until = 0.0
        except DatabaseDown as error:
            if not self._down_until:
                log.warning("idempotency.unavailable", reason=error.reason)
            self._down_until = monotonic() + LEFT_ALONE_SECONDS
            outcomes = [error] * len(batch)
            # What became of a request is not forgotten: it is written when the database is back.
            self._unfinished.extend(operation for operation in operations if operation.kind != "claim")
        for (operation, _), outcome in zip(batch, outcomes, strict=True):
            if operation.kind == "claim":
                self._open += outcome is None
            else:
                self._open -= 1
        if not self._loop.is_closed():
            self._loop.call_soon_threadsafe(self._tell, [*zip(batch, outcomes, strict=True)])

    def _maintain(self, now: float) -> None:
        try:
            if self._open and now >= self._renew_at:
                self._renew_at = now + RENEW_SECONDS
                self._store.renew(now)
            if now >= self._purge_at:
                self._purge_at = now + PURGE_SECONDS
                self._store.purge(now)
        except DatabaseDown:
            pass  # the next operation says so to whoever asks

    # In the loop.

    def _tell(self, outcomes: list[tuple[tuple[Operation, int], Outcome | DatabaseDown]]) -> None:
        for (operation, number), outcome in outcomes:
            waiting = self._told.pop(number, None)
            if waiting is not None:
                waiting[1](outcome)
            elif operation.kind == "claim" and outcome is None:
                self.do(Operation("release", operation.id, operation.claim), lambda _: None)
