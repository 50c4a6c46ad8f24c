from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from gateway.mirroring.witness import Witnessed, significant
from gateway.wire.headers import Fields
from shadow.compare import judge
from shadow.rules import NO_RULES

NONE: frozenset[bytes] = frozenset()
NAMES = st.sampled_from([b"Content-Type", b"content-type", b"Content-Encoding", b"Location", b"Set-Cookie", b"Server",
                         b"Date", b"Content-Language", b"Content-Disposition", b"X-Other"])  # fmt: skip
VALUES = st.sampled_from([b"application/json", b"text/plain; charset=utf-8", b"a", b"b", b"identity", b"sid=1; Path=/"])
ANSWERS = st.builds(
    Witnessed,
    st.sampled_from([200, 404]),
    st.lists(st.tuples(NAMES, VALUES), max_size=4),
    st.sampled_from([b"", b"{}", b'{"a":1}', b'{"a":1.0}', b"\xff"]),
    st.just(0.001),
    st.sampled_from(["legacy", "modern"]),
)


def witnessed(fields: Fields, body: bytes = b"{}", status: int = 200) -> Witnessed:
    return Witnessed(status, fields, body, 0.5, "legacy")


@given(ANSWERS, ANSWERS)
def test_what_is_equal_by_its_bytes_is_equal_by_any_rule(control: Witnessed, candidate: Witnessed) -> None:
    if control.equals(candidate, NONE):
        assert judge(control.observation(), candidate.observation(), NO_RULES).kind == "equal"


@given(ANSWERS)
def test_an_answer_equals_itself_and_its_copy(answer: Witnessed) -> None:
    copy = Witnessed(answer.status, list(answer.fields), bytes(answer.body), 9.0, "modern")
    assert answer.equals(answer, NONE)
    assert answer.equals(copy, NONE)
    assert not answer.differs(copy)


def test_headers_that_no_rule_compares_do_not_make_a_difference() -> None:
    ours = witnessed([(b"Server", b"CORE87"), (b"Content-Type", b"text/plain"), (b"Date", b"today")])
    theirs = witnessed([(b"content-type", b"text/plain"), (b"server", b"uvicorn")])
    assert ours.equals(theirs, NONE)
    assert significant(ours.fields, NONE) == ((b"content-type", b"text/plain"),)


def test_a_header_that_the_route_compares_makes_a_difference() -> None:
    ours, theirs = witnessed([(b"ETag", b"1")]), witnessed([(b"etag", b"2")])
    assert ours.equals(theirs, NONE)
    assert not ours.equals(theirs, frozenset({b"etag"}))
    assert ours.equals(witnessed([(b"ETAG", b"1")]), frozenset({b"etag"}))


def test_a_difference_anywhere_that_counts_is_one() -> None:
    control = witnessed([(b"Content-Type", b"text/plain"), (b"Set-Cookie", b"a=1"), (b"Set-Cookie", b"b=2")])
    for other in (
        witnessed(control.fields, b"{ }"),
        witnessed(control.fields, status=201),
        witnessed([(b"Content-Type", b"text/plain; charset=utf-8"), *control.fields[1:]]),
        witnessed([control.fields[0], control.fields[2], control.fields[1]]),
        witnessed(control.fields[:2]),
    ):
        assert not control.equals(other, NONE)


def test_what_travels_is_an_observation_with_everything_in_it() -> None:
    found = witnessed([(b"X-\xc3", b"\xff")], b"\0").observation()
    assert (found.status, found.headers, found.body, found.seconds, found.side) == (
        200, (("X-\xc3", "\xff"),), b"\0", 0.5, "legacy",
    )  # fmt: skip
