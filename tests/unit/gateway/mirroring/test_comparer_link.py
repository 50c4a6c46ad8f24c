from __future__ import annotations

import asyncio
from typing import cast

import pytest

from gateway.mirroring import comparer_link
from gateway.mirroring.backlog import HELLO_BYTES, NAME_BYTES, NUMBER_BYTES, TELLS_IDS
from gateway.mirroring.comparer_link import FRAMES_BYTES_MAX, ComparerLink
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
        stream, found = b"".join(self.writes[1:]), []  # the first is the worker's name
        while stream:
            length = int.from_bytes(stream[:4], "big")
            found.append(decode(stream[4 : 4 + length]))
            stream = stream[4 + length :]
        return found


def connected() -> tuple[ComparerLink, FakeTransport]:
    link, transport = ComparerLink(None, 1000), FakeTransport()
    link.connection_made(cast("asyncio.Transport", transport))
    link.data_received(bytes(NUMBER_BYTES))
    return link, transport


def agreed(count: int) -> Agreed:
    return Agreed("GET /a", "accounts", "legacy", 200, (), count, (0.1, 0.2) * count, 1.0)


def test_ids_that_belong_together_come_between_the_numbers_however_they_are_cut() -> None:
    link, _ = connected()
    told: list[bytes] = []
    link.on_ids = told.append
    link.send(Skipped("GET /a", "accounts", "sampled_out", 1, 1.0))
    stream = b"".join(
        (TELLS_IDS | len(piece)).to_bytes(NUMBER_BYTES, "big") + piece if piece else (1).to_bytes(NUMBER_BYTES, "big")
        for piece in (b"first", b"", b"second piece")
    )
    for index in range(len(stream)):
        link.data_received(stream[index : index + 1])
    assert told == [b"first", b"second piece"]
    assert not link._unstored


def test_frames_go_out_together_with_the_next_sweep() -> None:
    link, transport = connected()
    for count in (1, 2, 3):
        link.send(agreed(count))
    link.count("skipped", "GET /a", "accounts", "body_too_large")
    assert len(transport.writes) == 1
    link.sweep(1.0)
    assert len(transport.writes) == 2
    *told, counts = transport.events()
    assert told == [agreed(1), agreed(2), agreed(3)]
    assert isinstance(counts, Skipped)
    assert (counts.reason, counts.count) == ("body_too_large", 1)
    link.sweep(2.0)
    assert len(transport.writes) == 2


def test_many_bytes_do_not_wait_for_the_sweep() -> None:
    link, transport = connected()
    while len(transport.writes) == 1:
        link.send(agreed(500))
    assert FRAMES_BYTES_MAX <= len(transport.writes[1]) < 2 * FRAMES_BYTES_MAX


def test_flow_control_says_when_the_comparer_is_behind() -> None:
    link, transport = connected()
    assert transport.high == 1000
    link.pause_writing()
    assert link.is_busy
    link.count("dropped", "GET /a", "accounts", "queue_full")
    link.sweep(1.0)
    assert len(transport.writes) == 1
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
    assert len(first.writes) == 1
    assert second.events() == [agreed(1)]


def test_the_last_counts_are_sent_however_far_the_comparer_is_behind() -> None:
    link, transport = connected()
    link.pause_writing()
    link.count("dropped", "GET /a", "accounts", "draining")
    link.send(agreed(1))
    link.close()
    assert len(transport.events()) == 2
    assert transport.is_closed


def number(count: int) -> bytes:
    return count.to_bytes(NUMBER_BYTES, "big")


def test_pairs_are_compared_when_they_are_stored() -> None:
    link, _ = connected()
    link.send(agreed(3))
    link.send(agreed(4))
    assert link.totals == {}
    link.data_received(number(1)[:3])
    link.data_received(number(1)[3:])
    assert link.totals == {("GET /a", "compared"): 3}
    link.data_received(number(2))
    assert link.totals == {("GET /a", "compared"): 7}


def test_what_a_killed_comparer_had_not_stored_is_dropped_and_told_to_the_next_one() -> None:
    link, _ = connected()
    for count in (1, 2, 4):
        link.send(agreed(count))
    link.count("skipped", "GET /a", "accounts", "body_too_large")
    link.sweep(1.0)
    link.connection_lost(None)
    link.connection_made(cast("asyncio.Transport", transport := FakeTransport()))
    assert transport.writes[0][NAME_BYTES:HELLO_BYTES] == number(4)
    link.send(agreed(8))  # before the answer: it belongs to this connection
    link.data_received(number(1))
    assert link.totals["GET /a", "compared"] == 1
    assert link.totals["GET /a", "dropped_comparer_lost"] == 6
    assert link.totals["GET /a", "skipped_body_too_large"] == 1
    link.data_received(number(5))
    assert link.totals["GET /a", "compared"] == 9
    link.sweep(2.0)
    assert {(type(event).__name__, getattr(event, "reason", ""), event.count) for event in transport.events()} == {
        ("Agreed", "", 8), ("Dropped", "comparer_lost", 6), ("Skipped", "body_too_large", 1),
    }  # fmt: skip


def test_as_much_as_may_wait_for_the_store_waits(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(comparer_link, "UNSTORED_EVENTS_MAX", 2)
    link, _ = connected()
    link.send(agreed(1))
    assert not link.is_busy
    link.send(agreed(1))
    assert link.is_busy
    link.data_received(number(1))
    assert not link.is_busy
