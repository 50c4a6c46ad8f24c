"""T16 to T31: which fields cross, which do not, and how many."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.support.crossing import Outcome, crossing
from tests.support.strict_http import Message
from tests.support.variants import GET, Check, Wire, reached, status_is

HOST = b"Host: bank\r\n"
NEXT = b"GET /smuggled HTTP/1.1\r\nHost: bank\r\n\r\n"
OURS = [b"X-Forwarded-For", b"X-Forwarded-Proto", b"X-Forwarded-Host", b"Via", b"traceparent"]
TRUSTING = """
version: 1
gateway: {{trusted_proxies: [127.0.0.0/8, "2001:db8::/32"]}}
upstreams: {{monolith: {{url: "{url}"}}}}
default: monolith
"""


def get(fields: bytes) -> bytes:
    return b"GET /asked HTTP/1.1\r\n" + HOST + fields + b"\r\n"


def bad_fields(**lines: bytes) -> dict[str, bytes]:
    return {name.replace("_", " "): get(line + b"\r\n") + NEXT for name, line in lines.items()}


def said(fields: bytes) -> bytes:
    return b"HTTP/1.1 200 OK\r\n" + fields + b"Content-Length: 2\r\n\r\nok"


def bad_answers(**lines: bytes) -> dict[str, bytes]:
    return {name.replace("_", " "): said(line + b"\r\n") for name, line in lines.items()}


def arrived(check: object) -> Check:
    """What arrived upstream passes the check, and the client got its answer."""

    def run(outcome: Outcome) -> None:
        reached(b"/asked")(outcome)
        check(outcome.requests[0])  # type: ignore[operator]

    return run


def names(message: Message) -> set[bytes]:
    return {name.lower() for name, _ in message.fields}


def test_t16_white_space_before_a_colon_is_refused(wire: Wire) -> None:
    wire.refused(
        bad_fields(space=b"A : b", tab=b"A\t: b", length=b"Content-Length : 0", coding=b"Transfer-Encoding : chunked")
    )
    wire.answered(bad_answers(space=b"A : b", tab=b"A\t: b"), status_is(502))


def test_t17_folded_lines_are_refused(wire: Wire) -> None:
    wire.refused(
        bad_fields(
            space=b"A: b\r\n c", tab=b"A: b\r\n\tc", coding=b"Transfer-Encoding:\r\n chunked", blank=b"A: b\r\n "
        )
    )
    wire.answered(bad_answers(space=b"A: b\r\n c", tab=b"A: b\r\n\tc", first=b" A: b"), status_is(502))


def test_t18_control_characters_in_values_are_refused(wire: Wire) -> None:
    controls = [byte for byte in range(32) if byte not in (9, 10)] + [127]
    wire.refused({f"{byte:#x}": get(b"A: b" + bytes([byte]) + b"c\r\n") + NEXT for byte in controls})
    wire.answered({f"{byte:#x}": said(b"A: b" + bytes([byte]) + b"c\r\n") for byte in controls}, status_is(502))
    wire.passed({"tab": get(b"A: b\tc\r\n"), "high": get(b"A: \x80\xff\r\n")}, reached(b"/asked"))


def test_t19_names_are_tokens(wire: Wire) -> None:
    bad = [bytes([byte]) for byte in (*range(9), *range(11, 13), *range(14, 33), 127, 128, 255, *b'"(),/;<=>?@[\\]{}')]
    cases = {repr(name): get(b"a" + name + b"b: x\r\n") + NEXT for name in bad}
    wire.refused({**cases, **bad_fields(empty=b": x", no_colon=b"Abc", only_space=b" : x", utf8="é: x".encode())})
    answers = {repr(name): said(b"a" + name + b"b: x\r\n") for name in bad}
    wire.answered({**answers, **bad_answers(empty=b": x", no_colon=b"Abc")}, status_is(502))


def test_t20_nominated_fields_are_removed_both_ways(wire: Wire) -> None:
    lines = (b"Connection: x-one, X-TWO\r\nX-One: 1\r\nx-two: 2\r\nX-Three: 3\r\ncONNECTION:x-four ,, \r\nX-Four: 4\r\nX-Kept: 5\r\n")  # fmt: skip

    def kept(message: Message) -> None:
        assert [name for name, _ in message.fields if name.lower().startswith(b"x-") and name not in OURS] == [
            b"X-Three",
            b"X-Kept",
        ]
        assert not message.all("connection")

    wire.passed({"request": get(lines)}, arrived(kept))

    def answer_kept(outcome: Outcome) -> None:
        status_is(200)(outcome)
        kept(outcome.answers[0])

    wire.answered({"answer": said(lines)}, answer_kept)
    chunked = b"Transfer-Encoding: chunked\r\nConnection: x-hop\r\n\r\n2\r\nok\r\n0\r\nX-Hop: 1\r\nX-End: 2\r\n\r\n"

    def trailers(outcome: Outcome) -> None:
        assert outcome.requests[0].trailers in ([(b"X-End", b"2")], [])
        assert outcome.answers[0].trailers in ([(b"X-End", b"2")], [])
        assert outcome.requests[0].trailers or outcome.answers[0].trailers

    wire.passed({"request's trailers": b"POST /asked HTTP/1.1\r\n" + HOST + chunked}, trailers)
    wire.answered({"answer's trailers": b"HTTP/1.1 200 OK\r\n" + chunked}, trailers)


def test_t21_nobody_nominates_what_is_end_to_end(wire: Wire) -> None:
    protected = (b"close, X-Forwarded-For, Authorization, Content-Length, Host, Transfer-Encoding, Cookie, Content-Type, Via, "
                 b"X-Forwarded-Host, X-Forwarded-Proto, traceparent, Idempotency-Key, Date, Content-Encoding, Range, Expect")  # fmt: skip
    data = (b"POST /asked HTTP/1.1\r\n" + HOST + b"Connection: " + protected + b"\r\nAuthorization: Basic eA==\r\nCookie: a=1\r\n"
            b"Idempotency-Key: \"k\"\r\nContent-Type: text/plain\r\nContent-Encoding: x\r\nRange: bytes=0-1\r\n"
            b"X-Forwarded-For: 6.6.6.6\r\nContent-Length: 3\r\n\r\nabc")  # fmt: skip

    def check(outcome: Outcome) -> None:
        reached(b"/asked", kept=False)(outcome)
        (seen,) = outcome.requests
        assert seen.body == b"abc"
        assert seen.all("x-forwarded-for") == [b"127.0.0.1"]
        assert {b"authorization", b"cookie", b"idempotency-key", b"content-type", b"content-encoding", b"range", b"host",
                b"via", b"traceparent", b"x-forwarded-host", b"x-forwarded-proto"} <= names(seen)  # fmt: skip

    wire.passed({"one line": data}, check)

    def answer(outcome: Outcome) -> None:
        status_is(200)(outcome)
        assert {b"set-cookie", b"date", b"content-length", b"cache-control"} <= names(outcome.answers[0])

    wire.answered(
        {"answer": said(b"Connection: set-cookie, Date, content-length, Cache-Control\r\nSet-Cookie: a=1\r\nDate: x\r\n"
                        b"Cache-Control: no-store\r\n")}, answer)  # fmt: skip


def test_t22_hop_by_hop_fields_are_not_forwarded(wire: Wire) -> None:
    lines = (b"Proxy-Connection: keep-alive\r\nKeep-Alive: 5\r\nTE: trailers\r\nUpgrade: h2c\r\nHTTP2-Settings: AAM\r\n"
             b"Proxy-Authorization: Basic eA==\r\nProxy-Authenticate: Basic\r\nConnection: upgrade, te\r\nX-Kept: 1\r\n")  # fmt: skip
    gone = {b"proxy-connection", b"keep-alive", b"te", b"upgrade", b"http2-settings", b"proxy-authorization",
            b"proxy-authenticate", b"connection", b"transfer-encoding"}  # fmt: skip

    def check(message: Message) -> None:
        assert not names(message) & gone
        assert message.get("x-kept") == b"1"

    wire.passed({"request": get(lines), "in capitals": get(lines.upper())}, arrived(check))

    def answer(outcome: Outcome) -> None:
        status_is(200)(outcome)
        check(outcome.answers[0])

    wire.answered({"answer": said(lines.replace(b"HTTP2-Settings: AAM\r\n", b""))}, answer)


def test_t23_unknown_fields_pass_in_order_and_as_they_are_written(wire: Wire) -> None:
    sent = [(b"X-oDd-CaSe", b"1"), (b"Cookie", b"a=1"), (b"x-repeat", b"one"), (b"Authorization", b"Digest a=\"b, c\",d=e"),
            (b"x-repeat", b"two, three"), (b"Accept", b""), (b"Cookie", b"b=2"), (b"X-Long", b"v" * 500)]  # fmt: skip
    data = get(b"".join(name + b": " + value + b"\r\n" for name, value in sent))

    def in_order(message: Message) -> None:
        assert message.fields[: len(sent) + 1] == [(b"Host", b"bank"), *sent]
        assert [name for name, _ in message.fields[len(sent) + 1 :]] == OURS

    wire.passed({"request": data}, arrived(in_order))
    lines = (b"server: CORE87\r\nSet-Cookie: a=1; Expires=Wed, 21 Oct 2015 07:28:00 GMT\r\nWWW-Authenticate: Basic realm=\"x\", Digest\r\n"
             b"SET-cookie: b=2\r\nAllow: GET, POST\r\nX-Empty: \r\nDate: today\r\n")  # fmt: skip
    whole = b"HTTP/1.1 299 All  is Well\r\n" + lines + b"Content-Length: 3\r\n\r\n\0\xff\r"

    def untouched(outcome: Outcome) -> None:
        status_is(299)(outcome)
        (found,) = outcome.answers
        written = b"".join(name + b": " + value + b"\r\n" for name, value in found.fields)
        assert b"HTTP/1.1 299 " + found.start[2] + b"\r\n" + written + b"\r\n" + found.body == whole

    wire.answered({"answer": whole}, untouched)


def test_t24_via_is_appended_with_the_version_received(wire: Wire) -> None:
    wire.passed({"1.1": get(b"")}, arrived(lambda m: _equal(m.all("via"), [b"1.1 strangler"])))
    wire.passed(
        {"appended": get(b"Via: 1.0 fred, 1.1 p\r\n")},
        arrived(lambda m: _equal(m.all("via"), [b"1.0 fred, 1.1 p", b"1.1 strangler"])),
    )
    old = b"GET /asked HTTP/1.0\r\n" + HOST + b"\r\n"
    wire.passed({"1.0": old}, lambda outcome: _equal(outcome.requests[0].all("via"), [b"1.0 strangler"]))


def _equal(found: object, expected: object) -> None:
    assert found == expected


def test_t25_underscore_spellings_of_trusted_names_are_dropped(wire: Wire) -> None:
    aliases = (b"X_Forwarded_For", b"X-Forwarded_For", b"x_real_ip", b"X_Forwarded_Proto", b"Content_Length", b"Transfer_Encoding",
               b"True_Client_IP", b"X_Shadow", b"HTTP2_Settings", b"Proxy_Authorization", b"Max_Forwards")  # fmt: skip
    for alias in aliases:
        wire.passed(
            {alias.decode(): get(alias + b": 6\r\n")}, arrived(lambda m, a=alias: _equal(a.lower() in names(m), False))
        )
    wire.passed({"another": get(b"x_account: 6\r\n")}, arrived(lambda m: _equal(m.get("x_account"), b"6")))


FORGED = (b"X-Forwarded-For: 6.6.6.6\r\nForwarded: for=6.6.6.6\r\nX-Real-IP: 6.6.6.6\r\nX-Forwarded-Proto: https\r\n"
          b"X-Forwarded-Host: evil\r\nX-Forwarded-Port: 6666\r\nX-Client-IP: 6.6.6.6\r\nTrue-Client-IP: 6.6.6.6\r\n"
          b"X-SSL-Client-Cert: evil\r\nX-Forwarded-Client-Cert: evil\r\nX-Shadow: dry-run\r\nX-User-Id: 6666\r\n")  # fmt: skip


@pytest.fixture(scope="module")
def trusting() -> Iterator[object]:
    with crossing(TRUSTING) as one:
        yield one


def test_t26_who_the_client_is_is_said_by_trusted_peers_only(wire: Wire, trusting: object) -> None:
    def replaced(message: Message) -> None:
        ours = {b"x-forwarded-for": b"127.0.0.1", b"x-forwarded-proto": b"http", b"x-forwarded-host": b"bank"}
        for name, value in ours.items():
            assert message.all(name.decode()) == [value]
        left = [
            name
            for name, value in message.fields
            if value in (b"6.6.6.6", b"evil", b"for=6.6.6.6", b"6666", b"dry-run")
        ]
        assert left == [b"X-User-Id"]  # an application's own name: whose it is, routes.yaml would have to say

    wire.passed({"untrusted": get(FORGED)}, arrived(replaced))
    other = Wire(trusting, every=wire.every)  # type: ignore[arg-type]

    def seen(fields: bytes, **expected: list[bytes]) -> None:
        def check(message: Message) -> None:
            for name, values in expected.items():
                assert message.all(name.replace("_", "-")) == values, name

        other.passed({repr(fields): get(fields)}, arrived(check))

    seen(
        b"X-Forwarded-For: 9.9.9.9\r\nX-Forwarded-Proto: https\r\n",
        x_forwarded_for=[b"9.9.9.9, 127.0.0.1"],
        x_forwarded_proto=[b"https"],
    )
    seen(b"X-Forwarded-For: 9.9.9.9\r\nX-Forwarded-For: 8.8.8.8\r\n", x_forwarded_for=[b"9.9.9.9, 8.8.8.8, 127.0.0.1"])
    seen(b"X-Forwarded-Proto: http, https\r\n", x_forwarded_proto=[b"http"])
    seen(b"X-Forwarded-Proto: gopher\r\n", x_forwarded_proto=[b"http"])
    seen(b"X-Forwarded-Host: a b\r\n", x_forwarded_host=[b"bank"])
    seen(b"X-Forwarded-Host: pub.bank\r\n", x_forwarded_host=[b"pub.bank"])
    seen(
        b'Forwarded: for="[2001:db8::1]:443";proto=https\r\n',
        forwarded=[b'for="[2001:db8::1]:443";proto=https, for=127.0.0.1'],
    )
    for bad in (
        b'for="[::1]:"',
        b"proto=http;proto=https",
        b'"',
        b'for="',
        b"for=",
        b"for=1.2.3.4,;",
        b"for=a b",
        b"x",
    ):
        seen(b"Forwarded: " + bad + b"\r\n", forwarded=[])
    wire.variants += other.variants


def test_t27_date_is_added_only_where_it_is_missing(wire: Wire) -> None:
    def added(outcome: Outcome) -> None:
        status_is(200)(outcome)
        (value,) = outcome.answers[0].all("date")
        assert value.endswith(b" GMT")

    wire.answered({"missing": said(b"")}, added)
    wire.answered({"there": said(b"Date: today\r\n")}, lambda o: _equal(o.answers[0].all("date"), [b"today"]))


def test_t28_empty_list_elements_are_tolerated_and_bounded(wire: Wire) -> None:
    wire.passed({"few": get(b"Connection: , ,keep-alive,,\r\n")}, reached(b"/asked"))
    wire.passed({"many": get(b"Connection: " + b"," * 30_000 + b"\r\n")}, reached(b"/asked"))
    wire.refused({"too many": get(b"Connection: " + b"," * 100_000 + b"\r\n")}, (431,))


def test_t29_conditional_fields_are_forwarded_and_never_evaluated(wire: Wire) -> None:
    conditions = (b"If-None-Match: *\r\nIf-Match: \"a\"\r\nIf-Modified-Since: Wed, 21 Oct 2015 07:28:00 GMT\r\n"
                  b"If-Unmodified-Since: Wed, 21 Oct 2015 07:28:00 GMT\r\nIf-Range: \"a\"\r\nRange: bytes=0-1\r\n")  # fmt: skip
    wire.passed({"all": get(conditions)}, arrived(lambda m: _equal(
        [n for n, _ in m.fields if n.startswith((b"If-", b"Range"))],
        [b"If-None-Match", b"If-Match", b"If-Modified-Since", b"If-Unmodified-Since", b"If-Range", b"Range"])))  # fmt: skip


def test_t30_nothing_is_kept_for_reuse(wire: Wire) -> None:
    cacheable = said(b'Cache-Control: max-age=1000, no-transform\r\nETag: "a"\r\nContent-Encoding: gzip\r\n')
    sent: list[bytes] = []

    def check(outcome: Outcome) -> None:
        assert [request.target for request in outcome.requests] == [b"/asked"]
        assert outcome.answers[0].body == b"ok"  # it says gzip and is not: nothing looked into it
        assert not outcome.answers[0].all("age")
        sent.append(outcome.requests[0].target)

    wire.answered({"first": cacheable, "second": cacheable}, check)
    assert len(sent) == wire.variants


def test_t31_header_sections_are_bounded(wire: Wire) -> None:
    many = b"a: b\r\n" * 400
    wire.refused({"count": get(many) + NEXT, "bytes": get(b"a: " + b"b" * 70_000 + b"\r\n"),
                  "endless": b"GET / HTTP/1.1\r\n" + HOST + b"a: " + b"b" * 70_000}, (431,))  # fmt: skip
    chunked = b"POST / HTTP/1.1\r\n" + HOST + b"Transfer-Encoding: chunked\r\n\r\n2\r\nok\r\n0\r\n"
    wire.refused(
        {"trailer count": chunked + many + b"\r\n", "trailer bytes": chunked + b"a: " + b"b" * 70_000 + b"\r\n\r\n"}
    )
    wire.answered({"count": said(many), "bytes": said(b"a: " + b"b" * 100_000 + b"\r\n"), "endless": b"HTTP/1.1 200 OK\r\na: " + b"b" * 100_000},
                  status_is(502))  # fmt: skip

    def broken_off(outcome: Outcome) -> None:
        assert not outcome.answers
        assert not outcome.kept

    tail = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nok\r\n0\r\n"
    for name, trailers in {"trailer count": many, "trailer bytes": b"a: " + b"b" * 200_000 + b"\r\n"}.items():
        wire.upstream.reset()
        # In whichever pieces it comes, the client never sees such an answer end well.
        wire.answered({name: tail + trailers + b"\r\n"}, lambda outcome: _equal(_ends_well(outcome), False))
    wire.answered({"within": said(b"a: b\r\n" * 200)}, status_is(200))
    wire.answered({"asked": said(b"")}, status_is(200), request=GET)


def _ends_well(outcome: Outcome) -> bool:
    return any(answer.status == 200 for answer in outcome.answers)
