"""Slow clients, slow upstreams and large bodies cost bounded memory and bounded time; a drain loses nothing."""

from __future__ import annotations

import socket
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.gateways import Gateway, gateway
from tests.support.waiting import wait_until
from tests.support.wire import Client, Received, Upstream, answer, upstream

ROUTES = 'version: 1\nupstreams: {{monolith: {{url: "{url}", timeout: 20s}}}}\ndefault: monolith\n'
MIB = 1 << 20
SIZE = 64 * MIB
LIMITS = {
    "header_seconds": 0.4,
    "keep_alive_seconds": 0.6,
    "body_idle_seconds": 0.5,
    "body_grace_seconds": 1.0,
    "body_rate_min": 1000.0,
    "connections_per_client_max": 30,
    "body_bytes_max": 200 * MIB,
}


@pytest.fixture(scope="module")
def monolith() -> Iterator[Upstream]:
    with upstream() as one:
        yield one


@pytest.fixture(scope="module")
def gate(monolith: Upstream) -> Iterator[Gateway]:
    with gateway(ROUTES.format(url=monolith.url)) as one:
        yield one


@pytest.fixture(scope="module")
def strict_gate(monolith: Upstream) -> Iterator[Gateway]:
    with gateway(ROUTES.format(url=monolith.url), **LIMITS) as one:
        yield one


@pytest.fixture(autouse=True)
def _fresh(monolith: Upstream) -> None:
    monolith.reset()


def test_slow_reader_stops_the_upstream_and_memory_stays_bounded(gate: Gateway, monolith: Upstream) -> None:
    sent = [0]

    def pour(received: Received, sock: socket.socket) -> None:
        sock.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % SIZE)
        for _ in range(SIZE // MIB):
            sock.sendall(bytes(MIB))
            sent[0] += MIB

    monolith.respond = pour
    before = gate.memory_mib()
    with Client(gate.port, receive_buffer=65536) as http:
        http.send(b"GET / HTTP/1.1\r\nHost: bank\r\n\r\n")
        seen = -1
        while seen != sent[0]:  # until the upstream is stopped
            seen = sent[0]
            threading.Event().wait(0.3)
        assert sent[0] < SIZE // 2
        assert gate.memory_mib() - before < 12
        assert http.reader.line() == b"HTTP/1.1 200 OK"
        assert http.reader.fields()
        left = SIZE - len(http.reader.buffer)
        while left > 0:
            left -= len(http.sock.recv(MIB))
        assert left == 0
    assert gate.memory_mib() - before < 24


def test_slow_upstream_stops_the_client_and_memory_stays_bounded(gate: Gateway, monolith: Upstream) -> None:
    go = threading.Event()

    def swallow(received: Received, sock: socket.socket) -> None:
        go.wait(10)
        left = SIZE - len(received.body)
        while left:
            left -= len(sock.recv(min(left, MIB)))
        answer()(received, sock)

    monolith.reads_body = False
    monolith.respond = swallow
    before = gate.memory_mib()
    sent = [0]

    def upload(http: Client) -> None:
        for _ in range(SIZE // MIB):
            http.send(bytes(MIB))
            sent[0] += MIB

    with Client(gate.port) as http:
        http.send(b"POST / HTTP/1.1\r\nHost: bank\r\nContent-Length: %d\r\n\r\n" % SIZE)
        sender = threading.Thread(target=upload, args=(http,))
        sender.start()
        seen = -1
        while seen != sent[0]:
            seen = sent[0]
            threading.Event().wait(0.3)
        assert sent[0] < SIZE // 2
        assert gate.memory_mib() - before < 12
        go.set()
        assert http.answer().status == 200
        sender.join(10)


def test_slow_head_is_cut_off(strict_gate: Gateway) -> None:
    with Client(strict_gate.port) as http:
        for byte in (b"GET / HT", b"TP/1.1\r\nHo"):
            http.send(byte)
        assert http.answer().status == 408
        assert http.is_closed()


def test_idle_connection_is_closed_without_a_word(strict_gate: Gateway) -> None:
    with Client(strict_gate.port) as silent, Client(strict_gate.port) as kept:
        assert kept.get().status == 200
        assert silent.is_closed()
        assert kept.is_closed()


def test_body_that_stops_is_cut_off(strict_gate: Gateway, monolith: Upstream) -> None:
    with Client(strict_gate.port) as http:
        http.send(b"POST / HTTP/1.1\r\nHost: bank\r\nContent-Length: 100\r\n\r\nabc")
        assert http.answer().status == 408
    assert monolith.requests == []


def test_body_that_trickles_is_cut_off(strict_gate: Gateway, monolith: Upstream) -> None:
    with Client(strict_gate.port) as http:
        http.send(b"POST / HTTP/1.1\r\nHost: bank\r\nTransfer-Encoding: chunked\r\n\r\n")
        http.sock.settimeout(0.1)
        with pytest.raises((BrokenPipeError, ConnectionError, AssertionError)):  # noqa: PT012 - until it is cut off
            for _ in range(100):
                http.send(b"1\r\nx\r\n")
                try:
                    assert not http.reader.more()
                except TimeoutError:
                    continue
    assert monolith.requests == []


def test_body_past_the_bound_is_413(strict_gate: Gateway, monolith: Upstream) -> None:
    with Client(strict_gate.port) as http:
        http.send(b"POST / HTTP/1.1\r\nHost: bank\r\nContent-Length: %d\r\n\r\n" % (300 * MIB))
        assert http.answer().status == 413
    assert monolith.requests == []


def test_connections_of_one_client_are_bounded(strict_gate: Gateway) -> None:
    clients = [Client(strict_gate.port) for _ in range(30)]
    try:
        assert clients[-1].get().status == 200
        with Client(strict_gate.port) as one_more:
            assert one_more.is_closed()
    finally:
        for one in clients:
            one.sock.close()
    wait_until(lambda: _serves(strict_gate), "there is room again")


def _serves(gate: Gateway) -> bool:
    try:
        with Client(gate.port) as http:
            return http.get().status == 200
    except (EOFError, ConnectionError):
        return False


def test_file_descriptors_come_back(gate: Gateway) -> None:
    def count() -> int:
        return len(list(Path(f"/proc/{gate.process.pid}/fd").iterdir()))

    with Client(gate.port) as http:
        http.get()
    wait_until(lambda: count() < 40, "idle connections are closed")
    before = count()
    for _ in range(100):
        with Client(gate.port) as http:
            http.get()
    wait_until(lambda: count() <= before + 2, "nothing is left open")


def test_drain_finishes_what_runs_and_exits_with_0(monolith: Upstream) -> None:
    release = threading.Event()

    def slow(received: Received, sock: socket.socket) -> None:
        release.wait(10)
        answer(b"finished")(received, sock)

    monolith.respond = slow
    with gateway(ROUTES.format(url=monolith.url)) as gate, Client(gate.port) as http, Client(gate.port) as idle:
        http.send_post("/", b"x")
        wait_until(lambda: monolith.requests, "the request is at the upstream")
        drain = threading.Thread(target=gate.try_call, args=("drain",), kwargs={"seconds": 10})
        drain.start()
        assert idle.is_closed()
        release.set()
        found = http.answer()
        assert (found.body, found.get("connection")) == (b"finished", b"close")
        drain.join(10)
        assert gate.process.wait(10) == 0


def test_worker_without_a_supervisor_drains_and_ends(monolith: Upstream) -> None:
    with gateway(ROUTES.format(url=monolith.url)) as gate:
        gate._control.shutdown(socket.SHUT_RDWR)
        assert gate.process.wait(10) == 0
