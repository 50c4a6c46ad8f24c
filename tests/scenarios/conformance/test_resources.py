"""T78 to T81: slow clients, linear time, bombs, and memory."""

from __future__ import annotations

import asyncio
import gzip
import resource
import statistics
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import uvloop

from shadow.json_model import BODY_BYTES_MAX
from shadow.unpack import unpacked
from tests.support.conformance import is_full
from tests.support.crossing import OK, Client, Crossing, crossing, saying
from tests.support.gateways import gateway
from tests.support.load import Load, quick_upstream
from tests.support.variants import Wire

GET = b"GET /asked HTTP/1.1\r\nHost: bank\r\n\r\n"
POST = b"POST / HTTP/1.1\r\nHost: bank\r\n"
CHUNKED = POST + b"Transfer-Encoding: chunked\r\n\r\n"
TOTAL_SECONDS = 1.5
LATE_SECONDS = 1.5  # for the coarse timer, lingering, and a busy machine


@pytest.fixture(scope="module")
def hurried() -> Iterator[Crossing]:
    with crossing(header_seconds=0.4, keep_alive_seconds=0.5, body_idle_seconds=0.5, body_grace_seconds=0.6, body_rate_min=1000.0,
                  total_seconds=TOTAL_SECONDS, linger_seconds=0.3) as one:  # fmt: skip
        yield one


SLOW = {
    "header": (b"", b"GET / HTTP/1.1\r\nHost: bank\r\nX-Long: " + b"a" * 200),
    "request line": (b"", b"GET /" + b"a" * 200),
    "empty lines": (b"", b"\r\n" * 100),
    "after an empty line": (b"\r\n", b"GET / HTTP/1.1\r\nX: " + b"a" * 200),
    "body": (POST + b"Content-Length: 300\r\n\r\n", b"b" * 200),
    "chunk size": (CHUNKED, b"0" * 200),
    "chunk extension": (CHUNKED + b"5;", b"e" * 200),
    "chunks": (CHUNKED, b"1\r\nx\r\n" * 40),
    "trailers": (CHUNKED + b"0\r\nT: ", b"t" * 200),
    "nothing": (b"", b""),
    "nothing more": (GET, b""),
}


async def _trickle(one: Crossing, first: bytes, rest: bytes, began: float) -> float:
    """One byte each 20 ms; returns after how many seconds the gateway ended it."""
    async with one.client() as client:
        await one.send(client, [first] if first else [])
        for byte in rest:
            if client.is_closed:
                break
            client.transport.write(bytes([byte]))
            await asyncio.sleep(0.02)
        await client.until(lambda c: c.is_closed, "a slow client is cut off")
        assert not [answer for answer in client.done if answer.status == 200 and first != GET]
        return one.loop.time() - began


def test_t78_slow_clients_meet_a_total_deadline(hurried: Crossing, variants: list[str]) -> None:
    hurried.upstream.respond = lambda c, m: c.say(OK if m.target != b"/large" else LARGE)

    async def quick(count: int) -> list[float]:
        took = []
        async with hurried.client() as client:
            for number in range(1, count + 1):
                began = hurried.loop.time()
                client.transport.write(GET)
                await client.until(lambda c, n=number: len(c.done) == n, "a quick client is served")  # type: ignore[misc]
                took.append(hurried.loop.time() - began)
                await asyncio.sleep(0.005)
        return took

    async def beside() -> tuple[list[float], list[float]]:
        began = hurried.loop.time()
        work = [_trickle(hurried, first, rest, began) for first, rest in SLOW.values() for _ in range(4)]
        slow = asyncio.gather(*work, _unread(hurried, began), _unread(hurried, began))
        return await quick(150), await slow

    alone = hurried.run(quick(100))
    took, ended = hurried.run(beside())
    assert max(ended) < TOTAL_SECONDS + LATE_SECONDS, dict(
        zip([n for n in SLOW for _ in range(4)], ended, strict=False)
    )
    assert statistics.median(took) < 5 * statistics.median(alone) + 0.02
    assert [
        request.target for request in hurried.upstream.requests if request.target not in (b"/asked", b"/large")
    ] == []
    hurried.run(hurried.until(lambda: not hurried.worker.downstreams, "nobody is left"))
    variants += [*list(SLOW), "unread"]


LARGE = b"HTTP/1.1 200 OK\r\nContent-Length: 8000000\r\n\r\n" + bytes(8_000_000)


async def _unread(one: Crossing, began: float) -> float:
    """Asks for a large answer and takes none of it: the gateway lets go of the connection all the same."""
    async with one.client(receive_buffer=4096) as client:
        client.transport.pause_reading()
        client.transport.write(b"GET /large HTTP/1.1\r\nHost: bank\r\n\r\n")
        port = client.transport.get_extra_info("sockname")[1]
        await one.until(lambda: not any(_port(d) == port for d in one.worker.downstreams), "let go", 20)
        return one.loop.time() - began


def _port(downstream: object) -> object:
    return downstream.transport.get_extra_info("peername")[1]  # type: ignore[attr-defined]


def test_t78_a_slow_reader_still_gets_all_of_an_answer_that_is_complete(variants: list[str]) -> None:
    """Deadlines of the request do not end the delivery of its answer."""
    with crossing(header_seconds=0.2) as one:
        body = bytes(3_000_000)
        one.upstream.respond = saying(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % len(body) + body)

        async def read_late() -> Client:
            async with one.client(receive_buffer=65536) as client:
                client.transport.pause_reading()
                client.transport.write(GET.replace(b"\r\n\r\n", b"\r\nConnection: close\r\n\r\n"))
                await asyncio.sleep(0.6)  # past the deadline of the head
                client.transport.resume_reading()
                await client.until(lambda c: c.is_closed, "the end")
                return client

        (answer,) = one.run(read_late()).done
        assert len(answer.body) == len(body)
        variants.append("late")


def _cost(one: Crossing, data: bytes, size: int) -> float:
    """Seconds of processor time that the gateway's client side takes for these bytes, the least of three."""

    async def send() -> float:
        async with one.client() as client:
            before = one.from_clients.seconds
            pieces = [data[start : start + size] for start in range(0, len(data), size)]
            for piece in pieces:
                if client.is_closed:
                    break
                await one.send(client, [piece])
            await client.until(lambda c: c.done or c.is_closed, "an answer")
            return one.from_clients.seconds - before

    return min(one.run(send()) for _ in range(3))


LINEAR: dict[str, tuple[Callable[[int], bytes], int, int]] = {
    "1-byte chunks": (lambda n: CHUNKED + b"1\r\nx\r\n" * n + b"0\r\n\r\n", 20_000, 65536),
    "blank lines as body": (
        lambda n: CHUNKED + b"%x\r\n" % (4 * n) + b"\r\n\r\n" * n + b"\r\n0\r\n\r\n",
        20_000,
        65536,
    ),
    "trailers": (lambda n: CHUNKED + b"1\r\nx\r\n0\r\n" + b"t: x\r\n" * n + b"\r\n", 100_000, 65536),
    "cookies": (lambda n: GET[:-2] + b"Cookie: " + b"a=1; " * n + b"\r\n\r\n", 6_000, 65536),
    "commas": (lambda n: GET[:-2] + b"Connection: " + b"," * n + b"\r\n\r\n", 30_000, 65536),
    "commas in Via": (lambda n: GET[:-2] + b"Via: " + b"a," * n + b"\r\n\r\n", 15_000, 65536),
    "a field in small pieces": (lambda n: GET[:-2] + b"X: " + b"x" * n + b"\r\n\r\n", 15_000, 8),
    "a target in small pieces": (lambda n: b"GET /" + b"x" * n + b" HTTP/1.1\r\nHost: bank\r\n\r\n", 8_000, 4),
    "slashes": (lambda n: b"GET /" + b"a//" * n + b" HTTP/1.1\r\nHost: bank\r\n\r\n", 2_600, 65536),
    "dots": (lambda n: b"GET /" + b"../" * n + b" HTTP/1.1\r\nHost: bank\r\n\r\n", 2_600, 65536),
    "chunks in small pieces": (lambda n: CHUNKED + b"4\r\nabcd\r\n" * n + b"0\r\n\r\n", 2_000, 3),
}


def test_t79_processor_time_is_linear(request: pytest.FixtureRequest, variants: list[str]) -> None:
    times = 4 if is_full(request.config) else 1
    with crossing() as one:
        for name, (make, n, size) in LINEAR.items():
            grown = n * times if name in ("1-byte chunks", "blank lines as body", "trailers") else n
            ratios = []
            for _ in range(3):  # a neighbour may steal the caches of one measurement, not of three
                small, large = (_cost(one, make(count), size) for count in (grown, 2 * grown))
                ratios.append((large + 0.0005) / (small + 0.0005))
                if ratios[-1] < 2.5:
                    break
            assert min(ratios) < 2.5, (name, ratios)
            variants.append(name)


def test_t80_nothing_is_inflated_on_the_way_and_a_bomb_is_bounded_in_the_comparison(wire: Wire) -> None:
    bomb = gzip.compress(bytes(100_000_000), 9)
    assert len(bomb) < 100_000
    head = b"HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nContent-Type: application/json\r\n"
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss

    async def through() -> bytes:
        wire.upstream.reset()
        wire.upstream.respond = saying(head + b"Content-Length: %d\r\n\r\n" % len(bomb) + bomb)
        async with wire.crossing.client() as client:
            await wire.crossing.send(client, [GET])
            await client.until(lambda c: c.done, "the answer")
            return client.done[0].body

    assert wire.crossing.run(through()) == bomb
    read = unpacked(bomb, "gzip")
    assert not isinstance(read, bytes)
    assert read.reason == "too_large"
    grown_kib = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before
    assert grown_kib * 1024 < 4 * BODY_BYTES_MAX + (16 << 20)
    wire.variants += 2


def _handles(pid: int) -> int:
    return len(list(Path(f"/proc/{pid}/fd").iterdir()))


ROUTES = 'version: 1\nupstreams: {{monolith: {{url: "http://127.0.0.1:{port}", timeout: 30s}}}}\ndefault: monolith\n'


def test_t81_memory_stays_flat_and_file_descriptors_come_back(
    request: pytest.FixtureRequest, variants: list[str]
) -> None:
    requests, body_mib = (100_000, 1024) if is_full(request.config) else (8_000, 96)

    async def run() -> None:
        listener, port = await quick_upstream()
        with gateway(ROUTES.format(port=port), upstream_idle_seconds=0.5) as gate:
            pid = gate.process.pid
            load = Load(gate.port)
            await load.batches(2_000, connections=8)
            warm, handles = gate.memory_mib(), _handles(pid)
            await load.batches(requests, connections=8)
            assert load.failed == 0
            assert gate.memory_mib() <= 1.05 * warm
            for upwards in (True, False):
                peak = await load.stream(body_mib, gate.memory_mib, upwards=upwards)
                assert peak <= warm + 8, f"{peak} MiB while a body of {body_mib} MiB passed, {warm} before"
            await load.batches(200, connections=200)
            load.close()
            await _until(lambda: _handles(pid) <= handles, "the file descriptors come back")
        listener.close()

    uvloop.run(run())
    variants += ["requests"] * requests + ["body up", "body down", "descriptors"]


async def _until(condition: Callable[[], bool], what: str) -> None:
    for _ in range(1000):
        if condition():
            return
        await asyncio.sleep(0.01)
    raise AssertionError(what)
