"""T32 to T47: where a request ends, and what the next one is."""

from __future__ import annotations

import asyncio

from tests.support.crossing import OK, Outcome, saying
from tests.support.strict_http import Message
from tests.support.variants import Check, Wire, reached

HOST = b"Host: bank\r\n"
NEXT = b"GET /smuggled HTTP/1.1\r\nHost: bank\r\n\r\n"
CHUNKED = b"Transfer-Encoding: chunked\r\n"


def post(fields: bytes, body: bytes = b"", version: bytes = b"1.1") -> bytes:
    return b"POST /asked HTTP/" + version + b"\r\n" + HOST + fields + b"\r\n" + body


def lengths(*values: bytes) -> dict[str, bytes]:
    return {repr(value[:24]): post(b"Content-Length: " + value + b"\r\n", b"abcde") + NEXT for value in values}


def codings(*values: bytes) -> dict[str, bytes]:
    return {repr(v): post(b"Transfer-Encoding: " + v + b"\r\n", b"5\r\nabcde\r\n0\r\n\r\n") + NEXT for v in values}


def bodies(*values: bytes) -> dict[str, bytes]:
    return {repr(value[:24]): post(CHUNKED, value) + NEXT for value in values}


def arrives(body: bytes, framing: str, trailers: list[tuple[bytes, bytes]] | None = None) -> Check:
    def check(outcome: Outcome) -> None:
        reached(b"/asked")(outcome)
        (seen,) = outcome.requests
        assert (seen.body, seen.framing, seen.trailers) == (body, framing, trailers or [])
        assert len(seen.all("content-length")) + len(seen.all("transfer-encoding")) == (framing != "none")

    return check


def test_t32_both_framings_are_refused(wire: Wire) -> None:
    length = b"Content-Length: 5\r\n"
    wire.refused({
        "length first": post(length + CHUNKED, b"0\r\n\r\n") + NEXT,
        "coding first": post(CHUNKED + length, b"0\r\n\r\n") + NEXT,
        "zero": post(b"Content-Length: 0\r\n" + CHUNKED, b"0\r\n\r\n") + NEXT,
        "apart": post(length + b"A: b\r\n" + CHUNKED, b"0\r\n\r\n") + NEXT,
        "odd coding": post(length + b"Transfer-Encoding: xchunked\r\n", b"abcde") + NEXT,
        "in other cases": post(b"CONTENT-length: 5\r\ntransfer-ENCODING: CHUNKED\r\n", b"0\r\n\r\n") + NEXT,
    })  # fmt: skip


def test_t33_repeated_lengths_are_refused(wire: Wire) -> None:
    wire.refused({
        "differing": post(b"Content-Length: 3\r\nContent-Length: 5\r\n", b"abcde") + NEXT,
        "the same": post(b"Content-Length: 5\r\nContent-Length: 5\r\n", b"abcde") + NEXT,
        "in another case": post(b"Content-Length: 5\r\nA: b\r\ncontent-length: 5\r\n", b"abcde") + NEXT,
        **lengths(b"5, 6", b"5, 5", b"5,5", b"5 5"),
    })  # fmt: skip


def test_t34_a_length_is_plain_digits(wire: Wire) -> None:
    wire.refused(lengths(
        b"+5", b"-5", b"0x5", b"5_0", "\u0665".encode(), b"1e1", b"5.0", b'""', b'"5"', b"", b" ", b"5 5", b"00000005", b"05",
        b"5;", b"5\t5", b"0b1", b"five", b"5h", b"9223372036854775808", b"18446744073709551616", b"18446744073709551621",
        b"1" + b"0" * 1000,
    ), (400, 413))  # fmt: skip
    wire.passed(
        {"5": post(b"Content-Length: 5\r\n", b"abcde"), "spaces": post(b"Content-Length:  5 \t\r\n", b"abcde")},
        arrives(b"abcde", "length"),
    )
    wire.passed({"0": post(b"Content-Length: 0\r\n")}, arrives(b"", "length"))


def test_t35_no_coding_but_chunked(wire: Wire) -> None:
    wire.refused({
        **codings(b"gzip, chunked", b"chunked, gzip", b"chunked, chunked", b",chunked", b"chunked,", b"chunked;a=b", b"", b"identity",
                  b"xchunked", b"\x0bchunked", b"gzip", b"chunked x", b"chunke", b"chunked\xa0", b'"chunked"', b"chunked, identity"),
        "two lines": post(CHUNKED + CHUNKED, b"0\r\n\r\n") + NEXT,
        "two different": post(b"Transfer-Encoding: gzip\r\n" + CHUNKED, b"0\r\n\r\n") + NEXT,
    }, (400, 501))  # fmt: skip
    good = b"5\r\nabcde\r\n0\r\n\r\n"
    wire.passed({"capitals": post(b"Transfer-Encoding: CHUNKED\r\n", good), "space": post(b"Transfer-Encoding:   chunked \r\n", good)},
                arrives(b"abcde", "chunked"))  # fmt: skip


def test_t36_no_coding_in_http_1_0(wire: Wire) -> None:
    wire.refused({
        "chunked": post(CHUNKED, b"0\r\n\r\n", b"1.0") + NEXT,
        "kept": post(b"Connection: keep-alive\r\n" + CHUNKED, b"0\r\n\r\n", b"1.0") + NEXT,
        "identity": post(b"Transfer-Encoding: identity\r\n", b"", b"1.0") + NEXT,
    })  # fmt: skip


def test_t37_chunk_sizes_are_plain_hexadecimal(wire: Wire) -> None:
    rest = b"\r\nabcde\r\n0\r\n\r\n"
    bad = (b"0x5", b"+5", b"-5", b"5_", b" 5", b"5 ", b";a", b"10000000000000000", b"", b"fffffffffffffffff", b"5g", b"\t5", b"5\t",
           b"0x", b"5,", b"FFFFFFFFFFFFFFFF0")  # fmt: skip
    wire.refused(bodies(*(size + rest for size in bad)))
    wire.passed(
        {"leading zeros and capitals": post(CHUNKED, b"00A\r\n0123456789\r\n0000\r\n\r\n")},
        arrives(b"0123456789", "chunked"),
    )


def test_t38_chunk_lines_end_with_crlf_and_chunks_with_their_size(wire: Wire) -> None:
    end = b"\r\n0\r\n\r\n"
    wire.refused(bodies(
        b"5\nabcde" + end, b"5\r\nabcde\n0\r\n\r\n", b"5\rabcde" + end, b"5\r\nabcde\r\n0\n\r\n", b"5\r\nabcde\r\n0\r\n\n",
        b"5\r\nabcdef" + end, b"5\r\nabcd" + end, b"5\r\nabcde\r\n0\r\nT: x\n\r\n", b"5\r\nabcde\r\n0\r\nT: x\ry\r\n\r\n",
        b"5\r\nabcde\r0\r\n\r\n", b"5\r\nabcde\r\n0\r\r\n\r\n", b"5\r\r\nabcde" + end, b"5\r\nabcde\r\r\n0\r\n\r\n", b"5;x\nabcde" + end,
        b"5\r\nabcde\r\n0;x\n\r\n", b"5\r\nabcde0\r\n\r\n", b"5\r\nabcde\r\n0\r\nT : x\r\n\r\n", b"5\r\nabcde\r\n0\r\n T: x\r\n\r\n",
        b"5\r\nabcde\r\n0\r\nT: x\r\n y\r\n\r\n", b"5\r\nabcde\r\n0\r\nT\r\n\r\n", b"5\r\nabcde\r\n0\r\n: x\r\n\r\n",
    ))  # fmt: skip


def test_t39_chunk_extensions_are_dropped_and_bounded(wire: Wire) -> None:
    wire.passed({"few": post(CHUNKED, b'5;ext=1;b="c;d"\r\nabcde\r\n0;last\r\n\r\n')}, arrives(b"abcde", "chunked"))
    wire.refused(bodies(b"5;a\0b\r\nabcde\r\n0\r\n\r\n", b"5;a\nb\r\nabcde\r\n0\r\n\r\n", b"5;a\rb\r\nabcde\r\n0\r\n\r\n",
                        b"5;a\x01\r\nabcde\r\n0\r\n\r\n", b"5;a\x7f\r\nabcde\r\n0\r\n\r\n"))  # fmt: skip
    wire.refused(
        bodies(
            b"5;" + b"a" * 30_000 + b"\r\nabcde\r\n0\r\n\r\n", (b"1;" + b"a" * 60 + b"\r\nx\r\n") * 400 + b"0\r\n\r\n"
        )
    )


def test_t40_trailers_stay_trailers(wire: Wire) -> None:
    forbidden = (b"Host", b"Authorization", b"Content-Type", b"Cookie", b"X-Forwarded-For",
                 b"Connection", b"Trailer", b"TE", b"Content-Encoding", b"Content-Range", b"Set-Cookie", b"Max-Forwards", b"X-Real-IP",
                 b"X_Forwarded_For", b"Forwarded", b"Idempotency-Key", b"Via", b"Upgrade", b"X-Shadow", b"Expect", b"Cache-Control")  # fmt: skip
    lines = b"".join(name + b": evil\r\n" for name in forbidden)
    data = post(
        b"TE: trailers\r\nTrailer: X-Sum\r\n" + CHUNKED,
        b"5\r\nabcde\r\n0\r\nX-Sum: 1\r\n" + lines + b"x-two: 2\r\n\r\n",
    )

    def check(outcome: Outcome) -> None:
        arrives(b"abcde", "chunked", [(b"X-Sum", b"1"), (b"x-two", b"2")])(outcome)
        assert b"evil" not in b"".join(value for _, value in outcome.requests[0].fields)
        assert not outcome.requests[0].all("te")

    wire.passed({"request": data}, check)
    wire.refused(bodies(b"0\r\nContent-Length: 5\r\n\r\n", b"0\r\nA: b\r\nTransfer-Encoding: chunked\r\n\r\n"))
    allowed = b"HTTP/1.1 200 OK\r\n" + CHUNKED + b"\r\n2\r\nok\r\n0\r\nX-Sum: 1\r\n" + lines + b"\r\n"

    def answer(outcome: Outcome) -> None:
        (found,) = outcome.answers
        assert (found.body, found.trailers) == (b"ok", [(b"X-Sum", b"1")])
        assert not found.all("x-sum")

    wire.answered({"answer": allowed}, answer)


def test_t41_every_request_has_one_framing_of_our_own(wire: Wire) -> None:
    wire.passed({"length": post(b"Content-Length: 5\r\n", b"abcde")}, arrives(b"abcde", "length"))
    wire.passed({"chunks": post(CHUNKED, b"2;x\r\nab\r\n3\r\ncde\r\n0\r\n\r\n")}, arrives(b"abcde", "chunked"))
    wire.passed({"none": post(b"")}, arrives(b"", "none"))
    wire.passed(
        {"HTTP/1.0": post(b"Connection: keep-alive\r\nContent-Length: 5\r\n", b"abcde", b"1.0")},
        arrives(b"abcde", "length"),
    )


def test_t42_a_body_that_breaks_off_closes_the_upstreams_socket_and_is_counted(wire: Wire) -> None:
    halves = {"length": post(b"Content-Length: 10\r\n", b"abc"), "chunk": post(CHUNKED, b"a\r\nabc"),
              "between chunks": post(CHUNKED, b"3\r\nabc\r\n")}  # fmt: skip
    crossing = wire.crossing

    async def leave(data: bytes, *, half_close: bool) -> None:
        async with crossing.client() as client:
            await crossing.send(client, [data])
            await crossing.until(lambda: wire.upstream.heads, "the head is at the upstream")
            if half_close:
                client.transport.write_eof()
                await client.until(lambda c: c.is_closed, "the connection ends")
                assert not client.done
        await crossing.quiet()

    for data in halves.values():
        for half_close in (True, False):
            wire.upstream.reset()
            before = crossing.worker.metrics.problems["client_left"]
            crossing.run(leave(data, half_close=half_close))
            assert wire.upstream.requests == []
            assert crossing.worker.metrics.problems["client_left"] == before + 1
            wire.variants += 1


def test_t43_what_is_left_of_a_refused_request_is_never_a_request(wire: Wire) -> None:
    smuggled = NEXT * 3
    length = b"Content-Length: %d\r\n" % len(smuggled)
    bad_host = b"POST / HTTP/1.1\r\nHost: a b\r\n" + length + b"\r\n" + smuggled
    wire.refused({"bad host": bad_host, "no host": b"POST / HTTP/1.1\r\n" + length + b"\r\n" + smuggled, "loop": post(
        b"Via: 1.1 strangler\r\n" + length, smuggled)}, (400, 508))  # fmt: skip

    def early(outcome: Outcome) -> None:
        assert outcome.answers[0].status == 413
        assert b"/smuggled" not in [request.target for request in outcome.requests]

    def respond_early(wire: Wire, data: bytes) -> Outcome:
        wire.upstream.reset()
        wire.upstream.early = saying(b"HTTP/1.1 413 Too Large\r\nContent-Length: 0\r\n\r\n")
        return wire.crossing.run(wire.crossing.cross([data]))

    for size in (len(smuggled), 500_000):
        early(respond_early(wire, post(b"Content-Length: %d\r\n" % size, smuggled)))
        wire.variants += 1


def test_t44_pipelined_requests_are_answered_in_order_and_bounded(wire: Wire) -> None:
    def respond(connection: object, message: Message) -> None:
        body = message.target + message.body
        connection.say(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n%b" % (len(body), body))  # type: ignore[attr-defined]

    parts = []
    for number in range(12):
        head = b"POST /%d HTTP/1.1\r\nHost: bank\r\n" % number
        parts.append((b"GET /%d HTTP/1.1\r\nHost: bank\r\n\r\n" % number, head + b"Content-Length: 2\r\n\r\nab",
                      head + CHUNKED + b"\r\n2\r\nab\r\n0\r\n\r\n")[number % 3])  # fmt: skip

    def in_order(outcome: Outcome) -> None:
        assert [a.body for a in outcome.answers] == [b"/%d" % n + (b"ab" if n % 3 else b"") for n in range(12)]
        assert outcome.kept

    wire.passed({"mixed": b"".join(parts)}, in_order, answers=12, respond=respond)
    bad = b"GET / HTTP/1.1\r\nHost : bank\r\n\r\n"
    wire.refused({"after an invalid one": parts[0] + bad + NEXT}, before=[b"/0"])
    wire.crossing.run(_flood(wire))


async def _flood(wire: Wire) -> None:
    """Requests without end while the first is not answered: the gateway stops reading, having sent one."""
    crossing = wire.crossing
    wire.upstream.reset()
    wire.upstream.respond = lambda connection, message: None
    async with crossing.client() as client:
        client.transport.write(NEXT * 200_000)
        before = -1
        while before != crossing.from_clients.read:
            before = crossing.from_clients.read
            for _ in range(50):
                await asyncio.sleep(0)
        (downstream,) = crossing.worker.downstreams
        assert len(downstream._rest) < 1 << 20
        assert len(wire.upstream.requests) == 1
        wire.upstream.respond = saying(OK)
        wire.upstream.served_by[0].say(OK)
    await crossing.until(lambda: not crossing.worker.downstreams, "the client is dismissed")
    wire.variants += 1


def test_t45_nothing_is_processed_after_connection_close(wire: Wire) -> None:
    def closing(value: bytes, version: bytes = b"1.1") -> bytes:
        return b"GET /last HTTP/" + version + b"\r\n" + HOST + b"Connection: " + value + b"\r\n\r\n" + NEXT

    cases = {
        repr(value): closing(value)
        for value in (b"close", b"CLOSE", b"x, close", b"keep-alive, close", b"close\r\nConnection: x")
    }
    wire.passed({**cases, "HTTP/1.0": closing(b"x", b"1.0")}, reached(b"/last", kept=False))


def test_t46_bodies_of_get_head_and_delete_arrive(wire: Wire) -> None:
    for method in (b"GET", b"HEAD", b"DELETE", b"OPTIONS"):
        start = method + b" /asked HTTP/1.1\r\n" + HOST
        wire.passed(
            {f"{method!r} length": start + b"Content-Length: 5\r\n\r\nabcde"},
            arrives(b"abcde", "length"),
            methods=[method],
        )
        wire.passed(
            {f"{method!r} chunks": start + CHUNKED + b"\r\n5\r\nabcde\r\n0\r\n\r\n"},
            arrives(b"abcde", "chunked"),
            methods=[method],
        )


def test_t47_each_message_is_a_request_of_its_own(wire: Wire) -> None:
    data = (post(b"Content-Length: 3\r\n", b"abc") + b"GET /two HTTP/1.1\r\n" + HOST + b"\r\n\r\n" + post(CHUNKED, b"0\r\n\r\n")
            + b"GET /four HTTP/1.1\r\n" + HOST + b"\r\n")  # fmt: skip
    wire.passed({"four": data}, reached(b"/asked", b"/two", b"/asked", b"/four"), answers=4)
    wire.refused(
        {"policy holds for all": post(b"Content-Length: 3\r\n", b"abc") + b"TRACE / HTTP/1.1\r\n" + HOST + b"\r\n"},
        (501,),
        before=[b"/asked"],
    )
    wire.upstream.reset()

    def counted() -> int:
        return sum(sum(row["classes"].values()) for row in wire.crossing.worker.metrics.snapshot()["requests"])

    before = counted()
    outcome = wire.crossing.run(wire.crossing.cross([data], 4))
    assert counted() - before == len(outcome.requests) + 1  # the probe is one, too
    assert [answer.status for answer in outcome.answers] == [200] * 4
