from __future__ import annotations

import asyncio
import os
import socket
import sys
from pathlib import Path
from typing import Any, cast

import pytest

from config.reader import parse_routes
from gateway import comparer
from gateway.child import Child, Program, Reply
from gateway.comparer import Backlog, Comparer, Frames
from gateway.judging import Judge
from shadow.observation import Dropped, Event, encode
from shadow.store import Store, StoreDown
from shadow.summary import summary_from_json
from tests.unit.gateway.test_judging import TEXT, pair

COMMAND = (sys.executable, "-m", "gateway.comparer")
ROUTE = "GET /plain/{id}"


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
    stream = b"".join(framed(pair(ROUTE, b"%d" % n, b"1")) for n in range(3))
    for size in (1, 3, 7, len(stream)):
        backlog = Backlog()
        frames = Frames(backlog)
        frames._transport = cast("asyncio.Transport", FakeTransport())
        for start in range(0, len(stream), size):
            frames.data_received(stream[start : start + size])
        assert [len(frame).to_bytes(4, "big") + frame for frame in backlog.take(9)] == [
            framed(pair(ROUTE, b"%d" % n, b"1")) for n in range(3)
        ]


def test_a_length_beyond_the_bound_ends_the_connection() -> None:
    transport = FakeTransport()
    frames = Frames(Backlog())
    frames._transport = cast("asyncio.Transport", transport)
    frames.data_received(b"\xff\xff\xff\xff")
    assert transport.is_aborted


@pytest.mark.parametrize("bound", ["QUEUE_FRAMES_MAX", "QUEUE_BYTES_MAX"])
def test_a_full_backlog_stops_reading_until_there_is_room(bound: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(comparer, bound, 2)
    backlog, transport = Backlog(), FakeTransport()
    backlog.put(b"1", cast("asyncio.Transport", transport))
    assert transport.is_reading
    backlog.put(b"2", cast("asyncio.Transport", transport))
    assert not transport.is_reading
    assert backlog.take(1) == [b"1"]
    assert transport.is_reading
    assert backlog.arrived.is_set()
    backlog.take(1)
    assert not backlog.arrived.is_set()


def test_a_store_that_is_down_loses_nothing_while_we_live(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(comparer, "STORE_RETRY_SECONDS", 0.01)
    failures = iter([True, True, False])

    class Flaky(Store):
        def record(self, events: Any) -> None:
            if next(failures):
                raise StoreDown(self.path, "disk full")
            super().record(events)

    async def story() -> None:
        one = Comparer(Flaky(tmp_path / "shadow.db"), Judge(parse_routes(TEXT.encode(), tmp_path / "routes.yaml", {})))
        one.backlog.put(encode(pair(ROUTE, b"1", b"1")), cast("asyncio.Transport", FakeTransport()))
        one.backlog.put(b"no event", cast("asyncio.Transport", FakeTransport()))
        one.judge_slice(0.0)
        await one._store_batch()
        assert one.store.summary("accounts").accounting.verdicts == {"equal": 1}
        await one.drain(1.0)
        one.store.close()

    asyncio.run(story())


def test_a_drain_waits_for_workers_that_are_still_connected(tmp_path: Path) -> None:
    async def story() -> None:
        one = Comparer(Store(tmp_path / "shadow.db"), Judge(parse_routes(TEXT.encode(), tmp_path / "routes.yaml", {})))
        worker = cast("asyncio.Transport", FakeTransport())
        one.backlog.sources.add(worker)
        draining = asyncio.ensure_future(one.drain(10))
        await asyncio.sleep(0)
        one.backlog.put(encode(pair(ROUTE, b"1", b"1")), worker)
        one.backlog.sources.discard(worker)
        await draining
        assert one.store.summary("accounts").accounting.verdicts == {"equal": 1}
        one.store.close()

    asyncio.run(story())


async def _started(folder: Path) -> Child:
    routes = folder / "routes.yaml"
    routes.write_text(TEXT)
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(f"{folder}/c.sock")
        listener.listen()
        environ = {**os.environ, "STRANGLER_RUN": str(folder)}
        child = await Child.spawn(Program("comparer", COMMAND, environ, (listener.fileno(),)))
        start = {"routes": str(routes), "origin": str(routes), "store": f"{folder}/shadow.db"}
        await child.call("start", {**start, "socket": listener.fileno()}, within=20)
    return child


async def _verdicts(child: Child, wanted: int) -> dict[str, int]:
    async with asyncio.timeout(10):
        while True:
            reply: Reply = await child.call("summary", {"capability": "accounts"})
            accounting = summary_from_json(reply["summary"]).accounting
            if accounting.accounted == wanted:
                return accounting.verdicts | accounting.dropped
            await asyncio.sleep(0.01)


def test_the_process_judges_what_workers_send_and_follows_the_table(tmp_path: Path) -> None:
    async def story() -> None:
        child = await _started(tmp_path)
        _, writer = await asyncio.open_unix_connection(f"{tmp_path}/c.sock")
        bodies = b'{"served_by":1}', b'{"served_by":2}'
        writer.write(framed(pair(ROUTE, *bodies)) + framed(Dropped(ROUTE, "accounts", "queue_full", count=2)))
        assert await _verdicts(child, 3) == {"equivalent": 1, "queue_full": 2}
        (tmp_path / "next.yaml").write_text(TEXT.replace("$.served_by", "$.other"))
        before = child.digest
        await child.call("table", {"path": str(tmp_path / "next.yaml")})
        assert child.digest != before
        writer.write(framed(pair(ROUTE, *bodies)))
        assert await _verdicts(child, 4) == {"equivalent": 1, "different": 1, "queue_full": 2}
        (tmp_path / "next.yaml").write_text(TEXT)
        os.kill(child.pid, 1)  # SIGHUP: the file at the same place has changed
        writer.write(b"".join(framed(pair(ROUTE, *bodies)) for _ in range(499)))
        await child.call("drain", {"seconds": 5})
        writer.write(framed(pair(ROUTE, *bodies)))  # a worker may still be sending when it is told
        writer.close()
        await writer.wait_closed()
        assert await child.ended() == 0

    asyncio.run(story())
    accounting = Store(tmp_path / "shadow.db").summary("accounts").accounting
    assert accounting.accounted == 504


def test_it_ends_by_itself_when_the_supervisor_is_gone(tmp_path: Path) -> None:
    async def story() -> None:
        child = await _started(tmp_path)
        child._writer.close()
        assert await child.ended() == 0

    asyncio.run(story())
