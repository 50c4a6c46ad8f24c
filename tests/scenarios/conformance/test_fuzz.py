"""The short form of `make fuzz`, and the bytes that have found something in a long one."""

from __future__ import annotations

from collections import Counter

import pytest

from tests.fuzz import properties, spoilt_answer, spoilt_request
from tests.support.variants import Wire, variants

# Each of these was once forwarded dirty, hung, or reached the wrong side.
FOUND_REQUESTS = {
    "an upgrade with a body": b"POST / HTTP/1.1\r\nHost: bank\r\nUpgrade: h2c\r\nConnection: Upgrade\r\nContent-Length: 3\r\n\r\nabc",
    "an upgrade with chunks": b"POST / HTTP/1.1\r\nHost: bank\r\nUpgrade: h2c\r\nConnection: Upgrade\r\nTransfer-Encoding: chunked\r\n\r\n"
                              b"3\r\nabc\r\n0\r\n\r\n",
    "no host in 1.0": b"GET / HTTP/1.0\r\n\r\n",
    "empty lines without end": b"\r\n" * 60,
    "a coding in capitals": b"POST / HTTP/1.1\r\nHost: bank\r\nTransfer-Encoding: CHUNKED\r\n\r\n0\r\n\r\n",
}  # fmt: skip
FOUND_ANSWERS = {
    "fields of a second answer as trailers": b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nok\r\n0\r\n\r\n"
                                             b"HTTP/1.1 200 OK\r\nX-Evil: 1\r\nContent-Length: 0\r\n\r\n",
    "trailers without end": b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nok\r\n0\r\n" + b"a: b\r\n" * 5000,
    "205 with a body": b"HTTP/1.1 205 Reset\r\nContent-Length: 4\r\n\r\nevil",
}  # fmt: skip


@pytest.mark.parametrize("name", ["valid_requests_arrive", "spoilt_requests_are_refused_or_arrive_clean",
                                  "spoilt_answers_reach_nobody_else", "valid_answers_arrive"])  # fmt: skip
def test_whatever_is_sent_arrives_valid_or_not_at_all(wire: Wire, name: str) -> None:
    properties(wire.crossing, 80, 7, Counter())[name]()


@pytest.mark.parametrize("name", FOUND_REQUESTS)
def test_requests_that_found_something_stay_found(wire: Wire, name: str) -> None:
    for _, parts in variants(FOUND_REQUESTS[name], every=wire.every):
        spoilt_request(wire.crossing, parts, Counter())


@pytest.mark.parametrize("name", FOUND_ANSWERS)
def test_answers_that_found_something_stay_found(wire: Wire, name: str) -> None:
    for _, parts in variants(FOUND_ANSWERS[name], every=False):
        outcome = spoilt_answer(wire.crossing, parts, b"GET", closes=True)
        said = b"".join(key + value for answer in outcome.answers for key, value in answer.fields + answer.trailers)
        assert b"X-Evil" not in said
        assert not any(b"evil" in answer.body for answer in outcome.answers)
