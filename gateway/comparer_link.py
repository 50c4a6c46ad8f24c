"""The worker's end of the socket to the comparer: frames go out together, at the latest with the next sweep."""

from __future__ import annotations

import asyncio
from collections import Counter
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import Final, Literal, cast

from shadow.observation import Dropped, Errored, Event, Pair, Side, Skipped, encode

Kind = Literal["skipped", "dropped", "errored"]
LENGTH_BYTES: Final = 4
FRAMES_BYTES_MAX: Final = 64 << 10
_RETRY_SECONDS: Final = 0.5


class ComparerLink(asyncio.Protocol):
    """Never waits: what cannot be handed over now is dropped and counted by the caller.

    The counts of requests that did not become pairs wait here, one number for each route and reason, until the comparer
    is there to take them.
    """

    def __init__(self, path: Path | None, buffer_bytes_max: int) -> None:
        self._path = path
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
        self.counts[kind, route, capability, what] += 1

    def send(self, event: Event) -> None:
        """Send it with the next frames that go. (A write for each would wake the comparer each time.)"""
        data = encode(event)
        self._frames += len(data).to_bytes(LENGTH_BYTES, "big") + data
        if len(self._frames) >= FRAMES_BYTES_MAX:
            self._flush()

    def _flush(self) -> None:
        if self._frames and self._transport is not None:
            self._transport.write(bytes(self._frames))
            self._frames.clear()

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
        """The comparer is there."""
        self._transport = link = cast("asyncio.Transport", transport)  # uvloop's transport is a full one
        link.set_write_buffer_limits(high=self._buffer_bytes_max)
        self.is_away = self.is_busy = False
        self._gone.clear()

    def pause_writing(self) -> None:
        """As much is waiting for the comparer as may."""
        self.is_busy = True

    def resume_writing(self) -> None:
        """It has caught up."""
        self.is_busy = False

    def connection_lost(self, error: Exception | None) -> None:  # noqa: ARG002 - asyncio calls it
        """The comparer has gone; the supervisor will start another one."""
        self._transport = None
        self.is_away, self.is_busy = True, False
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


def _event(kind: Kind, subject: tuple[str, str, str], count: int, at: float) -> Event:
    route, capability, what = subject
    if kind == "skipped":
        return Skipped(route, capability, what, count, at)
    if kind == "dropped":
        return Dropped(route, capability, what, count, at)
    side: Side = "modern" if what == "modern" else "legacy"
    return Errored(route, capability, side, count, at)
