from __future__ import annotations

import asyncio
from typing import cast

from gateway.comparer_link import FRAMES_BYTES_MAX, ComparerLink
from shadow.observation import Agreed, Event, Skipped, decode


class FakeTransport:
    def __init__(self) -> None:
        self.writes: list[bytes] = []
        self.high = 0
        self.is_closed = False

    def set_write_buffer_limits(self, high: int) -> None:
        self.high = high

    def write(self, data: bytes) -> None:
        self.writes.append(data)

    def close(self) -> None:
        self.is_closed = True

    def events(self) -> list[Event]:
        stream, found = b"".join(self.writes), []
        while stream:
            length = int.from_bytes(stream[:4], "big")
            found.append(decode(stream[4 : 4 + length]))
            stream = stream[4 + length :]
        return found


def connected() -> tuple[ComparerLink, FakeTransport]:
    link, transport = ComparerLink(None, 1000), FakeTransport()
    link.connection_made(cast("asyncio.Transport", transport))
    return link, transport


def agreed(count: int) -> Agreed:
    return Agreed("GET /a", "accounts", "legacy", 200, (), count, (0.1, 0.2) * count, 1.0)


def test_frames_go_out_together_with_the_next_sweep() -> None:
    link, transport = connected()
    for count in (1, 2, 3):
        link.send(agreed(count))
    link.count("skipped", "GET /a", "accounts", "body_too_large")
    assert transport.writes == []
    link.sweep(1.0)
    assert len(transport.writes) == 1
    *told, counts = transport.events()
    assert told == [agreed(1), agreed(2), agreed(3)]
    assert isinstance(counts, Skipped)
    assert (counts.reason, counts.count) == ("body_too_large", 1)
    link.sweep(2.0)
    assert len(transport.writes) == 1


def test_many_bytes_do_not_wait_for_the_sweep() -> None:
    link, transport = connected()
    while not transport.writes:
        link.send(agreed(500))
    assert FRAMES_BYTES_MAX <= len(transport.writes[0]) < 2 * FRAMES_BYTES_MAX


def test_flow_control_says_when_the_comparer_is_behind() -> None:
    link, transport = connected()
    assert transport.high == 1000
    link.pause_writing()
    assert link.is_busy
    link.count("dropped", "GET /a", "accounts", "queue_full")
    link.sweep(1.0)
    assert transport.writes == []
    link.resume_writing()
    link.sweep(2.0)
    assert len(transport.events()) == 1


def test_what_waits_when_the_comparer_goes_is_sent_to_the_next_one() -> None:
    link, first = connected()
    link.send(agreed(1))
    link.connection_lost(None)
    assert link.is_away
    second = FakeTransport()
    link.connection_made(cast("asyncio.Transport", second))
    link.sweep(1.0)
    assert first.writes == []
    assert second.events() == [agreed(1)]


def test_the_last_counts_are_sent_however_far_the_comparer_is_behind() -> None:
    link, transport = connected()
    link.pause_writing()
    link.count("dropped", "GET /a", "accounts", "draining")
    link.send(agreed(1))
    link.close()
    assert len(transport.events()) == 2
    assert transport.is_closed
