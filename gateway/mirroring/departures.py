"""Workers that are gone: what they had found eligible and never told is dropped, and counted with that reason."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from typing import Final

import structlog

from gateway.mirroring.eligible import left_by, workers_in
from shadow.observation import Dropped
from shadow.store import Store
from shadow.tally import Judged, Progress

LOST: Final = "worker_lost"

_log = structlog.get_logger()


class Departures:
    """Those whose connection has ended and whose accounts are not settled yet; true while there are any.

    A worker that ends by itself has told everything, so there is nothing to drop. One that lives (its connection was
    lost, and it will come back) is asked for again later.
    """

    def __init__(self, store: Store, run: Path | None) -> None:
        self._store, self._run = store, run
        # Those of before us. Some live and will connect; of others a connection may wait whose events we have not read.
        self._before = set(workers_in(run)) if run is not None else set()
        self._gone: set[str] = set()

    def __bool__(self) -> bool:
        return bool(self._gone or self._before)

    def add(self, worker: str) -> None:
        """A worker's connection has ended, and all that it sent is judged."""
        self._gone.add(worker)

    def discard(self, worker: str) -> None:
        """It is there."""
        self._gone.discard(worker)
        self._before.discard(worker)

    def settle(self, *, all_have_come: bool) -> None:
        """Count what is missing of each worker that is gone; of those before us when `all_have_come` that live or whose
        events still waited. Raises StoreDown, and then it is done later."""
        if all_have_come:
            self._gone |= self._before
            self._before.clear()
        if self._run is None:
            return
        for worker in tuple(self._gone):
            with left_by(self._run, worker) as eligible:
                if eligible is None:
                    continue
                known = self._store.stored_of(worker)
                at = datetime.now(UTC).timestamp()
                lost: list[Judged] = [
                    (Dropped(route, capability, LOST, count - known.counted.get((capability, route), 0), at), None)
                    for (capability, route), count in eligible.items()
                    if count > known.counted.get((capability, route), 0)
                ]
                if lost:
                    # In one transaction with what is counted now: if we are killed here, it is not counted again.
                    self._store.record(lost, {worker: Progress(known.number, eligible)})
                    _log.warning("comparer.worker_lost", requests=sum(getattr(event, "count", 0) for event, _ in lost))
            self._gone.discard(worker)
