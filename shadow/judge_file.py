"""`strangler judge`: pairs of answers in a file, one JSON object a line, to one verdict a line.

In: `{"route": NAME, "control": OBS, "candidate": OBS}` with OBS = `{"status": 200, "headers": [["content-type",
"application/json"]], "body_base64": "..."}`. Out: `{"verdict": ..., "reason": ..., "differences": [{"path",
"kind"}]}`. The rules are those of the route in today's routes.yaml. The file is read line by line and may be larger
than memory.
"""

from __future__ import annotations

import base64
import binascii
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

import msgspec

from config.errors import StranglerError
from shadow.body import Decoder
from shadow.compare import Verdict, judge
from shadow.correspondence import Belonging, Correspondence
from shadow.observation import Observation, Side
from shadow.redact import Redactor
from shadow.rules import Rules

if TYPE_CHECKING:
    from config.model import Routes

LINE_BYTES_MAX = 64 << 20


class Answer(msgspec.Struct, frozen=True):
    """One side of a line."""

    status: int
    headers: tuple[tuple[str, str], ...] = ()
    body_base64: str = ""


class Line(msgspec.Struct, frozen=True):
    """One line: two answers to one request."""

    route: str
    control: Answer
    candidate: Answer


@dataclass(eq=False)
class LineInvalid(StranglerError):
    """A line of the file that is not a pair."""

    number: int
    problem: str

    @property
    def sentence(self) -> str:
        """The line and what is wrong with it; nothing of its content."""
        return f"Line {self.number} is not a pair of answers: {self.problem}."

    @property
    def hint(self) -> str:
        """What a line looks like."""
        return (
            'Write {"route": NAME, "control": OBS, "candidate": OBS} with OBS = '
            '{"status": 200, "headers": [["content-type", "application/json"]], "body_base64": "..."}.'
        )


@dataclass(eq=False)
class UnknownRoute(StranglerError):
    """A line names a route that routes.yaml does not have."""

    number: int
    route: str
    known: tuple[str, ...]

    @property
    def sentence(self) -> str:
        """The line and the name."""
        return f"Line {self.number} is of the route {self.route[:200]!r}, which routes.yaml does not have."

    @property
    def hint(self) -> str:
        """The names that exist."""
        return f"Known: {'; '.join(self.known)}." if self.known else "The file has no routes."


_decoder = msgspec.json.Decoder(Line)
_NO_TOKENS = Redactor(b"no value of a judged file is shown")


def judge_lines(
    lines: Iterable[bytes], routes: Routes, decoders: Mapping[str, Decoder] | None = None
) -> Iterator[tuple[dict[str, object], Verdict]]:
    """Each line's result as a plain object, and the verdict it was made of; empty lines are passed over.

    Ids that belong together are learned from line to line. `decoders` has the fixed-width layout of each route that
    has one, by the route's name. Raises LineInvalid, UnknownRoute.
    """
    rules = {route.name: Rules.of(route.compare) for route in routes.routes}
    capabilities = {route.name: route.capability for route in routes.routes}
    known: defaultdict[str | None, Correspondence] = defaultdict(Correspondence)
    for number, text in enumerate(lines, start=1):
        if not text.strip():
            continue
        line = _line(number, text)
        if line.route not in rules:
            raise UnknownRoute(number, line.route, tuple(rules))
        control, candidate = (
            _observation(number, line.control, "legacy"),
            _observation(number, line.candidate, "modern"),
        )
        decode, learned = (decoders or {}).get(line.route), known[capabilities[line.route]]
        verdict = judge(control, candidate, rules[line.route], decode, _NO_TOKENS, learned)
        learned.put(Belonging(*one, 0.0) for one in verdict.learned)
        yield result_of(verdict), verdict


def result_of(verdict: Verdict) -> dict[str, object]:
    """A verdict as one line of the output."""
    differences = [{"path": difference.path, "kind": difference.kind} for difference in verdict.differences]
    return {"verdict": verdict.kind, "reason": verdict.reason, "differences": differences}


def _line(number: int, text: bytes) -> Line:
    if len(text) > LINE_BYTES_MAX:
        raise LineInvalid(number, f"it has more than {LINE_BYTES_MAX >> 20} MiB")
    try:
        return _decoder.decode(text)
    except msgspec.ValidationError as error:
        raise LineInvalid(number, str(error)) from error
    except (msgspec.DecodeError, RecursionError, UnicodeDecodeError) as error:
        raise LineInvalid(number, "it is not JSON") from error


def _observation(number: int, answer: Answer, side: Side) -> Observation:
    try:
        body = base64.b64decode(answer.body_base64, validate=True)
    except (binascii.Error, ValueError) as error:
        name = "control" if side == "legacy" else "candidate"
        raise LineInvalid(number, f"body_base64 of the {name} is not base64") from error
    return Observation(answer.status, answer.headers, body, 0.0, side)
