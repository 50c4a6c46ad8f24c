"""What passes through the gateway is what was sent, both ways, byte for byte where the RFC lets it be."""

from __future__ import annotations

import re
import socket
from collections.abc import Iterator

import pytest

from tests.support.gateways import Gateway, gateway
from tests.support.wire import Client, Received, Upstream, answer, raw, upstream

ROUTES = 'version: 1\nupstreams: {{monolith: {{url: "{url}"}}}}\ndefault: monolith\n'


@pytest.fixture(scope="module")
def monolith() -> Iterator[Upstream]:
    with upstream() as one:
        yield one


@pytest.fixture(scope="module")
def gate(monolith: Upstream) -> Iterator[Gateway]:
    with gateway(ROUTES.format(url=monolith.url)) as one:
        yield one


@pytest.fixture
def http(gate: Gateway, monolith: Upstream) -> Iterator[Client]:
    monolith.reset()
    with Client(gate.port) as one:
        yield one
    assert monolith.problems == []


def test_request_arrives_with_its_fields_in_order_and_case(http: Client, monolith: Upstream) -> None:
    fields = [b"Host: bank", b"X-oDd-CaSe: 1", b"Cookie: a=1", b"x-repeat: one", b"Accept: */*", b"x-repeat:  two "]
    http.send(b"GET /a/%2e%2E//b;x?q=%zz&&= HTTP/1.1\r\n" + b"\r\n".join(fields) + b"\r\n\r\n")
    assert http.answer().body == b"ok"
    (seen,) = monolith.requests
    assert seen.target == b"/a/%2e%2E//b;x?q=%zz&&="
    assert seen.fields[:6] == [
        (b"Host", b"bank"), (b"X-oDd-CaSe", b"1"), (b"Cookie", b"a=1"), (b"x-repeat", b"one"), (b"Accept", b"*/*"),
        (b"x-repeat", b"two"),
    ]  # fmt: skip
    assert [name for name, _ in seen.fields[6:]] == [
        b"X-Forwarded-For", b"X-Forwarded-Proto", b"X-Forwarded-Host", b"Via", b"traceparent",
    ]  # fmt: skip
    assert re.fullmatch(rb"00-[0-9a-f]{32}-[0-9a-f]{16}-01", seen.get("traceparent") or b"")


def test_answer_arrives_as_it_was_written(http: Client, monolith: Upstream) -> None:
    head = (b"HTTP/1.1 299 All  is Well\r\nserver: CORE87\r\nSet-Cookie: a=1; Expires=Wed, 21 Oct 2015 07:28:00 GMT\r\n"
            b"SET-cookie: b=2\r\nDate: today\r\nContent-Length: 3\r\nX-Empty: \r\n\r\n")  # fmt: skip
    monolith.respond = raw(head + b"\0\xff\r")
    http.send(b"GET / HTTP/1.1\r\nHost: bank\r\n\r\n")
    received = b""
    while len(received) < len(head) + 3:
        received += http.sock.recv(65536)
    assert received == head + b"\0\xff\r"


def test_date_is_added_only_where_it_is_missing(http: Client) -> None:
    assert re.fullmatch(rb"[A-Z][a-z]{2}, \d\d [A-Z][a-z]{2} \d{4} [\d:]{8} GMT", http.get().get("date") or b"")


def test_hop_by_hop_fields_stay_where_they_are(http: Client, monolith: Upstream) -> None:
    monolith.respond = answer(
        extra=b"Connection: X-Hop, keep-alive\r\nKeep-Alive: timeout=5\r\nX-Hop: 1\r\nX-End: 2\r\n"
    )
    fields = (
        "Connection: x-mine, Authorization, Host, X-Forwarded-For\r\nX-Mine: 1\r\nAuthorization: Basic eA==\r\nTE: trailers\r\n"
        "Keep-Alive: 5\r\nProxy-Connection: x\r\nProxy-Authorization: y\r\nUpgrade: h2c\r\nHTTP2-Settings: z\r\nX-Kept: 1\r\n"
    )
    found = http.get("/", fields)
    (seen,) = monolith.requests
    names = {name.lower() for name, _ in seen.fields}
    assert {b"host", b"authorization", b"x-kept", b"x-forwarded-for"} <= names
    gone = {b"connection", b"x-mine", b"te", b"keep-alive", b"proxy-connection", b"proxy-authorization", b"upgrade"}
    assert not names & (gone | {b"http2-settings"})
    assert [name for name, _ in found.fields if name.lower().startswith((b"x-", b"conn", b"keep"))] == [b"X-End"]


def test_who_asks_is_said_by_the_gateway_and_not_by_an_untrusted_client(http: Client, monolith: Upstream) -> None:
    http.get("/", "X-Forwarded-For: 6.6.6.6\r\nX_Forwarded_For: 6.6.6.6\r\nForwarded: for=6.6.6.6\r\n"
                  "X-Real-IP: 6.6.6.6\r\nX-Forwarded-Proto: https\r\nX-Forwarded-Host: evil\r\nX-Forwarded-Port: 1\r\nX-Shadow: dry-run\r\n")  # fmt: skip
    (seen,) = monolith.requests
    assert seen.all("x-forwarded-for") == [b"127.0.0.1"]
    assert seen.all("x-forwarded-proto") == [b"http"]
    assert seen.all("x-forwarded-host") == [b"bank"]
    left = {name.lower() for name, _ in seen.fields}
    assert not left & {b"forwarded", b"x-real-ip", b"x_forwarded_for", b"x-forwarded-port", b"x-shadow"}
    assert not [value for _, value in seen.fields if b"6.6.6.6" in value]


def test_a_trusted_proxy_is_believed_and_appended_to(gate: Gateway, monolith: Upstream) -> None:
    monolith.reset()
    trusted = ROUTES.format(url=monolith.url) + "gateway: {trusted_proxies: [127.0.0.0/8]}\n"
    gate.use(trusted)
    try:
        with Client(gate.port) as http:
            http.get("/", "X-Forwarded-For: 9.9.9.9\r\nX-Forwarded-Proto: https\r\nX-Real-IP: 9.9.9.9\r\n")
    finally:
        gate.use(ROUTES.format(url=monolith.url))
    (seen,) = monolith.requests
    assert seen.all("x-forwarded-for") == [b"9.9.9.9, 127.0.0.1"]
    assert seen.all("x-forwarded-proto") == [b"https"]
    assert seen.all("x-real-ip") == [b"9.9.9.9"]


def test_trace_context_passes_and_a_broken_one_is_replaced(http: Client, monolith: Upstream) -> None:
    good = "00-" + "a" * 32 + "-" + "b" * 16 + "-00"
    http.get("/", f"traceparent: {good}\r\n")
    http.get("/", "traceparent: 00-zz\r\n")
    assert monolith.requests[0].all("traceparent") == [good.encode()]
    assert len(monolith.requests[1].all("traceparent")) == 1
    assert monolith.requests[1].get("traceparent") != b"00-zz"


def test_absolute_form_becomes_origin_form(http: Client, monolith: Upstream) -> None:
    http.get("http://bank/p?q")
    http.get("http://bank", method="OPTIONS")
    http.get("*", method="OPTIONS")
    assert monolith.targets() == [b"/p?q", b"*", b"*"]


@pytest.mark.parametrize("size", [0, 1, 5, 70_000, 3_000_000])
def test_bodies_pass_in_both_directions(http: Client, monolith: Upstream, size: int) -> None:
    body = bytes(range(256)) * (size // 256) + b"x" * (size % 256)
    monolith.respond = lambda received, sock: answer(received.body)(received, sock)
    found = http.post("/echo", body)
    assert found.body == body
    assert monolith.requests[0].get("content-length") == str(size).encode()
    chunked = b"".join(b"%x;ext=1\r\n%b\r\n" % (len(part), part) for part in (body[:3], body[3:]) if part)
    http.send(b"PUT /echo HTTP/1.1\r\nHost: bank\r\nTransfer-Encoding: chunked\r\n\r\n" + chunked
              + b"0\r\nX-Sum: 1\r\nHost: evil\r\n\r\n")  # fmt: skip
    assert http.answer().body == body
    assert monolith.requests[1].all("transfer-encoding") == [b"chunked"]
    assert monolith.requests[1].trailers == [(b"X-Sum", b"1")]


def test_chunked_answer_keeps_its_trailers(http: Client, monolith: Upstream) -> None:
    monolith.respond = raw(
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nab\r\n3;x\r\ncde\r\n0\r\nX-Sum: 5\r\n\r\n"
    )
    for _ in range(2):
        found = http.get()
        assert (found.body, found.trailers, found.is_complete) == (b"abcde", [(b"X-Sum", b"5")], True)


def test_close_delimited_answer_is_whole_and_the_client_stays(http: Client, monolith: Upstream) -> None:
    monolith.respond = raw(b"HTTP/1.0 200 OK\r\n\r\nall of it", close=True)
    for _ in range(2):
        found = http.get()
        assert (found.body, found.is_complete, found.get("transfer-encoding")) == (b"all of it", True, b"chunked")


def test_http_1_0_client_gets_no_chunks(gate: Gateway, http: Client, monolith: Upstream) -> None:
    monolith.respond = raw(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nab\r\n0\r\n\r\n")
    http.send(b"GET / HTTP/1.0\r\n\r\n")
    found = http.answer()
    assert (found.body, found.get("transfer-encoding"), found.get("connection")) == (b"ab", None, b"close")
    assert http.is_closed()
    assert monolith.requests[0].get("via") == b"1.0 strangler"


def test_http_1_0_client_may_keep_its_connection(http: Client) -> None:
    for _ in range(2):
        http.send(b"GET / HTTP/1.0\r\nHost: bank\r\nConnection: keep-alive\r\n\r\n")
        found = http.answer()
        assert (found.body, found.get("connection")) == (b"ok", b"keep-alive")


@pytest.mark.parametrize(
    ("method", "head"),
    [("HEAD", b"HTTP/1.1 200 OK\r\nContent-Length: 42\r\n\r\n"),
     ("GET", b"HTTP/1.1 304 Not Modified\r\nContent-Length: 42\r\n\r\n"),
     ("GET", b"HTTP/1.1 204 No Content\r\n\r\n"), ("HEAD", b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"),
     ("HEAD", b"HTTP/1.1 404 Not Found\r\n\r\n")],
)  # fmt: skip
def test_answers_without_a_body_end_at_their_head(http: Client, monolith: Upstream, method: str, head: bytes) -> None:
    monolith.respond = raw(head)
    for _ in range(3):
        found = http.get(method=method)
        assert found.fields[0][0] == head.split(b"\r\n")[1].split(b":")[0] or not head.split(b"\r\n")[1]
    # An answer to HEAD without framing does not say that the connection stays.
    assert len({received.connection for received in monolith.requests}) == (3 if b"404" in head else 1)


def test_pipelined_requests_are_answered_in_order(http: Client, monolith: Upstream) -> None:
    monolith.respond = lambda received, sock: answer(received.target + received.body)(received, sock)
    parts = []
    for number in range(60):
        body = b"b" * number
        if number % 3 == 0:
            parts.append(b"GET /%d HTTP/1.1\r\nHost: bank\r\n\r\n" % number)
        elif number % 3 == 1:
            parts.append(b"POST /%d HTTP/1.1\r\nHost: bank\r\nContent-Length: %d\r\n\r\n%b" % (number, number, body))
        else:
            parts.append(b"POST /%d HTTP/1.1\r\nHost: bank\r\nTransfer-Encoding: chunked\r\n\r\n%x\r\n%b\r\n0\r\n\r\n"
                         % (number, number, body))  # fmt: skip
    http.send(b"".join(parts))
    for number in range(60):
        body = b"" if number % 3 == 0 else b"b" * number
        assert http.answer().body == b"/%d" % number + body
    assert [received.target for received in monolith.requests] == [b"/%d" % number for number in range(60)]


@pytest.mark.parametrize("cut", range(1, 110, 7))
def test_the_same_in_whatever_pieces_it_arrives(http: Client, monolith: Upstream, cut: int) -> None:
    monolith.respond = lambda received, sock: answer(received.target + received.body)(received, sock)
    http.sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    data = (b"POST /one HTTP/1.1\r\nHost: bank\r\nTransfer-Encoding: chunked\r\n\r\n4\r\nabcd\r\n0\r\n\r\n"
            b"GET /two HTTP/1.1\r\nHost: bank\r\n\r\n")  # fmt: skip
    http.send(data[:cut])
    http.send(data[cut:])
    assert [http.answer().body, http.answer().body] == [b"/oneabcd", b"/two"]


def test_interim_answers_are_relayed(http: Client, monolith: Upstream) -> None:
    def respond(received: Received, sock: socket.socket) -> None:
        sock.sendall(b"HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\n")
        sock.sendall(b"HTTP/1.1 102 Processing\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok")

    monolith.respond = respond
    found = http.get()
    assert found.interim == [(b"HTTP/1.1 103 Early Hints", [(b"Link", b"</a>")]), (b"HTTP/1.1 102 Processing", [])]
    assert found.body == b"ok"


def test_expect_continue_is_between_client_and_upstream(http: Client, monolith: Upstream) -> None:
    def respond(received: Received, sock: socket.socket) -> None:
        sock.sendall(b"HTTP/1.1 100 Continue\r\n\r\n")
        received.body += sock.recv(4)
        sock.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\n" + received.body)

    monolith.respond = respond
    monolith.reads_body = False
    http.send(b"POST / HTTP/1.1\r\nHost: bank\r\nContent-Length: 4\r\nExpect: 100-continue\r\n\r\n")
    assert http.reader.line() == b"HTTP/1.1 100 Continue"
    assert http.reader.fields() == []
    http.send(b"body")
    assert http.answer().body == b"body"


def test_early_refusal_reaches_the_client_and_the_socket_is_not_used_again(http: Client, monolith: Upstream) -> None:
    monolith.reads_body = False
    monolith.respond = answer(b"too big", b"413 Content Too Large")
    http.send(b"POST / HTTP/1.1\r\nHost: bank\r\nContent-Length: 1000000\r\n\r\nabc")
    found = http.answer()
    assert (found.status, found.body, found.get("connection")) == (413, b"too big", b"close")
    assert http.is_closed()
    first = monolith.requests[0].connection
    with Client(http.sock.getpeername()[1]) as other:
        monolith.respond = answer()
        assert other.get().status == 200
    assert monolith.requests[1].connection != first


def test_half_closed_client_gets_its_answer(http: Client) -> None:
    http.send(b"GET / HTTP/1.1\r\nHost: bank\r\n\r\n")
    http.sock.shutdown(socket.SHUT_WR)
    assert http.answer().body == b"ok"
    assert http.is_closed()


def test_connection_close_ends_the_connection(http: Client, monolith: Upstream) -> None:
    http.send(b"GET / HTTP/1.1\r\nHost: bank\r\nConnection: close\r\n\r\nGET /never HTTP/1.1\r\nHost: bank\r\n\r\n")
    assert http.answer().get("connection") == b"close"
    assert http.is_closed()
    assert monolith.targets() == [b"/"]


def test_upstream_connections_are_used_again(http: Client, monolith: Upstream) -> None:
    for _ in range(10):
        http.get()
    assert len({received.connection for received in monolith.requests}) == 1


WEBSOCKET = (b"GET /ws HTTP/1.1\r\nHost: bank\r\nConnection: keep-alive, Upgrade\r\nUpgrade: websocket\r\n"
             b"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n")  # fmt: skip
SWITCH = (b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
          b"Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n\r\n")  # fmt: skip


def test_websocket_is_a_tunnel_after_101(http: Client, monolith: Upstream) -> None:
    def respond(received: Received, sock: socket.socket) -> None:
        sock.sendall(SWITCH + b"hello")
        while data := sock.recv(65536):
            sock.sendall(data[::-1])
        sock.sendall(b"bye")

    monolith.respond = respond
    http.send(WEBSOCKET + b"early")
    found = http.answer()
    assert (found.status, found.get("upgrade"), found.get("connection")) == (101, b"websocket", b"Upgrade")
    assert http.reader.exactly(10) == b"helloylrae"
    http.send(b"\x81\x85\r\n\r\n")
    assert http.reader.exactly(6) == b"\n\r\n\r\x85\x81"
    http.sock.shutdown(socket.SHUT_WR)
    assert http.reader.to_end() == b"bye"
    assert monolith.requests[0].all("connection") == [b"Upgrade"]


def test_bytes_after_a_refused_upgrade_are_the_next_request(http: Client, monolith: Upstream) -> None:
    http.send(WEBSOCKET + b"GET /next HTTP/1.1\r\nHost: bank\r\n\r\n")
    assert [http.answer().status, http.answer().status] == [200, 200]
    assert monolith.targets() == [b"/ws", b"/next"]
    assert monolith.requests[0].connection != monolith.requests[1].connection


def test_101_that_was_not_asked_for_is_a_bad_answer(http: Client, monolith: Upstream) -> None:
    monolith.respond = raw(SWITCH)
    assert http.get().status == 502
