"""The pulse of a stream: a row of its source that every heartbeat moves on, so that a source that went back is known.

A heartbeat is one transaction: a message with a time in the log, and the same time in `strangler.pulse` of the source.
When the stream has applied the message its own row in the target has that time, so the source's can never be older,
unless the source is an image of earlier: with the same identity and timeline, and written on since, its log alone would
not tell. Who beats never moves a row on that is behind what the target knows.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import cast

import psycopg

from cdc.state import StreamState, emit_heartbeat
from cdc.streaming.stream_errors import SourceWentBack

_TICK = timedelta(microseconds=1)


class SourceIsOlder(SourceWentBack):
    """The source has not had a heartbeat that was taken from it; `checkpoint` and `end` are times."""

    @property
    def sentence(self) -> str:
        """Both times."""
        return (
            f"The stream {self.stream} has applied the source's heartbeat of {self.checkpoint}, but the newest that "
            f"the source has is {self.end}: it was restored to an older state, and has been written since."
        )


def check_pulse(source: psycopg.Connection, state: StreamState) -> None:
    """Whether the source has all heartbeats that were taken from it. Raises SourceIsOlder."""
    found = read_pulse(source, state.name)
    if found is not None and state.heartbeat_at is not None and found < state.heartbeat_at:
        raise SourceIsOlder(state.name, *(at.astimezone(UTC).isoformat() for at in (state.heartbeat_at, found)))


def read_pulse(source: psycopg.Connection, stream: str) -> datetime | None:
    """The time of the last heartbeat that the source has; None where it never had one."""
    if source.execute("SELECT to_regclass('strangler.pulse')").fetchone() == (None,):
        return None
    row = source.execute("SELECT at FROM strangler.pulse WHERE stream = %s", (stream,)).fetchone()
    return row[0] if row else None


def beat(source: psycopg.Connection, stream: str, known: datetime | None, now: datetime) -> datetime:
    """One heartbeat; `known` is the newest that is known to have been. Raises SourceIsOlder where it never was there.

    Times only go forward, whatever the clock of this machine does.
    """
    at = now if known is None else max(now, known + _TICK)
    with source.transaction():
        moved = source.execute(
            "INSERT INTO strangler.pulse AS p (stream, at) VALUES (%s, %s) ON CONFLICT (stream) "
            "DO UPDATE SET at = greatest(excluded.at, p.at + interval '1 microsecond') "
            "WHERE %s::timestamptz IS NULL OR p.at >= %s RETURNING at",
            (stream, at, known, known),
        ).fetchone()
        if moved is None:
            raise SourceIsOlder(stream, str(known), "an earlier one")
        at = cast("datetime", moved[0])
        emit_heartbeat(source, at)
    return at
