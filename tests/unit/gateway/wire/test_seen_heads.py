from __future__ import annotations

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from gateway.limits import Limits
from gateway.wire import headers
from gateway.wire.headers import Fields
from gateway.wire.identity import peer_of
from gateway.wire.request import Request
from gateway.wire.seen_heads import ANSWERS_MAX, HEAD_BYTES_MAX, ONCE_MAX, SeenAnswers, SeenRequest, SeenRequests
from gateway.wire.segments import segments_of
from gateway.wire.strict import SIMPLE_TARGET, START

HOST = (b"Host", b"bank")
DATE, LENGTH = (b"Date", b"Wed, 25 Nov 2026 13:42:10 GMT"), (b"Content-Length", b"2")


def dispatched(fields: Fields, *, method: bytes = b"GET", version: bytes = b"1") -> Request:
    request = Request(peer_of("127.0.0.1", "http", ()), (method, b"/a", version), fields)
    assert request.check(Limits()) is None
    request.to_upstream(b"upstream")
    return request


def kept(request: Request, block: bytes = b"block") -> SeenRequest | None:
    seen = SeenRequests()
    seen.note(request, block)
    assert seen.last is None
    seen.note(request, block)
    return seen.last


def test_request_is_recalled_with_another_target_as_if_it_had_been_read() -> None:
    fields = [HOST, (b"X-Odd", b"1"), (b"traceparent", b"00-" + b"a" * 32 + b"-" + b"b" * 16 + b"-01")]
    seen = kept(dispatched(fields))
    assert seen is not None
    again = Request(peer_of("127.0.0.1", "http", ()), (b"GET", b"/b.c/d?c=%zz", b"1"), seen.fields)
    assert again.recall(seen, Limits()) is None
    anew = Request(peer_of("127.0.0.1", "http", ()), (b"GET", b"/b.c/d?c=%zz", b"1"), fields)
    assert anew.check(Limits()) is None
    assert again.to_upstream(b"u") == anew.to_upstream(b"u")
    assert (again.segments, again.facts, again.keep_alive) == (anew.segments, anew.facts, anew.keep_alive)


def test_every_recalled_request_begins_a_trace_of_its_own() -> None:
    request = dispatched([HOST])
    assert len({request.to_upstream(b"u") for _ in range(50)}) == 50


@pytest.mark.parametrize(
    ("limits", "reason"),
    [(Limits(url_bytes_max=4), "target_too_long"), (Limits(header_bytes_max=8), "headers_too_large")],
)
def test_recalled_request_is_held_to_the_limits(limits: Limits, reason: str) -> None:
    seen = kept(dispatched([HOST]))
    assert seen is not None
    again = Request(peer_of("127.0.0.1", "http", ()), (b"GET", b"/long", b"1"), seen.fields)
    assert again.recall(seen, limits) == reason


@given(st.text(st.characters(codec="latin-1"), max_size=12).map(lambda text: b"/" + text.encode("latin-1")))
@example(b"/a/b?c=d/../e")
@example(b"/a//b")
@example(b"/a/./b")
@example(b"/a;x/b")
@example(b"/%41")
@example(b"/a b")
@example(b"/a#b")
def test_simple_target_is_one_that_every_check_would_pass_as_it_is(target: bytes) -> None:
    if SIMPLE_TARGET(target):
        assert START(b"GET " + target + b" HTTP/1.1\r\n")
        assert b"#" not in target
        assert segments_of(target) == target.partition(b"?")[0][1:].split(b"/")


@pytest.mark.parametrize(
    "target", [b"/", b"/a//b", b"/a/../b", b"/.a", b"/a%2fb", b"/a;b", b"/a\\b", b"/a#b", b"/\xe4", b"a"]
)
def test_target_that_needs_a_second_look_is_not_simple(target: bytes) -> None:
    assert not SIMPLE_TARGET(target)


@pytest.mark.parametrize(
    "field",
    [
        (b"Content-Length", b"0"),
        (b"Transfer-Encoding", b"chunked"),
        (b"Expect", b"100-continue"),
        (b"Max-Forwards", b"3"),
        (b"Upgrade", b"websocket"),
        (b"Connection", b"close"),
    ],
)
def test_request_that_is_not_plain_is_not_kept(field: tuple[bytes, bytes]) -> None:
    assert kept(dispatched([HOST, field])) is None


def test_request_of_http_1_0_one_too_large_and_one_never_dispatched_are_not_kept() -> None:
    assert kept(dispatched([HOST], version=b"0")) is None
    assert kept(dispatched([HOST]), b"x" * (HEAD_BYTES_MAX + 1)) is None
    refused = Request(peer_of("127.0.0.1", "http", ()), (b"GET", b"/a", b"1"), [])
    refused.facts = {headers.HOST: b"bank"}
    assert kept(refused) is None


def test_other_fields_in_between_begin_anew() -> None:
    seen = SeenRequests()
    for block in (b"one", b"two", b"one", b"two"):
        seen.note(dispatched([HOST]), block)
        assert seen.last is None


def test_answer_is_kept_when_it_comes_for_the_second_time() -> None:
    answers = SeenAnswers()
    answers.note(b"head", 200, b"OK", [DATE, LENGTH])
    assert answers.get(b"head") is None
    answers.note(b"head", 200, b"OK", [DATE, LENGTH])
    found = answers.get(b"head")
    assert found is not None
    assert (found.status, found.reason, found.length, found.head) == (200, b"OK", 2, None)


@pytest.mark.parametrize(
    ("status", "fields"),
    [
        (204, [DATE, LENGTH]),
        (304, [DATE, LENGTH]),
        (200, [DATE]),
        (200, [LENGTH]),
        (200, [DATE, (b"Content-Length", b"2x")]),
        (200, [DATE, LENGTH, (b"set-COOKIE", b"a=1")]),
        (200, [DATE, LENGTH, (b"Transfer-Encoding", b"chunked")]),
        (200, [DATE, LENGTH, (b"Upgrade", b"h2c")]),
    ],
)
def test_answer_that_is_not_plain_is_not_kept(status: int, fields: Fields) -> None:
    answers = SeenAnswers()
    for _ in range(3):
        answers.note(b"head", status, b"OK", fields)
    assert answers.get(b"head") is None


def test_what_is_kept_is_bounded() -> None:
    answers = SeenAnswers()
    for number in range(ANSWERS_MAX + 3):
        for _ in range(2):
            answers.note(b"%d" % number, 200, b"OK", [DATE, LENGTH])
    assert sum(answers.get(b"%d" % number) is not None for number in range(ANSWERS_MAX + 3)) <= ANSWERS_MAX
    for number in range(2 * ONCE_MAX):
        answers.note(b"once %d" % number, 200, b"OK", [DATE, LENGTH])
    assert len(answers._once) <= ONCE_MAX
    for _ in range(2):
        answers.note(b"x" * (HEAD_BYTES_MAX + 1), 200, b"OK", [DATE, LENGTH])
    assert answers.get(b"x" * (HEAD_BYTES_MAX + 1)) is None
