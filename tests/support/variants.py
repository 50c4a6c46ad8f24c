"""Every case of the conformance tests, whole and in pieces: cut in two at each position, and byte by byte."""

from __future__ import annotations

import json
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence

from tests.support.crossing import Crossing, Outcome, Respond
from tests.support.strict_http import Message

EVERY_BYTES_MAX = 2048  # longer ones are cut near both ends and at each STRIDE-th position
STRIDE, NEAR, FEW = 997, 24, 6
GET = b"GET /asked HTTP/1.1\r\nHost: bank\r\n\r\n"
ANY_REFUSAL = range(400, 600)

Check = Callable[[Outcome], None]


def cuts(length: int, *, every: bool) -> Sequence[int]:
    """Where a message of that length is cut in two."""
    if every and length <= EVERY_BYTES_MAX:
        return range(1, length)
    if every:
        return sorted({*range(1, NEAR), *range(STRIDE, length, STRIDE), *range(length - NEAR, length)})
    return sorted({max(1, length * step // (FEW + 1)) for step in range(1, FEW + 1)} | {length - 1} - {0})


def variants(data: bytes, *, every: bool) -> Iterator[tuple[str, list[bytes]]]:
    """The pieces in which the same bytes are sent, each with its name; the first is the whole."""
    yield "whole", [data]
    for cut in cuts(len(data), every=every) if len(data) > 1 else ():
        yield f"cut at {cut}", [data[:cut], data[cut:]]
    step = 1 if len(data) <= EVERY_BYTES_MAX else 61
    yield f"{step} at a time", [data[start : start + step] for start in range(0, len(data), step)]


class Wire:
    """What a conformance test asks for: cases in, claims about every variant out. Counts the variants."""

    def __init__(self, crossing: Crossing, *, every: bool) -> None:
        self.crossing = crossing
        self.upstream = crossing.upstream
        self.every = every
        self.variants = 0

    def passed(
        self, cases: Mapping[str, bytes], check: Check, *, answers: int = 1, respond: Respond | None = None,
        methods: Sequence[bytes] = (),
    ) -> None:  # fmt: skip
        """Requests, whatever their pieces, have an outcome that passes the check and is the same for all pieces."""
        for name, data in cases.items():
            whole: object = None
            for how, pieces in variants(data, every=self.every):
                self.upstream.reset()
                if respond is not None:
                    self.upstream.respond = respond
                with _naming(name, how):
                    outcome = self.crossing.run(self.crossing.cross(pieces, answers, methods))
                    check(outcome)
                    whole = whole or outcome.essence()
                    assert outcome.essence() == whole, f"not what became of the whole: {outcome.essence()} {whole}"
                self.variants += 1

    def refused(
        self, cases: Mapping[str, bytes], statuses: Collection[int] = (400,), *, before: Sequence[bytes] = ()
    ) -> None:
        """One answer by the gateway itself, the connection closes, and nothing complete reaches the upstream.

        `before` are the targets of good requests in front of what is refused.
        """

        def check(outcome: Outcome) -> None:
            assert not outcome.kept, "the connection went on"
            assert [request.target for request in outcome.requests] == list(before), "something passed"
            assert len(outcome.answers) == len(before) + 1
            is_problem(outcome.answers[-1], statuses)
            assert outcome.answers[-1].all("connection") == [b"close"]

        self.passed(cases, check, answers=len(before) + 1)

    def answered(
        self, cases: Mapping[str, bytes], check: Check, *, request: bytes = GET, method: bytes = b"GET",
        closes: bool = False,
    ) -> None:  # fmt: skip
        """The upstream answers with these bytes, in whatever pieces; closes its connection after them if told so."""
        for name, data in cases.items():
            whole: object = None
            for how, pieces in variants(data, every=self.every):
                self.upstream.reset()
                self.upstream.respond = self.crossing.saying_pieces(pieces, closes=closes)
                with _naming(name, how):
                    outcome = self.crossing.run(self.crossing.cross([request], 1, [method]))
                    check(outcome)
                    whole = whole or outcome.essence()
                    assert outcome.essence() == whole, f"not what became of the whole: {outcome.essence()} {whole}"
                self.variants += 1


class _naming:  # noqa: N801 - used like a function
    def __init__(self, case: str, how: str) -> None:
        self._text = f"{case}, {how}"

    def __enter__(self) -> None:
        pass

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: object) -> None:
        if error is not None:
            error.add_note(f"case: {self._text}")


def is_problem(answer: Message, statuses: Collection[int]) -> None:
    """An answer of the gateway's own: RFC 9457, with an error id, with Date and Content-Length."""
    assert answer.status in statuses, f"{answer.status} {answer.body!r}"
    document = json.loads(answer.body)
    assert document["status"] == answer.status
    assert len(document["error_id"]) == 16
    assert answer.get("content-length") == str(len(answer.body)).encode()
    assert answer.get("date")


def reached(*targets: bytes, kept: bool = True) -> Check:
    """Answered with 200 each, and exactly these reached the upstream."""

    def check(outcome: Outcome) -> None:
        assert [answer.status for answer in outcome.answers] == [200] * len(targets), outcome.answers
        assert [request.target for request in outcome.requests] == list(targets)
        assert outcome.kept == kept

    return check


def status_is(status: int, *, kept: bool = True) -> Check:
    """One whole answer with that status."""

    def check(outcome: Outcome) -> None:
        assert [answer.status for answer in outcome.answers] == [status], (outcome.answers, outcome.unfinished)
        assert outcome.kept == kept

    return check
