"""`make fuzz SECONDS=600`: valid messages keep their meaning, spoilt ones are refused or arrive strictly valid.

Each request ends as refused, as forwarded strictly valid, or as forwarded dirty, and the last must not happen; nothing
hangs; and whatever an upstream says, the next client gets its own answer. Hypothesis draws, shrinks and prints the seed.
"""

from __future__ import annotations

import argparse
import sys
import time
from collections import Counter
from collections.abc import Callable

from hypothesis import HealthCheck, given, seed, settings
from hypothesis import strategies as st

from tests.support.crossing import Crossing, Outcome, crossing, saying
from tests.support.grammar import Sent, answers, pieces, requests, spoilt
from tests.support.strict_http import Malformed, Requests

Test = Callable[[], None]


def properties(one: Crossing, examples: int, number: int, count: Counter[str]) -> dict[str, Test]:
    """The properties, each run with so many examples from that seed."""
    chosen = settings(max_examples=examples, deadline=None, database=None, suppress_health_check=list(HealthCheck))

    @seed(number)
    @chosen
    @given(st.lists(requests(), min_size=1, max_size=3), st.data())
    def valid_requests_arrive(sent: list[Sent], data: st.DataObject) -> None:
        one.upstream.reset()
        whole = b"".join(request.data for request in sent)
        outcome = one.run(one.cross(data.draw(pieces(whole)), len(sent), [request.method for request in sent]))
        assert len(outcome.answers) == len(outcome.requests) == len(sent), (outcome.answers, outcome.requests)
        for request, seen in zip(sent, outcome.requests, strict=True):
            assert (seen.method, seen.target, seen.body) == (request.method, request.target, request.body)
            assert seen.fields[: len(request.fields)] == request.fields
            assert seen.trailers == [pair for pair in request.trailers if pair[0].lower() != b"soapaction"]
        count["valid"] += 1

    @seed(number)
    @chosen
    @given(spoilt(st.lists(requests(), min_size=1, max_size=2).map(_joined)), st.data())
    def spoilt_requests_are_refused_or_arrive_clean(whole: bytes, data: st.DataObject) -> None:
        spoilt_request(one, data.draw(pieces(whole)), count)

    @seed(number)
    @chosen
    @given(spoilt(answers()), st.booleans(), st.sampled_from([b"GET", b"HEAD", b"POST"]), st.data())
    def spoilt_answers_reach_nobody_else(whole: bytes, closes: bool, method: bytes, data: st.DataObject) -> None:
        spoilt_answer(one, data.draw(pieces(whole)), method, closes=closes)
        count["answers"] += 1

    @seed(number)
    @chosen
    @given(answers(), st.sampled_from([b"GET", b"HEAD"]), st.data())
    def valid_answers_arrive(whole: bytes, method: bytes, data: st.DataObject) -> None:
        outcome = spoilt_answer(one, data.draw(pieces(whole)), method, closes=False)
        assert [answer.status for answer in outcome.answers] == [
            int(whole.rpartition(b"HTTP/1.1 ")[2][:3])
        ] or b"HTTP/1.1" in whole[20:]
        count["valid answers"] += 1

    return {test.__name__: test for test in (valid_requests_arrive, spoilt_requests_are_refused_or_arrive_clean,
                                             spoilt_answers_reach_nobody_else, valid_answers_arrive)}  # fmt: skip


def _joined(sent: list[Sent]) -> bytes:
    return b"".join(request.data for request in sent)


def spoilt_request(one: Crossing, parts: list[bytes], count: Counter[str]) -> None:
    """Whatever is sent: what arrives is strictly valid, and is what a strict reader finds in the bytes, if it finds any."""
    one.upstream.reset()
    outcome = one.run(one.pour(parts))
    strict = _strictly(b"".join(parts))
    if strict is not None:
        seen = [(request.method, request.body) for request in outcome.requests]
        assert seen == [pair for pair in strict if pair in seen], (
            f"other requests arrived than were sent: {seen}, {strict}"
        )
    count["forwarded" if outcome.requests else "refused"] += 1


def _strictly(data: bytes) -> list[tuple[bytes, bytes]] | None:
    """The requests in those bytes, or None where a strict reader stops."""
    found: list[tuple[bytes, bytes]] = []
    reader = Requests(lambda message: None, lambda message: found.append((message.method, message.body)))
    try:
        reader.feed(data)
    except Malformed:
        return None
    return found


def spoilt_answer(one: Crossing, parts: list[bytes], method: bytes, *, closes: bool) -> Outcome:
    """Whatever an upstream says: its client sees valid HTTP or a break, and the next one gets its own answer."""
    one.upstream.reset()
    one.upstream.respond = one.saying_pieces(parts, closes=True, after=0.0 if closes else 0.003)
    request = (
        method
        + b" /asked HTTP/1.1\r\nHost: bank\r\n"
        + (b"Content-Length: 2\r\n\r\nab" if method == b"POST" else b"\r\n")
    )
    outcome = one.run(one.pour([request], [method]))
    one.upstream.reset()
    mine = b"HTTP/1.1 200 OK\r\nX-Mine: 1\r\nContent-Length: 4\r\n\r\nmine"
    one.upstream.respond = saying(mine)
    own = one.run(one.cross([b"GET /own HTTP/1.1\r\nHost: bank\r\n\r\n"]))
    assert [(answer.all("x-mine"), answer.body) for answer in own.answers] == [([b"1"], b"mine")], own
    return outcome


def main() -> int:
    """0 if no example failed; else the failing one, shrunk, and the seed."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seconds", type=float, default=600)
    parser.add_argument("--seed", type=int, default=int(time.monotonic() * 1000) % 1_000_000)
    chosen = parser.parse_args()
    count: Counter[str] = Counter()
    until, number = time.monotonic() + chosen.seconds, chosen.seed
    # A short stall is a hang here: no timeout of the gateway may end what the gateway has forgotten.
    with crossing(body_idle_seconds=60.0) as one:
        while time.monotonic() < until:
            for name, test in properties(one, 200, number, count).items():
                try:
                    test()
                except BaseException:
                    sys.stderr.write(f"{name} failed with --seed {number}\n")
                    raise
            number += 1
            sys.stderr.write(f"seed {number}: {dict(count)}\n")
    sys.stdout.write(
        f"{sum(count.values())} examples, 0 failures, 0 dirty, 0 hung: {dict(count)}; seeds {chosen.seed} to {number - 1}\n"
    )
    return 0


if __name__ == "__main__":
    sys.exit(main())
