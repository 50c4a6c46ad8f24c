"""T01 to T15: the request line, the target and Host."""

from __future__ import annotations

import asyncio

import pytest

from tests.support.crossing import Outcome
from tests.support.variants import Wire, is_problem, reached

HOST = b"Host: bank\r\n"
NEXT = b"GET /smuggled HTTP/1.1\r\nHost: bank\r\n\r\n"


def heads(**lines: bytes) -> dict[str, bytes]:
    return {name.replace("_", " "): line + b"\r\n" + HOST + b"\r\n" + NEXT for name, line in lines.items()}


def targets(*values: bytes, method: bytes = b"GET") -> dict[str, bytes]:
    return {
        f"{method!r} {value!r}": method + b" " + value + b" HTTP/1.1\r\n" + HOST + b"\r\n" + NEXT for value in values
    }


def test_t01_http_1_1_without_host_is_refused(wire: Wire) -> None:
    wire.refused({
        "no field": b"GET / HTTP/1.1\r\n\r\n" + NEXT,
        "another field": b"GET / HTTP/1.1\r\nAccept: */*\r\n\r\n" + NEXT,
        "with a body": b"POST / HTTP/1.1\r\nContent-Length: 3\r\n\r\nabc" + NEXT,
    })  # fmt: skip


def test_t02_repeated_or_malformed_host_is_refused(wire: Wire) -> None:
    bad = (b"a,b", b"u@h", b"h/path", b"h:1:2", b"h:99999", b"[::1]x", b"[::1", b"a b", b"a..b", b"a\0", b"a\tb", b"a?b",
           b"a#b", b"http://a", b"h:+1", b"h:1a", b"\xe9", b"a\x7f", b"..", b"[::1]:x", b"[bank]", b"a%zz")  # fmt: skip
    wire.refused({
        "twice the same": b"GET / HTTP/1.1\r\n" + HOST + HOST + b"\r\n" + NEXT,
        "two different": b"GET / HTTP/1.1\r\n" + HOST + b"Host: evil\r\n\r\n" + NEXT,
        "in another case": b"GET / HTTP/1.1\r\n" + HOST + b"A: b\r\nhOST: bank\r\n\r\n" + NEXT,
        "twice in HTTP/1.0": b"GET / HTTP/1.0\r\n" + HOST + HOST + b"\r\n" + NEXT,
        **{repr(value): b"GET / HTTP/1.1\r\nHost: " + value + b"\r\n\r\n" + NEXT for value in bad},
    })  # fmt: skip


def test_t03_absolute_form_must_name_the_host_that_host_names(wire: Wire) -> None:
    wire.refused(targets(b"http://other/p", b"http://bank:80/p", b"https://bank.evil/", b"http://bank%2eevil/"))
    wire.passed(
        {
            "the same": b"GET http://bank/p HTTP/1.1\r\nHost: bank\r\n\r\n",
            "in another case": b"GET HTTP://BANK/p HTTP/1.1\r\nHost: bank\r\n\r\n",
        },
        _host_is_banks,
    )


def _host_is_banks(outcome: Outcome) -> None:
    reached(b"/p")(outcome)
    assert [value.lower() for value in outcome.requests[0].all("host")] == [b"bank"]


def test_t04_absolute_form_becomes_origin_form_and_userinfo_is_refused(wire: Wire) -> None:
    wire.passed({"path and query": b"GET http://bank/p?q=%2F HTTP/1.1\r\n" + HOST + b"\r\n"}, reached(b"/p?q=%2F"))
    wire.passed({"query only": b"GET http://bank?q HTTP/1.1\r\n" + HOST + b"\r\n"}, reached(b"/?q"))
    wire.passed({"nothing": b"GET https://bank HTTP/1.1\r\n" + HOST + b"\r\n"}, reached(b"/"))
    wire.refused(targets(b"http://u:p@bank/p", b"http://@bank/", b"http:///p", b"ftp://bank/p", b"http:/p", b"http://"))


def test_t05_only_options_may_ask_for_the_whole_server(wire: Wire) -> None:
    wire.passed(
        {"asterisk": b"OPTIONS * HTTP/1.1\r\n" + HOST + b"\r\n",
         "absolute": b"OPTIONS http://bank HTTP/1.1\r\n" + HOST + b"\r\n"},
        reached(b"*"),
    )  # fmt: skip
    wire.refused(targets(b"*", b"*/x", b"admin", b"h:80", b"?x", b"/a#b", b"/a\x01", b"/a\x7f", b"/a%00b", b"."))
    wire.refused(targets(b"*x", b"**", b"bank", method=b"OPTIONS"))


def test_t06_connect_is_refused(wire: Wire) -> None:
    wire.refused(targets(b"bank:80", b"/", b"http://bank/", b"*", method=b"CONNECT"), (400, 405, 501))
    wire.refused(
        {"with a body": b"CONNECT bank:80 HTTP/1.1\r\n" + HOST + b"Content-Length: 3\r\n\r\nabc" + NEXT}, (501,)
    )


def test_t07_long_targets_are_414_or_pass(wire: Wire) -> None:
    wire.refused(targets(b"/" + b"a" * 17_000, b"/?" + b"a" * 30_000), (414,))
    wire.refused({"endless": b"GET /" + b"a" * 30_000}, (414,))
    for length in (8_000, 16_000):
        target = b"/" + b"a" * length
        wire.passed({f"{length}": b"GET " + target + b" HTTP/1.1\r\n" + HOST + b"\r\n"}, reached(target))


def test_t08_request_line_is_exactly_three_parts(wire: Wire) -> None:
    wire.refused(heads(
        two_spaces=b"GET  / HTTP/1.1", two_later=b"GET /  HTTP/1.1", tab=b"GET\t/ HTTP/1.1", tab_later=b"GET /\tHTTP/1.1",
        space_first=b" GET / HTTP/1.1", trailing=b"GET / HTTP/1.1 ", four_parts=b"GET / x HTTP/1.1", only_method=b"GET",
        form_feed=b"GET /\x0cHTTP/1.1", no_target=b"GET HTTP/1.1", colon_first=b": GET / HTTP/1.1",
    ))  # fmt: skip
    versions = (b"", b" HTTP/1.10", b" HTTP/01.1", b" http/1.1", b" HTTP/2.0", b" HTTP/1.1x", b" HTTP/0.9", b" HTTP/1.2",
                b" HTTP/1", b" HTTP/1.", b" HTTP/11", b" HTP/1.1", b" HTTP/-1.1", b" ICE/1.0", b" RTSP/1.0")  # fmt: skip
    wire.refused({repr(v): b"GET /" + v + b"\r\n" + HOST + b"\r\n" + NEXT for v in versions}, (400, 505))
    methods = (b"G(T", b"G\x00T", b"\xc9", b"GET:", b"G/T", b"{GET}", b"get\x7f", b"get", b"BREW", b"PRI")
    wire.refused({repr(m): m + b" / HTTP/1.1\r\n" + HOST + b"\r\n" + NEXT for m in methods}, (400, 501))
    wire.refused({"preface of HTTP/2": b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"}, (400, 501, 505))


def test_t09_bare_line_feeds_and_carriage_returns_are_refused(wire: Wire) -> None:
    wire.refused({
        "LF everywhere": b"GET / HTTP/1.1\nHost: bank\n\n" + NEXT,
        "LF after the request line": b"GET / HTTP/1.1\nHost: bank\r\n\r\n" + NEXT,
        "LF after a field": b"GET / HTTP/1.1\r\nHost: bank\nA: b\r\n\r\n" + NEXT,
        "LF at the end": b"GET / HTTP/1.1\r\n" + HOST + b"\n" + NEXT,
        "LF LF at the end": b"GET / HTTP/1.1\r\nHost: bank\n\n" + NEXT,
        "leading LF": b"\nGET / HTTP/1.1\r\n" + HOST + b"\r\n" + NEXT,
        "CR in a value": b"GET / HTTP/1.1\r\n" + HOST + b"A: b\rc\r\n\r\n" + NEXT,
        "CR in a name": b"GET / HTTP/1.1\r\n" + HOST + b"A\rB: c\r\n\r\n" + NEXT,
        "CR in the target": b"GET /\r HTTP/1.1\r\n" + HOST + b"\r\n" + NEXT,
        "CR as line end": b"GET / HTTP/1.1\r" + HOST + b"\r\n" + NEXT,
        "CR CR LF": b"GET / HTTP/1.1\r\r\n" + HOST + b"\r\n" + NEXT,
        "CR CR LF after a field": b"GET / HTTP/1.1\r\nHost: bank\r\r\n\r\n" + NEXT,
        "CR before the end": b"GET / HTTP/1.1\r\n" + HOST + b"\r\r\n" + NEXT,
        "leading CR": b"\rGET / HTTP/1.1\r\n" + HOST + b"\r\n" + NEXT,
    })  # fmt: skip


def test_t10_a_few_leading_empty_lines_are_ignored_and_nothing_else(wire: Wire) -> None:
    good = b"GET /good HTTP/1.1\r\n" + HOST + b"\r\n"
    wire.passed({"one": b"\r\n" + good, "three": b"\r\n" * 3 + good}, reached(b"/good"))
    wire.passed({"between": good + b"\r\n" + good}, reached(b"/good", b"/good"), answers=2)
    wire.refused({
        "many": b"\r\n" * 40 + good,
        "space": b"GET / HTTP/1.1\r\n " + HOST + b"\r\n" + NEXT,
        "tab": b"GET / HTTP/1.1\r\n\t" + HOST + b"\r\n" + NEXT,
        "space line": b"GET / HTTP/1.1\r\n \r\n" + HOST + b"\r\n" + NEXT,
        "space before the request": b" \r\n" + good,
    })  # fmt: skip


def test_t11_octets_of_the_target_arrive_unchanged(wire: Wire) -> None:
    kept = (b"/a/%2e%2e/b", b"/a/..;/b", b"/a%2fb", b"/a//b///", b"/%zz", b"/%", b"/a;x=1;y/b;z", b"/a%5Cb", b"/%C3%a9%c3%A9",
            b"/a/../../b", b"/./a", b"/a?b?c??=&&;%", b"/?", b"/a\\b", b"/~!$&'()*+,;=:@", b"/a?{}|^`\"<>", b"/%u0041",
            b"/a%0d%0aX:%20y", b"//bank/x", b"/a?http://evil/")  # fmt: skip
    for target in kept:
        wire.passed({repr(target): b"GET " + target + b" HTTP/1.1\r\n" + HOST + b"\r\n"}, reached(target))
    wire.refused(targets(b"/a%00b", b"/%00"))


def test_t12_nothing_is_sent_before_the_head_is_whole(wire: Wire) -> None:
    data = b"POST /whole HTTP/1.1\r\nHost: bank\r\nContent-Length: 2\r\n\r\nab"
    end = data.index(b"\r\n\r\n") + 4

    async def send_up_to(cut: int) -> int:
        async with wire.crossing.client() as client:
            await wire.crossing.send(client, [data[:cut]])
            for _ in range(20):
                await asyncio.sleep(0)
            return wire.upstream.heads + sum(bool(c.reader.raw) for c in wire.upstream.connections)

    for cut in range(1, end):
        for connection in wire.upstream.connections:
            connection.reader.raw = b""
        wire.upstream.reset()
        assert wire.crossing.run(send_up_to(cut)) == 0, f"something was sent after {cut} bytes of the head"
        wire.variants += 1
    wire.passed({"whole": data}, reached(b"/whole"))


def test_t13_a_request_that_has_passed_here_is_508(wire: Wire) -> None:
    for via in (b"1.1 strangler", b"1.0 a, 1.1 strangler (x)", b"1.1 a\r\nVia: HTTP/1.1 Strangler"):
        wire.refused({repr(via): b"GET / HTTP/1.1\r\n" + HOST + b"Via: " + via + b"\r\n\r\n"}, (508,))
    wire.passed(
        {"another's": b"GET /v HTTP/1.1\r\n" + HOST + b"Via: 1.1 stranglers, 1.1 x (strangler)\r\n\r\n"}, reached(b"/v")
    )


def test_t14_max_forwards_counts_down_and_ends_here(wire: Wire) -> None:
    def options(value: bytes, method: bytes = b"OPTIONS") -> bytes:
        return method + b" /m HTTP/1.1\r\n" + HOST + b"Max-Forwards: " + value + b"\r\n\r\n"

    def left(value: bytes | None) -> object:
        def check(outcome: Outcome) -> None:
            reached(b"/m")(outcome)
            assert outcome.requests[0].get("max-forwards") == value

        return check

    wire.passed({"3": options(b"3")}, left(b"2"))  # type: ignore[arg-type]
    wire.passed({"none": b"OPTIONS /m HTTP/1.1\r\n" + HOST + b"\r\n"}, left(None))  # type: ignore[arg-type]
    wire.passed({"other method": options(b"3", b"GET")}, left(b"3"))  # type: ignore[arg-type]

    def ends_here(outcome: Outcome) -> None:
        (answer,) = outcome.answers
        is_problem(answer, (200,))
        assert (outcome.requests, outcome.kept) == ([], True)

    wire.passed({"0": options(b"0")}, ends_here)
    wire.refused({repr(value): options(value) for value in (b"-1", b"x", b"", b"1, 2", b"+1", b"9" * 40)})


def test_t15_trace_is_refused(wire: Wire) -> None:
    wire.refused(targets(b"/", method=b"TRACE"), (405, 501))
    wire.refused({"ends here": b"TRACE / HTTP/1.1\r\n" + HOST + b"Max-Forwards: 0\r\n\r\n"}, (405, 501))


@pytest.mark.parametrize("version", [b"1.0", b"1.1"])
def test_t41_an_upstream_always_gets_a_host(wire: Wire, version: bytes) -> None:
    host = b"" if version == b"1.0" else HOST
    data = b"GET /hosted HTTP/" + version + b"\r\nConnection: keep-alive\r\n" + host + b"\r\n"
    wire.passed({version.decode(): data}, reached(b"/hosted"))
