"""The worker's end of the socket to the comparer: frames go out together, at the latest with the next sweep.

Every event has a number and is remembered until the comparer says that it is stored; only then its pairs count as
compared. A comparer that was killed has lost some: its successor says, when it is greeted, how many events of this
worker are stored, and whatever came after them is counted as dropped. So every pair is in one place in the end, and
the metrics of the workers and the comparer's store agree.
"""

from __future__ import annotations

import asyncio
import secrets
from collections import Counter, deque
from collections.abc import Callable
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import Final, Literal, cast

from gateway.mirroring.backlog import LENGTH_BYTES, NAME_BYTES, NUMBER_BYTES, TELLS_IDS
from shadow.observation import Dropped, Errored, Event, Noise, Pair, Side, Skipped, encode

Kind = Literal["skipped", "dropped", "errored"]
LOST: Final = "comparer_lost"
UNSTORED_EVENTS_MAX: Final = 50_000
FRAMES_BYTES_MAX: Final = 64 << 10
_RETRY_SECONDS: Final = 0.5

Subject = tuple[Kind | Literal["compared"], str, str, str]
"""What became of some requests: the kind, the route, the capability, and the reason or the side that erred."""


class ComparerLink(asyncio.Protocol):
    """Never waits: what cannot be handed over now is dropped and counted by the caller.

    The counts of requests that did not become pairs wait here, one number for each route and reason, until the comparer
    is there to take them. `totals` are the worker's own, by route and what became of the request.
    """

    def __init__(
        self, path: Path | None, buffer_bytes_max: int, totals: Counter[tuple[str, str]] | None = None
    ) -> None:
        self._path = path
        self.totals: Counter[tuple[str, str]] = Counter() if totals is None else totals
        self.on_ids: Callable[[bytes], None] = lambda _: None
        self._name = secrets.token_bytes(NAME_BYTES)
        self.name = self._name.hex()
        self._number = 0
        self._unstored: deque[tuple[int, Subject, int]] = deque()
        self._received = bytearray()
        self._written = self._sent_before = 0
        self._is_greeted = self._is_paused = False
        self._buffer_bytes_max = buffer_bytes_max
        self._transport: asyncio.Transport | None = None
        self._connecting: asyncio.Task[None] | None = None
        self._next_try = 0.0
        self._frames = bytearray()
        self.is_away = True  # there is nobody to hand a pair to
        self.is_busy = False  # the comparer takes pairs more slowly than they come
        self._gone = asyncio.Event()
        self._gone.set()
        self.counts: Counter[tuple[Kind, str, str, str]] = Counter()

    def hand_over(self, pair: Pair) -> bool:
        """Send a pair; False if it cannot be sent now."""
        if self._transport is None or self.is_busy:
            return False
        self.send(pair)
        return True

    def count(self, kind: Kind, route: str, capability: str, what: str) -> None:
        """Note a request that will not become a pair: `what` is the reason, or the side that erred."""
        self.totals[route, f"{kind}_{what}"] += 1
        self.counts[kind, route, capability, what] += 1

    def send(self, event: Event) -> None:
        """Send it with the next frames that go. (A write for each would wake the comparer each time.)"""
        data = encode(event)
        self._number += 1
        self._unstored.append((self._number, *_remembered(event)))
        if len(self._unstored) >= UNSTORED_EVENTS_MAX:
            self.is_busy = True
        self._frames += len(data).to_bytes(LENGTH_BYTES, "big") + data
        if len(self._frames) >= FRAMES_BYTES_MAX:
            self._flush()

    def _flush(self) -> None:
        if self._frames and self._transport is not None:
            self._transport.write(bytes(self._frames))
            self._frames.clear()
            self._written = self._number

    def sweep(self, now: float) -> None:
        """Connect if need be, and send the counts."""
        if self._transport is None:
            if self._path is not None and now >= self._next_try and self._connecting is None:
                self._next_try = now + _RETRY_SECONDS
                self._connecting = asyncio.get_running_loop().create_task(self._connect(self._path))
            return
        if self.counts and not self.is_busy:
            counts, self.counts = self.counts, Counter()
            at = datetime.now(UTC).timestamp()
            for (kind, route, capability, what), count in counts.items():
                self.send(_event(kind, (route, capability, what), count, at))
        self._flush()

    async def _connect(self, path: Path) -> None:
        try:
            with suppress(OSError):
                await asyncio.get_running_loop().create_unix_connection(lambda: self, str(path))
        finally:
            self._connecting = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """The comparer is there, or will be: greet it. What an earlier one had not stored is decided by its answer."""
        self._transport = link = cast("asyncio.Transport", transport)  # uvloop's transport is a full one
        link.set_write_buffer_limits(high=self._buffer_bytes_max)
        self._sent_before = self._written
        link.write(self._name + self._sent_before.to_bytes(NUMBER_BYTES, "big"))
        self._is_greeted = False
        self._received.clear()
        self.is_away = self.is_busy = self._is_paused = False
        self._gone.clear()

    def data_received(self, data: bytes) -> None:
        """The comparer says how many events are stored, or which ids belong together."""
        self._received += data
        while len(self._received) >= NUMBER_BYTES:
            number = int.from_bytes(self._received[:NUMBER_BYTES], "big")
            end = NUMBER_BYTES + (number ^ TELLS_IDS if number & TELLS_IDS else 0)
            if len(self._received) < end:
                break
            piece = bytes(self._received[NUMBER_BYTES:end])
            del self._received[:end]
            if piece:
                self.on_ids(piece)
                continue
            self._forget(number)
            if not self._is_greeted:
                self._is_greeted = True
                self._forget(self._sent_before, are_lost=True)
        self.is_busy = self._is_paused or len(self._unstored) >= UNSTORED_EVENTS_MAX

    def _forget(self, number: int, *, are_lost: bool = False) -> None:
        """Events up to that number are stored; or those that are not will never be."""
        unstored = self._unstored
        while unstored and unstored[0][0] <= number:
            _, (kind, route, capability, what), count = unstored.popleft()
            if not count:
                continue
            if kind == "compared" and not are_lost:
                self.totals[route, kind] += count
            elif kind == "compared":
                self.totals[route, f"dropped_{LOST}"] += count
                self.counts["dropped", route, capability, LOST] += count
            elif are_lost:  # its count waits again; the worker's own totals have it already
                self.counts[kind, route, capability, what] += count

    def pause_writing(self) -> None:
        """As much is waiting for the comparer as may."""
        self._is_paused = self.is_busy = True

    def resume_writing(self) -> None:
        """It has caught up."""
        self._is_paused = False
        self.is_busy = len(self._unstored) >= UNSTORED_EVENTS_MAX

    def connection_lost(self, error: Exception | None) -> None:  # noqa: ARG002 - asyncio calls it
        """The comparer has gone; the supervisor will start another one."""
        self._transport = None
        self.is_away, self.is_busy, self._is_paused = True, False, False
        self._gone.set()

    async def until_sent(self, seconds: float) -> None:
        """After `close`: wait until the comparer has taken everything, at most so long."""
        with suppress(TimeoutError):
            await asyncio.wait_for(self._gone.wait(), max(seconds, 0))

    def close(self) -> None:
        """Send what is left and close."""
        self.is_busy = False  # there is no later
        self.sweep(0.0)
        if self._transport is not None:
            self._transport.close()


def _remembered(event: Event) -> tuple[Subject, int]:
    """What an event says, for the case that it is lost."""
    place = event.route, event.capability
    if isinstance(event, Pair):
        return ("compared", *place, ""), 1
    if isinstance(event, Skipped | Dropped):
        return ("skipped" if isinstance(event, Skipped) else "dropped", *place, event.reason), event.count
    if isinstance(event, Noise):
        return ("compared", *place, ""), 0
    if isinstance(event, Errored):
        return ("errored", *place, event.side), event.count
    return ("compared", *place, ""), event.count


def _event(kind: Kind, subject: tuple[str, str, str], count: int, at: float) -> Event:
    route, capability, what = subject
    if kind == "skipped":
        return Skipped(route, capability, what, count, at)
    if kind == "dropped":
        return Dropped(route, capability, what, count, at)
    side: Side = "modern" if what == "modern" else "legacy"
    return Errored(route, capability, side, count, at)
