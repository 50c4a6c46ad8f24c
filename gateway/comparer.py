"""The comparer process: takes events from the workers over a unix socket, judges them, stores the verdicts.

Everything runs in one event loop of a process of its own, so comparing can never delay an answer; and where a worker
has to share its processor with us, we yield it between frames and between statements, because the kernel would let us
keep it for a whole tick (of 4 ms, which is twice what a request takes at full load). What waits here is
bounded (`mirroring/backlog.py`); at the bound we stop reading, the worker's own bounded queue fills, and the worker
drops and counts. With each batch of verdicts goes, in the same transaction, how many events of each worker are stored;
the worker is told afterwards. So whenever we are killed, the worker knows of every event whether it was stored or lost,
and counts the lost ones as dropped; when a worker is killed, we count what it had not told
(`mirroring/departures.py`). The supervisor speaks to us over a control channel of JSON lines; its end of file means
that we finish what we have and go.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import gc
import json
import os
import signal
import socket
import sys
from collections import Counter
from collections.abc import Mapping
from pathlib import Path
from time import monotonic
from typing import Any

import structlog

from config.errors import StranglerError
from config.model import Routes
from config.reader import parse_routes
from gateway.mirroring.backlog import HELLO, Backlog, Source
from gateway.mirroring.departures import Departures
from gateway.mirroring.judging import Judge, keeper_of
from gateway.mirroring.learning import Learning
from gateway.mirroring.tripwire import Tripwire
from shadow.engine import check_shared, place_of
from shadow.observation import FrameInvalid, decode
from shadow.store import Store, StoreDown
from shadow.summary import summary_json
from shadow.tally import Batch, Progress

SLICE_FRAMES_MAX = 64
BATCH_EVENTS_MAX = 1000
BATCH_BYTES_MAX = 16 << 20
BATCH_SECONDS = 1.0  # a transaction costs some 3 ms whatever is in it
LEARNED_SECONDS = 0.1  # until then requests that carry an id just learned cannot be mirrored
STORE_RETRY_SECONDS = 1.0
# Longer than workers take that have lost their supervisor.
DRAIN_SECONDS = 15.0
DRAIN_POLL_SECONDS = 0.005
# Where processors are scarce the workers come first; this much leaves us a quarter of one that we share with a worker.
NICENESS = 5

_log = structlog.get_logger()


class Comparer:
    """Judges the backlog and stores the verdicts, batch by batch."""

    def __init__(self, store: Store, judge: Judge, tripwire: Tripwire | None = None, run: Path | None = None) -> None:
        """`run` is the gateway's runtime directory, where workers leave what they have found eligible."""
        self._tripwire = tripwire
        self._departures = Departures(store, run)
        self._began = monotonic()
        self.backlog = Backlog()
        self.store = store
        self.learning = Learning(store)
        self._batch = Batch()
        self._has_learned = False
        self._batch_since = 0.0
        self._batch_bytes = 0
        self._judged: set[Source] = set()
        self._greeting: set[Source] = set()
        self._invalid_frames = 0
        self.put_judge(judge)

    def put_judge(self, judge: Judge) -> None:
        """Judge by other rules from now on. Raises StoreDown, SampleKeysInvalid."""
        keeper = keeper_of(judge, os.environ)
        self.learning.cover(judge.ids, self._batch.events)
        self.judge = judge
        self.store.keeper = keeper
        if self._tripwire is not None:
            self._tripwire.forget()
        for piece in self.learning.everything():
            for source in self.backlog.sources:
                source.tell_ids(piece)

    async def run(self) -> None:
        """Judge and store until cancelled."""
        loop = asyncio.get_running_loop()
        while True:
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(self._patience if self._batch or self._departures else None):
                    await self.backlog.arrived.wait()
            self.judge_slice(loop.time())
            is_idle = bool(self._departures) and not self._batch
            if is_idle or self._is_enough or loop.time() - self._batch_since >= self._patience:
                await self._store_batch()
            await asyncio.sleep(0)

    @property
    def _patience(self) -> float:
        return LEARNED_SECONDS if self._has_learned else BATCH_SECONDS

    @property
    def _is_enough(self) -> bool:
        is_large = len(self._batch) >= BATCH_EVENTS_MAX or self._batch_bytes >= BATCH_BYTES_MAX
        return is_large or bool(self._greeting)

    def judge_slice(self, now: float) -> None:
        """Judge a bounded number of frames, so that the loop stays responsive."""
        if not self._batch:
            self._batch_since = now
        for frame, source in self.backlog.take(SLICE_FRAMES_MAX):
            if frame == HELLO:
                self._meet(source)
                continue
            os.sched_yield()
            source.number += 1
            self._judged.add(source)
            try:
                event = decode(frame)
            except FrameInvalid as error:
                self._invalid_frames += 1
                if self._invalid_frames == 1:
                    _log.error("comparer.frame_invalid", reason=str(error))
                continue
            source.counted[event.capability, event.route] += getattr(event, "count", 1)
            judged = self.judge.judge(event)
            if self._tripwire is not None:
                self._tripwire.look(judged)
            self._batch.add(*judged)
            self._has_learned |= judged[1] is not None and bool(judged[1].learned)
            self._batch_bytes += len(frame)

    def flush(self) -> None:
        """Store what is judged and tell the workers. Raises StoreDown, and then the batch is kept."""
        if self._judged:
            progress = {source.worker: Progress(source.number, source.counted) for source in self._judged}
            self.store.record(self._batch, progress)
            for source in self._judged:
                source.tell(source.number)
            self._judged.clear()
            self._tell_news()
            self._batch = Batch()
            self._batch_bytes = 0
        while self._greeting:
            source = next(iter(self._greeting))
            stored = self.store.stored_of(source.worker)
            source.counted = Counter(stored.counted)
            source.tell(stored.number)
            for piece in self.learning.everything():
                source.tell_ids(piece)
            self._greeting.discard(source)
        self._departures.settle(all_have_come=self._is_quiet)

    @property
    def _is_quiet(self) -> bool:
        """Whether whoever waited for us to start has been heard."""
        is_late = monotonic() - self._began >= BATCH_SECONDS
        return is_late and not len(self.backlog) and all(source.was_greeted for source in self.backlog.sources)

    def _meet(self, source: Source) -> None:
        """A worker has come, or has gone; before it is judged on, all before it is stored."""
        if source.was_greeted:
            self._departures.add(source.worker)
        else:
            source.was_greeted = True
            self._departures.discard(source.worker)
            self._greeting.add(source)

    def _tell_news(self) -> None:
        """What is stored now may be used by all workers."""
        if not self._has_learned:
            return
        self._has_learned = False
        for piece in self.learning.news(self._batch.events):
            for source in self.backlog.sources:
                source.tell_ids(piece)

    async def drain(self, seconds: float) -> None:
        """Judge and store all that has arrived, as far as the time allows; what is lost is said."""
        loop = asyncio.get_running_loop()
        deadline = loop.time() + seconds
        while (len(self.backlog) or self.backlog.sources) and loop.time() < deadline:
            self.judge_slice(loop.time())
            await asyncio.sleep(0 if len(self.backlog) else DRAIN_POLL_SECONDS)
        try:
            self.flush()
        except StoreDown as error:
            _log.error("comparer.lost", events=len(self._batch), reason=str(error))
        if len(self.backlog):
            _log.error("comparer.lost", events=len(self.backlog), reason="the deadline of the drain is over")

    async def _store_batch(self) -> None:
        while True:
            try:
                self.flush()
                return
            except StoreDown as error:
                _log.error("comparer.store_down", reason=str(error), events_waiting=len(self._batch))
                await asyncio.sleep(STORE_RETRY_SECONDS)


class Process:
    """What the supervisor can ask of this process, and its end."""

    def __init__(self) -> None:
        self._loop = asyncio.get_running_loop()
        self._stopping = asyncio.Event()
        self._drain_seconds = DRAIN_SECONDS
        self._tasks: set[asyncio.Task[None]] = set()

    async def run(self, control: socket.socket) -> None:
        """Answer the supervisor until it says drain, closes the channel, or a signal comes."""
        for number in (signal.SIGTERM, signal.SIGINT):
            self._loop.add_signal_handler(number, self._stopping.set)
        self._loop.add_signal_handler(signal.SIGHUP, self._reread)
        reader, writer = await asyncio.open_unix_connection(sock=control)
        self._tasks.add(self._loop.create_task(self._listen(reader, writer)))
        await self._stopping.wait()
        await self._finish()
        writer.close()

    async def _listen(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        handlers = {"start": self._start, "table": self._table, "summary": self._summary, "drain": self._drain}
        try:
            while line := await reader.readline():
                message = json.loads(line)
                try:
                    reply = {"ok": True, **await handlers[message["do"]](message)}
                except (StranglerError, OSError) as error:
                    reply = {"ok": False, "error": str(error)}
                writer.write(json.dumps({"id": message["id"], **reply}).encode() + b"\n")
                await writer.drain()
        except ConnectionError:
            pass  # the supervisor is gone, which is an end of file by another name
        finally:
            self._stopping.set()

    async def _start(self, message: Mapping[str, Any]) -> dict[str, Any]:
        self._origin = Path(message["origin"])
        self._path = Path(message["routes"])
        routes = self._read()
        judge = Judge(routes)
        place = place_of(routes, Path(message["store"]))
        check_shared(place, os.environ)
        store = Store(place, give_way=os.sched_yield)
        self._comparer = Comparer(store, judge, Tripwire(self._origin), Path(message["run"]))
        # The supervisor made it and keeps it: workers can connect before we are there, and while we are replaced.
        listener = socket.socket(fileno=int(message["socket"]))
        self._server = await self._loop.create_unix_server(lambda: Source(self._comparer.backlog), sock=listener)
        self._tasks.add(self._loop.create_task(self._work()))
        gc.collect()
        gc.freeze()  # what was loaded stays, and a collection need not walk through it
        return {"digest": routes.digest}

    async def _work(self) -> None:
        try:
            await self._comparer.run()
        finally:
            self._stopping.set()

    async def _table(self, message: Mapping[str, Any]) -> dict[str, Any]:
        self._path = Path(message["path"])
        routes = self._read()
        self._comparer.put_judge(Judge(routes))
        return {"digest": routes.digest}

    async def _summary(self, message: Mapping[str, Any]) -> dict[str, Any]:
        self._comparer.flush()
        return {"summary": summary_json(self._comparer.store.summary(message["capability"]))}

    async def _drain(self, message: Mapping[str, Any]) -> dict[str, Any]:
        self._drain_seconds = float(message["seconds"])
        self._stopping.set()
        return {}

    def _read(self) -> Routes:
        # Relative paths start from routes.yaml itself, not from the copy of it that is in force.
        return parse_routes(self._path.read_bytes(), self._origin, os.environ)

    def _reread(self) -> None:
        try:
            self._comparer.put_judge(Judge(self._read()))
        except (StranglerError, OSError, AttributeError) as error:
            _log.error("comparer.rules_not_read", reason=str(error))

    async def _finish(self) -> None:
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        if hasattr(self, "_server"):
            self._server.close()
            await self._comparer.drain(self._drain_seconds)
            self._comparer.store.close()


def main() -> int:
    """The process that the supervisor starts."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--control-fd", type=int, required=True)
    control = socket.socket(fileno=parser.parse_args().control_fd)
    structlog.configure(logger_factory=structlog.PrintLoggerFactory(sys.stderr))
    os.nice(NICENESS)

    async def run() -> None:
        await Process().run(control)

    asyncio.run(run())
    return 0


if __name__ == "__main__":
    sys.exit(main())
