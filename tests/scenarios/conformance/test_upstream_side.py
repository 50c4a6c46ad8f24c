"""T57 to T68: what a hostile or broken upstream can do, and what a client learns of it."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Iterator

import pytest
import uvloop

from gateway.wire.reset import reset
from tests.soak import soak
from tests.support.conformance import is_full
from tests.support.crossing import OK, Accepted, Client, Crossing, Outcome, crossing, saying
from tests.support.strict_http import Message
from tests.support.variants import GET, Wire, is_problem, reached, status_is

HOST = b"Host: bank\r\n"
EVIL = b"HTTP/1.1 200 OK\r\nX-Evil: 1\r\nContent-Length: 4\r\n\r\nevil"
POST = b"POST /asked HTTP/1.1\r\nHost: bank\r\nContent-Length: 3\r\n\r\nabc"


def test_t57_answers_framed_twice_or_oddly_are_502(wire: Wire) -> None:
    def said(fields: bytes, body: bytes = b"ok") -> bytes:
        return b"HTTP/1.1 200 OK\r\n" + fields + b"\r\n" + body

    lengths = (b"+2", b"-2", b"0x2", b"2, 2", b"2,2", b"2 2", b"", b"two", b"2;", b"99999999999999999999", b"\xb2")
    codings = (
        b"gzip, chunked",
        b"chunked, gzip",
        b"gzip",
        b"identity",
        b"chunked, chunked",
        b"",
        b"xchunked",
        b"chunked;a=b",
    )
    wire.answered({
        "both": said(b"Content-Length: 2\r\nTransfer-Encoding: chunked\r\n", b"0\r\n\r\n"),
        "both, the other way": said(b"Transfer-Encoding: chunked\r\nContent-Length: 2\r\n", b"0\r\n\r\n"),
        "twice the same": said(b"Content-Length: 2\r\nContent-Length: 2\r\n"),
        "twice different": said(b"Content-Length: 2\r\nContent-Length: 3\r\n"),
        "two codings": said(b"Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n", b"0\r\n\r\n"),
        **{f"length {value!r}": said(b"Content-Length: " + value + b"\r\n") for value in lengths},
        **{f"coding {value!r}": said(b"Transfer-Encoding: " + value + b"\r\n", b"0\r\n\r\n") for value in codings},
    }, status_is(502))  # fmt: skip
    wire.answered(
        {
            "good": said(b"Content-Length: 2\r\n"),
            "capitals": said(b"Transfer-Encoding: CHUNKED\r\n", b"2\r\nok\r\n0\r\n\r\n"),
        },
        status_is(200),
    )


TRUNCATED = {
    "length": b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nonly this",
    "length, no byte": b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\n",
    "between chunks": b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n9\r\nonly this\r\n",
    "in a chunk": b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n64\r\nonly this",
    "in a size": b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n9\r\nonly this\r\n0",
    "in the trailers": b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n9\r\nonly this\r\n0\r\nA: b\r\n",
    "bad chunk": b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n9\r\nonly this\r\nx\r\n",
    "chunk too long": b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nonly this\r\n0\r\n\r\n",
}


def test_t58_a_truncated_answer_is_visibly_incomplete(wire: Wire) -> None:
    def visible(outcome: Outcome) -> None:
        assert not outcome.kept
        assert [answer.status for answer in outcome.answers] in ([], [502])
        assert outcome.answers or outcome.unfinished or outcome.was_reset

    for name, data in TRUNCATED.items():
        for version in (b"1", b"0"):
            request = b"GET /asked HTTP/1." + version + b"\r\n" + HOST + b"\r\n"
            wire.upstream.reset()
            wire.answered(
                {f"{name} to 1.{version.decode()}": data}, _visibly(wire, visible), request=request, closes=True
            )


def _visibly(wire: Wire, check: object) -> object:
    """In pieces, more may have reached the client before the end than in one; that it ends badly is the same."""

    def run(outcome: Outcome) -> None:
        check(outcome)  # type: ignore[operator]
        outcome.answers, outcome.unfinished = [], []

    return run


def test_t59_bytes_after_an_answer_reach_nobody(wire: Wire) -> None:
    extras = (b"more", EVIL, b"\0", b"HTTP/1.1 200 OK\r\n", b"\r\n", b"0\r\n\r\n")
    plain = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"
    chunked = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nok\r\n0\r\nX-End: 1\r\n\r\n"

    def alone(outcome: Outcome) -> None:
        status_is(200)(outcome)
        (answer,) = outcome.answers
        assert answer.body == b"ok"
        assert answer.trailers in ([], [(b"X-End", b"1")])

    for base in (plain, chunked):
        wire.answered({f"{base[17:34]!r} and {extra!r}": base + extra for extra in extras}, alone)
    wire.crossing.run(_unasked(wire))


async def _unasked(wire: Wire) -> None:
    """On an idle socket; and in the moment between the loop's look at it and its next use."""
    one = wire.crossing
    for waits in (True, False):
        wire.upstream.reset()
        async with one.client() as client:
            client.methods = [b"GET"] * 2
            await one.send(client, [GET])
            await client.until(lambda c: len(c.done) == 1, "the first answer")
            (first,) = wire.upstream.served_by
            raw = first.transport.get_extra_info("socket")
            with socket.socket(fileno=socket.dup(raw.fileno())) as direct:
                direct.send(EVIL)  # it is in the gateway's receive buffer from here on
                if waits:
                    await one.until(lambda f=first: f.is_lost, "the socket is closed")  # type: ignore[misc]
                else:
                    (downstream,) = one.worker.downstreams
                    downstream.data_received(GET)  # the request comes before the loop has looked at the socket
            if waits:
                await one.send(client, [GET])
            await client.until(lambda c: len(c.done) == 2, "the second answer")
            assert [answer.all("x-evil") for answer in client.done] == [[], []]
            assert wire.upstream.served_by[1] is not first
        await one.quiet()
        wire.variants += 1


def test_t60_malformed_status_lines_are_502(wire: Wire) -> None:
    rest = b"\r\nContent-Length: 2\r\n\r\nok"
    bad = (b"HTTP/1.1 2000 OK", b"HTTP/2.0 200 OK", b"HTTP/1.1 20 OK", b"HTTP/1.1  200 OK", b"HTTP/1.1 OK", b"HTTP/1.1", b"200 OK",
           b"HTTP/1.1 200OK", b"HTTP/1.1 099 OK", b"HTTP/1.1\t200 OK", b"ICY 200 OK", b"HTTP/1.10 200 OK", b" HTTP/1.1 200 OK",
           b"HTTP/1.1 200 O\0K", b"HTTP/1.1 -20 OK", b"hello", b"HTTP/0.9 200 OK", b"http/1.1 200 OK", b"HTTP/1.1 2x0 OK")  # fmt: skip
    wire.answered({repr(line): line + rest for line in bad}, status_is(502))
    wire.answered({"HTTP/0.9": b"<html>hello</html>"}, status_is(502), closes=True)

    def reason(value: bytes) -> object:
        def check(outcome: Outcome) -> None:
            status_is(200)(outcome)
            assert outcome.answers[0].start[2] == value

        return check

    for line, value in ((b"HTTP/1.1 200 ", b""), (b"HTTP/1.1 200", b""), (b"HTTP/1.1 200 All  is Well", b"All  is Well"),
                        (b"HTTP/1.1 200 \xc9t\xe9", b"\xc9t\xe9")):  # fmt: skip
        wire.answered({repr(line): line + rest}, reason(value))  # type: ignore[arg-type]
    wire.answered({"1.0": b"HTTP/1.0 200 OK" + rest}, status_is(200))
    wire.answered({"another status": b"HTTP/1.1 799 Odd" + rest}, status_is(799))


def test_t61_no_answer_reaches_another_request(request: pytest.FixtureRequest, variants: list[str]) -> None:
    total = 40_000 if is_full(request.config) else 6_000
    tally, hostile, _ = uvloop.run(soak(total, 61, total))
    variants += ["request"] * tally.total
    assert (tally.wrong(hostile.crossed), tally.malformed, tally.hung, hostile.dirty) == (0, 0, 0, 0), tally
    assert tally.right > 0.8 * total
    assert min(hostile.acts.values()) >= 3, "every kind of malice came up"


def test_t62_a_socket_that_was_authenticated_serves_nobody_else(wire: Wire) -> None:
    def sockets_of(request: bytes, answer: bytes) -> int:
        async def two() -> int:
            wire.upstream.reset()
            wire.upstream.respond = saying(answer)
            for _ in range(2):
                async with wire.crossing.client() as client:
                    await wire.crossing.send(client, [request])
                    await client.until(lambda c: c.done, "the answer")
                await wire.crossing.quiet()
            return len(set(map(id, wire.upstream.served_by)))

        wire.variants += 1
        return wire.crossing.run(two())

    for scheme in (b"NTLM", b"Negotiate", b"negotiate abc=", b"Basic realm=x, NTLM"):
        challenge = b"HTTP/1.1 401 Unauthorized\r\nWWW-Authenticate: " + scheme + b"\r\nContent-Length: 0\r\n\r\n"
        assert sockets_of(GET, challenge) == 2
    for scheme in (b"NTLM TlRMTVNTUAAD", b"Negotiate YII="):
        assert sockets_of(GET.replace(b"Host", b"Authorization: " + scheme + b"\r\nHost"), OK) == 2
    assert sockets_of(GET.replace(b"Host", b"Authorization: Basic eA==\r\nHost"), OK) == 1


MOMENTS = ("after the head", "in the body", "after the request", "in the answer's head", "after an interim answer")


@pytest.mark.parametrize("method", ["GET", "HEAD", "OPTIONS", "POST", "PUT", "PATCH", "DELETE"])
def test_t63_a_write_is_never_sent_twice_and_a_read_once_more_at_most(wire: Wire, method: str) -> None:
    one = wire.crossing
    is_read = method in ("GET", "HEAD", "OPTIONS")

    async def deliveries(moment: str, *, warm: bool, body: bytes) -> tuple[int, Message]:
        for connection in wire.upstream.connections:
            connection.transport.abort()
        await one.until(lambda: not one.worker.pools["monolith"].open_count, "no connection is left from before")
        wire.upstream.reset()
        async with one.client() as client:
            client.methods = [b"GET", method.encode()] if warm else [method.encode()]
            if warm:
                await one.send(client, [GET])
                await client.until(lambda c: c.done, "a first answer")
            wire.upstream.reset()

            def hang_up(connection: Accepted, message: Message) -> None:
                words = {MOMENTS[3]: b"HTTP/1.1 2", MOMENTS[4]: b"HTTP/1.1 103 Early Hints\r\n\r\n"}
                connection.say(words.get(moment, b""))
                connection.transport.close()

            if moment in MOMENTS[:2]:
                wire.upstream.early = hang_up
            else:
                wire.upstream.respond = hang_up
            head = f"{method} /once HTTP/1.1\r\nHost: bank\r\n" + (
                f"Content-Length: {len(body)}\r\n\r\n" if body else "\r\n"
            )
            await one.send(client, [head.encode(), body[:1], body[1:]] if body else [head.encode()])
            count = 2 if warm else 1
            await client.until(lambda c: len(c.done) == count or c.is_closed, "an answer or the end")
            return wire.upstream.heads, client.done[-1]

    for moment in MOMENTS:
        for warm in (False, True):
            for body in (b"", b"abcdef"):
                heads, answer = one.run(deliveries(moment, warm=warm, body=body))
                is_safe = is_read and not body and moment in MOMENTS[:3]
                assert heads == (2 if is_safe and warm else 1), (moment, warm, body)
                if not is_read:
                    assert answer.status == 502, (moment, warm, body)
                    assert b'"outcome": "unknown"' in answer.body
                one.run(one.quiet())
                wire.variants += 1


def test_t65_an_early_answer_is_relayed_at_once_and_its_socket_is_not_used_again(wire: Wire) -> None:
    one = wire.crossing

    async def early(head: bytes, rest: bytes) -> None:
        wire.upstream.reset()
        wire.upstream.early = saying(b"HTTP/1.1 413 Content Too Large\r\nContent-Length: 7\r\n\r\ntoo big")
        async with one.client() as client:
            await one.send(client, [head])
            await client.until(lambda c: c.done, "the answer comes before the body")
            assert (client.done[0].status, client.done[0].all("connection")) == (413, [b"close"])
            await one.send(client, [rest])
            await client.until(lambda c: c.is_closed, "the end")
        assert wire.upstream.requests == []
        await one.quiet()
        (used,) = [
            c for c in wire.upstream.connections if c.reader.messages and not c.reader.messages[-1].is_complete
        ] or [None]
        assert used is None or used.is_lost

    head = b"POST /early HTTP/1.1\r\nHost: bank\r\n"
    one.run(early(head + b"Content-Length: 1000000\r\n\r\nabc", b"d" * 999_997))
    one.run(early(head + b"Transfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n", b"3\r\ndef\r\n0\r\n\r\n"))
    wire.variants += 2
    wire.passed({"the next one": GET}, reached(b"/asked"))


def test_t66_half_closed_clients_get_their_answer_and_writes_run_to_their_end(wire: Wire) -> None:
    one = wire.crossing

    async def half_close(data: bytes) -> None:
        wire.upstream.reset()
        async with one.client() as client:
            await one.send(client, [data])
            client.transport.write_eof()
            await client.until(lambda c: c.is_closed, "the end")
            assert [answer.body for answer in client.done] == [b"ok"]
        await one.quiet()

    async def leave(data: bytes) -> tuple[bool, int]:
        wire.upstream.reset()
        wire.upstream.respond = lambda connection, message: None
        async with one.client() as client:
            await one.send(client, [data])
            await one.until(lambda: wire.upstream.requests, "the request is at the upstream")
            reset(client.transport)
        await one.until(lambda: not one.worker.downstreams, "the client is gone")
        (connection,) = wire.upstream.served_by
        for _ in range(20):
            await asyncio.sleep(0)
        went_on, running = not connection.is_lost, len(one.worker.orphans)
        connection.say(OK)
        await one.until(lambda: not one.worker.orphans, "it has ended")
        return went_on, running

    for data in (GET, POST):
        one.run(half_close(data))
    assert one.run(leave(POST)) == (True, 1)
    assert one.run(leave(GET)) == (False, 0)
    wire.variants += 4


TIMEOUTS = """
version: 1
upstreams:
  monolith: {{url: "{url}", timeout: 300ms}}
  nowhere: {{url: "http://127.0.0.1:NOWHERE", connect_timeout: 300ms}}
  deaf: {{url: "http://127.0.0.1:DEAF", connect_timeout: 300ms}}
  silent_tls: {{url: "https://127.0.0.1:SILENT", connect_timeout: 300ms}}
routes:
  - {{match: "* /{{rest...}}", upstream: monolith}}
  - {{match: "* /nowhere", upstream: nowhere}}
  - {{match: "* /deaf", upstream: deaf}}
  - {{match: "* /silent_tls", upstream: silent_tls}}
"""


@pytest.fixture(scope="module")
def timing() -> Iterator[Crossing]:
    """Ports where nothing listens, where the queue is full, and where TLS is never answered."""
    with socket.socket() as nowhere, socket.socket() as deaf, socket.socket() as silent:
        nowhere.bind(("127.0.0.1", 0))
        for one, backlog in ((deaf, 0), (silent, 8)):
            one.bind(("127.0.0.1", 0))
            one.listen(backlog)
        fill = [socket.socket() for _ in range(4)]
        for sock in fill:
            sock.setblocking(False)
            sock.connect_ex(deaf.getsockname())
        ports = {"NOWHERE": nowhere, "DEAF": deaf, "SILENT": silent}
        routes = TIMEOUTS
        for name, sock in ports.items():
            routes = routes.replace(name, str(sock.getsockname()[1]))
        with crossing(routes, total_seconds=1.2) as world:
            yield world
        for sock in fill:
            sock.close()


async def _ask(one: Crossing, target: str, method: str) -> Client:
    async with one.client() as client:
        client.methods = [method.encode()]
        await one.send(client, [f"{method} /{target} HTTP/1.1\r\nHost: bank\r\n\r\n".encode()])
        await client.until(lambda c: c.done or c.is_closed, "an answer or the end")
        await asyncio.sleep(0)
        return client


def test_t67_each_timeout_has_a_reason_of_its_own(timing: Crossing, variants: list[str]) -> None:
    expected = {"nowhere": (502, "upstream_unreachable"), "deaf": (504, "upstream_connect_timeout"),
                "silent_tls": (504, "upstream_connect_timeout"), "silent": (504, "upstream_timeout")}  # fmt: skip
    timing.upstream.respond = lambda connection, message: None
    for target, (status, reason) in expected.items():
        (answer,) = timing.run(_ask(timing, target, "GET")).done
        is_problem(answer, (status,))
        assert f"problem:{reason}".encode() in answer.body
        (answer,) = timing.run(_ask(timing, target, "POST")).done
        outcome = b"unknown" if target == "silent" else b"not sent"
        assert answer.status == (502 if target == "silent" else status)
        assert b'"outcome": "' + outcome in answer.body
        variants += [target] * 2
    problems = timing.worker.metrics.problems
    timing.upstream.respond = saying(b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nabc")
    client = timing.run(_ask(timing, "stalls", "GET"))
    assert client.is_closed
    assert not client.done
    assert problems["upstream_stalled"] == 1

    def trickle(connection: Accepted, message: Message) -> None:
        connection.say(b"x")
        if not connection.is_lost:
            timing.loop.call_later(0.05, trickle, connection, message)

    def begin(connection: Accepted, message: Message) -> None:
        connection.say(b"HTTP/1.1 200 OK\r\nContent-Length: 900\r\n\r\n")
        trickle(connection, message)

    timing.upstream.respond = begin
    client = timing.run(_ask(timing, "for-ever", "GET"))
    assert client.is_closed
    assert not client.done
    assert problems["total_timeout"] == 1
    variants += ["stalls", "total"]


def test_t68_own_answers_say_nothing_of_the_upstream(timing: Crossing, variants: list[str]) -> None:
    def broken(connection: Accepted, message: Message) -> None:
        connection.say(b"HTTP/1.1 200 OK\r\nX-Secret : CORE87\r\nContent-Length: 2\r\n\r\nok")

    timing.upstream.respond = broken
    for target in ("nowhere", "deaf", "broken"):
        for method in ("GET", "HEAD", "POST"):
            (answer,) = timing.run(_ask(timing, target, method)).done
            assert answer.status in (502, 504)
            assert answer.all("date")
            assert answer.all("content-length")
            if method != "HEAD":
                is_problem(answer, (502, 504))
            said = b"".join(name + value for name, value in answer.fields) + answer.body
            for secret in (
                b"127.0.0.1",
                str(timing.upstream.port).encode(),
                b"CORE87",
                b"monolith",
                b"Traceback",
                b".py",
                b"nowhere",
            ):
                assert secret not in said
            variants.append(target)
