"""Lets the source begin to send while the program is still being loaded, so that its work runs beside ours.

A start spends most of its time on modules and mappings, on one processor; decoding the log needs neither. What arrives
meanwhile is kept as it is, bounded, by the connection that the pipeline reads from afterwards. Nothing is confirmed and
nothing is decided here: the pipeline looks at the stream's row and at the slot again when it has the lease, and leaves
out what was applied in between. Where anything is unusual there is no head start, and whoever comes next says why.
"""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress

import psycopg

from cdc.connections import connect
from cdc.source_types import may_travel_as_text
from cdc.state import read_state
from cdc.streaming import slots
from cdc.streaming.pgoutput import parse_lsn
from cdc.streaming.stream import ReplicationStream
from cdc.streaming.stream_errors import StreamError
from config.model import Routes

BYTES_MAX = 8 << 20  # kept before anybody reads; with more, the source waits
_LOOK_SECONDS = 0.01


class HeadStart:
    """A stream that has begun, and the thread that takes in what comes until somebody claims it."""

    def __init__(self, stream: ReplicationStream) -> None:
        self._stream = stream
        self._is_claimed = False
        self._ends = threading.Event()
        self._thread = threading.Thread(target=self._take_in, name="head start", daemon=True)
        self._thread.start()

    def claim(self) -> ReplicationStream:
        """The stream; whoever claims it closes it."""
        self._is_claimed = True
        return self._ended()

    def give_up(self) -> None:
        """Close the stream, if nobody has claimed it."""
        if not self._is_claimed:
            self._ended().close()

    def _ended(self) -> ReplicationStream:
        self._ends.set()
        self._thread.join()
        return self._stream

    def _take_in(self) -> None:
        left = BYTES_MAX
        with suppress(psycopg.Error):  # who reads from the connection meets it
            while left > 0 and not self._ends.is_set():
                left -= self._stream.take_in(_LOOK_SECONDS)


@contextmanager
def head_start(routes: Routes, capability: str) -> Iterator[HeadStart | None]:
    """A head start of the capability's forward stream, where there is one that streams in binary form."""
    found = routes.capabilities.get(capability)
    ahead = None
    if found is not None and found.sync is not None:
        source, target = (routes.databases[name].url for name in (found.sync.source, found.sync.target))
        with suppress(psycopg.Error, StreamError):
            ahead = _begin(f"{capability}:forward", source, target)
    try:
        yield ahead
    finally:
        if ahead is not None:
            ahead.give_up()


def _begin(name: str, source_url: str, target_url: str) -> HeadStart | None:
    with connect(target_url) as target:
        state = read_state(target, name)
    if state is None or state.state != "streaming":
        return None
    stream = ReplicationStream(source_url)
    try:
        with connect(source_url) as source:
            slots.check_start(state, slots.read_slot(source, state.slot), slots.read_end(source), *stream.identify())
            if may_travel_as_text(source, state.slot):
                stream.close()
                return None
        stream.start(state.slot, state.slot, parse_lsn(state.position or "0/0"))
        return HeadStart(stream)
    except BaseException:
        stream.close()
        raise
