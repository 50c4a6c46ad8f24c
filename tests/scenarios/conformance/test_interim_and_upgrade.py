"""T48 to T56: Expect, interim answers, answers without a body, upgrades."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator

import pytest

from tests.support.crossing import OK, Accepted, Client, Crossing, Outcome, crossing, saying
from tests.support.strict_http import Message
from tests.support.variants import Wire, reached, status_is

HOST = b"Host: bank\r\n"
NEXT = b"GET /next HTTP/1.1\r\nHost: bank\r\n\r\n"
KEY = b"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n"
UPGRADE = b"GET /ws HTTP/1.1\r\nHost: bank\r\nConnection: keep-alive, Upgrade\r\nUpgrade: websocket\r\n" + KEY + b"\r\n"
SWITCH = (b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
          b"Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n\r\n")  # fmt: skip
EXPECTING = b"POST /expecting HTTP/1.1\r\nHost: bank\r\nContent-Length: 4\r\nExpect: 100-continue\r\n\r\n"


def test_t48_expectations_are_between_client_and_upstream(wire: Wire) -> None:
    crossing = wire.crossing

    async def expect() -> None:
        async with crossing.client() as client:
            await crossing.send(client, [EXPECTING])
            await client.until(lambda c: c.answers.messages, "100 comes")
            assert client.answers.messages[0].status == 100
            await crossing.send(client, [b"body"])
            await client.until(lambda c: c.done, "the answer")
        assert wire.upstream.requests[0].body == b"body"
        assert wire.upstream.requests[0].get("expect") == b"100-continue"

    wire.upstream.early = saying(b"HTTP/1.1 100 Continue\r\n\r\n")
    wire.upstream.early_then_whole = True
    crossing.run(expect())
    wire.variants += 1

    async def refuse() -> None:
        async with crossing.client() as client:
            await crossing.send(client, [EXPECTING])
            await client.until(lambda c: c.done and c.is_closed, "the refusal, and the end")
            assert client.done[0].status == 417
        assert wire.upstream.requests == []
        await crossing.quiet()
        assert all(connection.is_lost for connection in wire.upstream.connections if connection.reader.messages[-1:] and
                   not connection.reader.messages[-1].is_complete)  # fmt: skip

    wire.upstream.reset()
    wire.upstream.early = saying(b"HTTP/1.1 417 Expectation Failed\r\nContent-Length: 0\r\n\r\n")
    crossing.run(refuse())
    wire.variants += 1
    wire.passed(
        {repr(value): EXPECTING.replace(b"100-continue", value) + b"body" for value in (b"x 100-continue", b"200-ok", b"100-CONTINUE")},
        reached(b"/expecting"),
    )  # fmt: skip
    wire.passed({"the body at once": EXPECTING + b"body"}, reached(b"/expecting"))
    twice = EXPECTING.replace(b"Expect:", b"Expect: 100-continue\r\nExpect:")
    wire.refused({"twice": twice})


def test_t49_interim_answers_are_relayed_to_who_knows_them(wire: Wire) -> None:
    hints = b"HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\n"

    def relayed(outcome: Outcome) -> None:
        status_is(200)(outcome)
        assert [message.status for message in outcome.interim] == [103, 102]
        assert outcome.interim[0].fields == [(b"Link", b"</a>")]

    wire.answered({"two": hints + b"HTTP/1.1 102 Processing\r\n\r\n" + OK}, relayed)
    wire.answered(
        {"framed": hints.replace(b"Link", b"Content-Length: 0\r\nLink") + b"HTTP/1.1 102 Processing\r\n\r\n" + OK},
        relayed,
    )

    def silent(outcome: Outcome) -> None:
        status_is(200, kept=False)(outcome)
        assert outcome.interim == []

    old = b"GET /asked HTTP/1.0\r\n" + HOST + b"\r\n"
    wire.answered({"to 1.0": hints + OK}, silent, request=old)
    wire.answered({"a flood": b"HTTP/1.1 103 Early Hints\r\n\r\n" * 100 + OK}, status_is(502))
    wire.answered({"alone": hints}, status_is(502), closes=True)
    wire.answered({"endless": b"HTTP/1.1 103 Early Hints\r\na: " + b"b" * 100_000}, status_is(502))


@pytest.mark.parametrize("status", [b"204 No Content", b"205 Reset Content", b"304 Not Modified"])
def test_t50_bodyless_answers_have_no_body_and_what_follows_goes_nowhere(wire: Wire, status: bytes) -> None:
    evil = b"HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nevil"
    number = int(status[:3])

    def bare(outcome: Outcome) -> None:
        status_is(number)(outcome)
        (answer,) = outcome.answers
        assert answer.body == b""
        if number == 204:
            assert not answer.all("content-length") + answer.all("transfer-encoding")
        if number == 205:
            assert answer.all("content-length") == [b"0"]

    head = b"HTTP/1.1 " + status + b"\r\nX-A: b\r\n"
    wire.answered(
        {"bare": head + b"Content-Length: 0\r\n\r\n", "chunked": head + b"Transfer-Encoding: chunked\r\n\r\n0\r\n\r\n"},
        bare,
    )
    wire.answered(
        {
            "another answer": head + b"Content-Length: 0\r\n\r\n" + evil,
            "framed": head + b"Content-Length: 4\r\n\r\nevil",
        },
        bare,
    )
    wire.answered({"of unknown length": head + b"\r\n" + (b"" if number == 205 else b"evil")}, bare, closes=True)


def test_t51_an_answer_to_head_has_no_body(wire: Wire) -> None:
    head = b"HEAD /asked HTTP/1.1\r\n" + HOST + b"\r\n"

    def bare(outcome: Outcome) -> None:
        status_is(200)(outcome)
        assert (outcome.answers[0].get("content-length"), outcome.answers[0].body) == (b"42", b"")

    answer = b"HTTP/1.1 200 OK\r\nContent-Length: 42\r\n\r\n"
    wire.answered(
        {"length": answer, "with its body": answer + b"b" * 42, "with another answer": answer + OK},
        bare,
        request=head,
        method=b"HEAD",
    )

    def chunked(outcome: Outcome) -> None:
        status_is(200)(outcome)
        assert outcome.answers[0].body == b""

    wire.answered({"chunks": b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n", "nothing said": b"HTTP/1.1 200 OK\r\n\r\n",
                   "with chunks": b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n4\r\nevil\r\n0\r\n\r\n"}, chunked, request=head, method=b"HEAD")  # fmt: skip


def test_t52_a_length_in_304_makes_nobody_wait(wire: Wire) -> None:
    def bare(outcome: Outcome) -> None:
        status_is(304)(outcome)
        assert outcome.answers[0].get("content-length") == b"42"

    wire.answered({"length": b"HTTP/1.1 304 Not Modified\r\nContent-Length: 42\r\nETag: x\r\n\r\n"}, bare)


def test_t53_only_a_well_formed_upgrade_to_websocket_is_forwarded(wire: Wire) -> None:
    def stripped(outcome: Outcome) -> None:
        reached(b"/ws")(outcome)
        assert (
            not outcome.requests[0].all("upgrade")
            + outcome.requests[0].all("connection")
            + outcome.requests[0].all("http2-settings")
        )

    cases = {
        "h2c": UPGRADE.replace(b"websocket", b"h2c").replace(b"Host", b"HTTP2-Settings: AAM\r\nHost"),
        "TLS": UPGRADE.replace(b"websocket", b"TLS/1.0"), "two": UPGRADE.replace(b"websocket", b"websocket, h2c"),
        "custom": UPGRADE.replace(b"websocket", b"x"), "no key": UPGRADE.replace(b"Sec-WebSocket-Key", b"X-Key"),
        "bad key": UPGRADE.replace(b"dGhl", b"d"), "version": UPGRADE.replace(b"Version: 13", b"Version: 8"),
        "not nominated": UPGRADE.replace(b"keep-alive, Upgrade", b"keep-alive"),
        "with a body": UPGRADE.replace(b"Host", b"Content-Length: 3\r\nHost") + b"abc",
        "two lines": UPGRADE.replace(b"Upgrade: websocket", b"Upgrade: h2c\r\nUpgrade: websocket"),
    }  # fmt: skip
    wire.passed(cases, stripped)
    wire.passed({"POST": UPGRADE.replace(b"GET", b"POST").replace(b"Host", b"Content-Length: 0\r\nHost")}, stripped)
    old = UPGRADE.replace(b"HTTP/1.1", b"HTTP/1.0")
    wire.passed({"1.0": old}, stripped)

    def forwarded(outcome: Outcome) -> None:
        reached(b"/ws")(outcome)
        (seen,) = outcome.requests
        assert (seen.all("connection"), seen.all("upgrade")) == ([b"Upgrade"], [b"websocket"])
        assert seen.get("sec-websocket-key") == b"dGhlIHNhbXBsZSBub25jZQ=="

    wire.passed({"good": UPGRADE, "in capitals": UPGRADE.replace(b"websocket", b"WebSocket")}, forwarded)


def test_t54_a_switch_that_was_not_asked_for_is_502(wire: Wire) -> None:
    wire.answered({"101": SWITCH, "with bytes": SWITCH + b"evil" + OK}, status_is(502))
    other = {"to another": SWITCH.replace(b"Upgrade: websocket", b"Upgrade: h2c"), "to nothing": SWITCH.replace(b"Upgrade: websocket\r\n", b""),
             "without accept": SWITCH.replace(b"Sec-WebSocket-Accept", b"X-Accept")}  # fmt: skip
    wire.answered(other, status_is(502), request=UPGRADE)
    wire.answered({"a plain answer": OK}, status_is(200), request=UPGRADE)
    wire.answered({"a refusal": OK.replace(b"200 OK", b"403 No")}, status_is(403), request=UPGRADE)
    assert not any(
        c.reader.messages and c.reader.messages[-1].target == b"/ws" and not c.is_lost
        for c in wire.upstream.connections
    )


def test_t55_bytes_after_an_upgrade_wait_for_101(wire: Wire) -> None:
    crossing = wire.crossing

    async def hold(say: bytes) -> tuple[bytes, list[bytes]]:
        wire.upstream.reset()
        wire.upstream.respond = lambda connection, message: None
        async with crossing.client() as client:
            await crossing.send(client, [UPGRADE, NEXT])
            await crossing.until(lambda: wire.upstream.requests, "the upgrade is at the upstream")
            for _ in range(20):
                await asyncio.sleep(0)
            (connection,) = wire.upstream.served_by
            assert connection.reader.raw.endswith(b"\r\n\r\n")
            assert NEXT not in connection.reader.raw
            wire.upstream.respond = saying(OK)
            if say == SWITCH:
                connection.reader.tunnel()
            await crossing.say(connection, [say])
            if say == SWITCH:
                await crossing.until(lambda: connection.reader.tunnelled, "what came early passes")
            else:
                await client.until(lambda c: len(c.done) == 2, "both answers")
            targets = [message.target for message in wire.upstream.requests]
            tunnelled = connection.reader.tunnelled
            connection.transport.abort()
        await crossing.until(lambda: not crossing.worker.downstreams, "the client is dismissed")
        return tunnelled, targets

    assert crossing.run(hold(SWITCH)) == (NEXT, [b"/ws"])
    assert crossing.run(hold(OK)) == (b"", [b"/ws", b"/next"])
    wire.variants += 2
    wire.passed({"refused": UPGRADE + NEXT}, reached(b"/ws", b"/next"), answers=2)
    wire.refused({"full policy": UPGRADE + b"GET /next HTTP/1.1\r\nHost : bank\r\n\r\n"}, before=[b"/ws"])


FRAMES = (b"\x81\x05hello\x01\x03abc\x80\x00\xf1\x01x\x89\xfe\x00\x00" + b"\x82\x7f" + (70_000).to_bytes(8, "big") + bytes(range(256)) * 273
          + b"\r\n\r\nGET / HTTP/1.1\r\n\r\n")  # fmt: skip


async def _tunnel(crossing: Crossing, client: Client) -> Accepted:
    def switch(connection: Accepted, message: Message) -> None:
        connection.reader.tunnel()
        connection.say(SWITCH)

    crossing.upstream.reset()
    crossing.upstream.respond = switch
    await crossing.send(client, [UPGRADE])
    await client.until(lambda c: c.done, "101")
    assert client.done[0].status == 101
    return crossing.upstream.served_by[0]


@pytest.fixture(scope="module")
def impatient() -> Iterator[Crossing]:
    with crossing(tunnel_idle_seconds=0.3, tunnel_seconds=1.0) as one:
        yield one


def test_t56_a_websocket_is_byte_exact_half_closes_and_ends(wire: Wire, impatient: Crossing) -> None:
    async def both_ways(pieces: list[bytes]) -> None:
        async with wire.crossing.client() as client:
            connection = await _tunnel(wire.crossing, client)
            await wire.crossing.send(client, pieces)
            await wire.crossing.say(connection, pieces)
            await wire.crossing.until(lambda: len(connection.reader.tunnelled) >= len(FRAMES), "all is at the upstream")
            await client.until(lambda c: len(c.answers.tunnelled) >= len(FRAMES), "all is at the client")
            assert connection.reader.tunnelled == client.answers.tunnelled == FRAMES
            client.transport.write_eof()
            await wire.crossing.until(lambda: connection.has_ended, "the client's end is at the upstream")
            assert not client.is_closed
            connection.say(b"bye")
            connection.transport.write_eof()
            await client.until(lambda c: c.is_closed, "the upstream's end is at the client")
            assert client.answers.tunnelled == FRAMES + b"bye"

    for size in (len(FRAMES), 1, 997, 4096):
        head = FRAMES[: 200 if size == 1 else len(FRAMES)]
        pieces = [head[start : start + size] for start in range(0, len(head), size)] + (
            [FRAMES[200:]] if size == 1 else []
        )
        wire.crossing.run(both_ways(pieces))
        wire.variants += 1

    async def ends(*, idle: bool) -> float:
        async with impatient.client() as client:
            connection = await _tunnel(impatient, client)
            began = impatient.loop.time()
            while not client.is_closed:
                assert impatient.loop.time() - began < 5
                if not idle:
                    connection.say(b"\x89\x00")
                await asyncio.sleep(0.05)
            return impatient.loop.time() - began

    assert 0.3 <= impatient.run(ends(idle=True)) < 0.9
    assert 0.9 <= impatient.run(ends(idle=False)) < 2
    wire.variants += 2


def test_t56_a_drain_says_1001_between_two_frames(wire: Wire) -> None:
    async def drain(one: Crossing, sent: bytes) -> tuple[bytes, bytes]:
        async with one.client() as client:
            connection = await _tunnel(one, client)
            await one.say(connection, [sent])
            await client.until(lambda c: len(c.answers.tunnelled) == len(sent), "the frames are there")
            work = one.loop.create_task(one.worker.drain(0.5))
            await client.until(lambda c: c.is_closed, "the end")
            await work
            return client.answers.tunnelled[len(sent) :], connection.reader.tunnelled

    for sent, said in ((b"\x81\x05hello", b"\x88\x02\x03\xe9"), (b"", b"\x88\x02\x03\xe9"), (b"\x81\x05hel", b"")):
        with crossing() as one:
            to_client, to_upstream = one.run(drain(one, sent))
        assert to_client == said
        assert to_upstream[:2] == b"\x88\x82"
        mask = to_upstream[2:6]
        assert bytes(a ^ b for a, b in zip(to_upstream[6:], mask, strict=False)) == b"\x03\xe9"
        wire.variants += 1
