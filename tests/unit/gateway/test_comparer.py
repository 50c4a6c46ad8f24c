from __future__ import annotations

import asyncio
import os
import socket
import sys
from pathlib import Path
from typing import Any

import pytest

from config.reader import parse_routes
from gateway import comparer
from gateway.comparer import Comparer
from gateway.mirroring.backlog import NAME_BYTES, Backlog, Source
from gateway.mirroring.judging import Judge
from gateway.supervision.child import Child, Program, Reply
from shadow.observation import Dropped, Event, encode
from shadow.store import Store, StoreDown
from shadow.summary import summary_from_json
from tests.unit.gateway.mirroring.test_judging import TEXT, pair

COMMAND = (sys.executable, "-m", "gateway.comparer")
ROUTE = "GET /plain/{id}"


def framed(event: Event) -> bytes:
    frame = encode(event)
    return len(frame).to_bytes(4, "big") + frame


def test_a_store_that_is_down_loses_nothing_while_we_live(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(comparer, "STORE_RETRY_SECONDS", 0.01)
    failures = iter([True, True, False])

    class Flaky(Store):
        def record(self, events: Any, stored: Any = None) -> None:
            if next(failures):
                raise StoreDown(self.place, "disk full")
            super().record(events, stored)

    async def story() -> None:
        one = Comparer(Flaky(tmp_path / "shadow.db"), Judge(parse_routes(TEXT.encode(), tmp_path / "routes.yaml", {})))
        one.backlog.put(encode(pair(ROUTE, b"1", b"1")), Source(Backlog()))
        one.backlog.put(b"no event", Source(Backlog()))
        one.judge_slice(0.0)
        await one._store_batch()
        assert one.store.summary("accounts").accounting.verdicts == {"equal": 1}
        await one.drain(1.0)
        one.store.close()

    asyncio.run(story())


def test_a_drain_waits_for_workers_that_are_still_connected(tmp_path: Path) -> None:
    async def story() -> None:
        one = Comparer(Store(tmp_path / "shadow.db"), Judge(parse_routes(TEXT.encode(), tmp_path / "routes.yaml", {})))
        worker = Source(one.backlog)
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
        start = {"routes": str(routes), "origin": str(routes), "store": f"{folder}/shadow.db", "run": str(folder)}
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
        reader, writer = await asyncio.open_unix_connection(f"{tmp_path}/c.sock")
        writer.write(b"w" * NAME_BYTES + bytes(8))
        assert await reader.readexactly(8) == bytes(8)
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


def test_what_is_stored_is_told_after_it_is_and_a_name_is_answered_first(tmp_path: Path) -> None:
    told: list[int] = []

    class Heard(Source):
        def tell(self, number: int) -> None:
            assert one.store.stored_of(self.worker).number == number
            told.append(number)

    def source(sent_before: int) -> Heard:
        heard = Heard(one.backlog)
        heard.data_received(b"w" * NAME_BYTES + sent_before.to_bytes(8, "big") + framed(pair(ROUTE, b"1", b"1")) * 2)
        return heard

    one = Comparer(Store(tmp_path / "shadow.db"), Judge(parse_routes(TEXT.encode(), tmp_path / "routes.yaml", {})))
    source(0)
    for _ in range(2):
        one.judge_slice(0.0)
        one.flush()
    assert told == [0, 2]
    source(5)  # a comparer before this one got three events more and was killed
    for _ in range(2):
        one.judge_slice(0.0)
        one.flush()
    assert told == [0, 2, 2, 7]
    assert one.store.summary("accounts").accounting.compared == 4
    one.store.close()


def test_it_ends_by_itself_when_the_supervisor_is_gone(tmp_path: Path) -> None:
    async def story() -> None:
        child = await _started(tmp_path)
        child._writer.close()
        assert await child.ended() == 0

    asyncio.run(story())
