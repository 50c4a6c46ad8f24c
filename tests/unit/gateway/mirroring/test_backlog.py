from __future__ import annotations

from typing import TYPE_CHECKING, cast

import pytest

from gateway.mirroring import backlog as backlog_module
from gateway.mirroring.backlog import HELLO, NAME_BYTES, Backlog, Source
from shadow.observation import Event, encode
from tests.unit.gateway.mirroring.test_judging import pair

if TYPE_CHECKING:
    import asyncio

ROUTE = "GET /plain/{id}"
HEAD = b"n" * NAME_BYTES + bytes(8)


class FakeTransport:
    def __init__(self) -> None:
        self.is_reading, self.is_aborted = True, False

    def is_closing(self) -> bool:
        return self.is_aborted

    def pause_reading(self) -> None:
        self.is_reading = False

    def resume_reading(self) -> None:
        self.is_reading = True

    def abort(self) -> None:
        self.is_aborted = True


def framed(event: Event) -> bytes:
    frame = encode(event)
    return len(frame).to_bytes(4, "big") + frame


def test_frames_are_cut_wherever_the_bytes_break() -> None:
    stream = HEAD + b"".join(framed(pair(ROUTE, b"%d" % n, b"1")) for n in range(3))
    for size in (1, 3, 7, len(stream)):
        backlog = Backlog()
        frames = Source(backlog)
        for start in range(0, len(stream), size):
            frames.data_received(stream[start : start + size])
        assert [frame for frame, _ in backlog.take(9)] == [HELLO]
        assert [len(frame).to_bytes(4, "big") + frame for frame, _ in backlog.take(9)] == [
            framed(pair(ROUTE, b"%d" % n, b"1")) for n in range(3)
        ]


@pytest.mark.parametrize("length", [b"\xff\xff\xff\xff", bytes(4)])
def test_a_length_beyond_the_bound_ends_the_connection(length: bytes) -> None:
    transport = FakeTransport()
    frames = Source(Backlog())
    frames._transport = cast("asyncio.Transport", transport)
    frames.data_received(HEAD + length)
    assert transport.is_aborted


@pytest.mark.parametrize("bound", ["QUEUE_FRAMES_MAX", "QUEUE_BYTES_MAX"])
def test_a_full_backlog_stops_reading_until_there_is_room(bound: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(backlog_module, bound, 2)
    backlog, transport = Backlog(), FakeTransport()
    source = Source(backlog)
    source._transport = cast("asyncio.Transport", transport)
    backlog.put(b"1", source)
    assert transport.is_reading
    backlog.put(b"2", source)
    assert not transport.is_reading
    assert backlog.take(1) == [(b"1", source)]
    assert transport.is_reading
    assert backlog.arrived.is_set()
    backlog.take(1)
    assert not backlog.arrived.is_set()


def test_a_name_is_taken_alone_so_that_it_is_answered_before_what_comes_after_it() -> None:
    backlog = Backlog()
    first, second = Source(backlog), Source(backlog)
    for source in (first, second):
        source.data_received(HEAD + framed(pair(ROUTE, b"1", b"1")))
    assert [source for _, source in backlog.take(9)] == [first]
    assert [frame == HELLO for frame, _ in backlog.take(9)] == [False]
    assert [frame == HELLO for frame, _ in backlog.take(9)] == [True]
