"""One mirrored request: what has passed by of it so far, and the candidate's answer."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import wraps
from time import monotonic
from typing import TYPE_CHECKING, Any, Concatenate, Final, ParamSpec
from urllib.parse import quote_from_bytes

import structlog

from config.model import VerifyByRead
from gateway.call import Call
from gateway.comparer_link import Kind
from gateway.headers import Fields, tail_of_request, with_tail
from shadow.observation import Observation, Side

if TYPE_CHECKING:
    from gateway.carriage import Carriage
    from gateway.mirror import Mirror
    from gateway.pool import Pool

log = structlog.get_logger()
P = ParamSpec("P")
Both = tuple[Observation, Observation]
_OF_A_BODY: Final = (b"content-", b"transfer-encoding:", b"expect:", b"if-", b"idempotency-key:")


def contained(tell: Callable[Concatenate[Shot, P], None]) -> Callable[Concatenate[Shot, P], None]:
    """Whatever goes wrong in here ends the shot, and never the exchange that told it something."""

    @wraps(tell)
    def guarded(shot: Shot, /, *args: P.args, **kwargs: P.kwargs) -> None:
        try:
            tell(shot, *args, **kwargs)
        except Exception:
            log.exception("mirror.failed", route=shot.route)
            shot.end("dropped", "internal")

    return guarded


class Shot:
    """Follows one exchange. It ends once: `finish` (handed over) or `end` (counted with the reason).

    A safe read goes to the candidate as soon as the control has been sent; the copy of a write only when the control's
    outcome is known (`dry_run`, `sandbox`), or not at all: `verify_by_read` reads both sides instead.
    """

    __slots__ = (
        "_body",
        "_call",
        "_candidate",
        "_candidate_pool",
        "_control",
        "_control_bytes",
        "_control_fields",
        "_control_parts",
        "_control_pool",
        "_head",
        "_is_chunked",
        "_lines",
        "_mirror",
        "_policy",
        "_request_bytes",
        "_request_done",
        "_sent",
        "_status",
        "body_max",
        "bytes_held",
        "capability",
        "is_over",
        "is_safe",
        "key",
        "method",
        "parameters",
        "route",
        "side",
        "stage",
        "started",
    )  # fmt: skip

    def __init__(self, mirror: Mirror, exchange: Carriage, pools: tuple[Pool, Pool], policy: Any) -> None:
        """`pools` are the mirror's own: to the control's upstream and to the candidate's."""
        plan = exchange.plan
        self._mirror = mirror
        self._policy = policy
        self._control_pool, self._candidate_pool = pools
        decision = exchange.decision
        self.side: Side = "modern" if decision is not None and decision.side == "modern" else "legacy"
        self.route = plan.name
        self.capability = plan.capability or ""
        self.stage = plan.rule.stage
        self.body_max = plan.mirror_body_max
        self.method = exchange.method.decode("latin-1")
        self.is_safe = not exchange.is_write or isinstance(policy, VerifyByRead)
        self.key = exchange.key
        if self.key is None and plan.key is not None:
            self.key = plan.key(exchange, exchange.segments)
        self.parameters = _parameters(plan.template, exchange.target) if isinstance(policy, VerifyByRead) else {}
        self._head = exchange.head
        self._lines = exchange.lines, exchange.facts, exchange.peer, exchange.version
        self._is_chunked = exchange.is_chunked
        self._body: list[bytes] = []
        self._control_parts: list[bytes] = []
        self._control_fields: Fields = []
        self._control: Observation | None = None
        self._candidate: Observation | None = None
        self._call: Call | None = None
        self._status = self._request_bytes = self._control_bytes = 0
        self._request_done = exchange.body_done
        self._sent = self.is_over = False
        self.bytes_held = 0
        self.started = monotonic()

    # What the exchange tells.

    @contained
    def control_sent(self) -> None:
        """The control is on its way: a safe read that is complete goes to the candidate at the same time."""
        self._sent = True
        if self._policy == "mirror" and self._request_done:
            self._ask_candidate(b"mirror")

    @contained
    def request_body(self, data: bytes) -> None:
        """A piece of the request's body."""
        self._request_bytes += len(data)
        if self._holds(data, self._request_bytes):
            self._body.append(data)

    @contained
    def request_end(self) -> None:
        """The request is complete."""
        self._request_done = True
        if self._sent and self._policy == "mirror":
            self._ask_candidate(b"mirror")

    @contained
    def control_head(self, status: int, fields: Fields) -> None:
        """The control's answer begins."""
        self._status = status
        self._control_fields = fields

    @contained
    def control_body(self, data: bytes) -> None:
        """A piece of the control's answer."""
        self._control_bytes += len(data)
        if self._holds(data, self._control_bytes):
            self._control_parts.append(data)

    @contained
    def control_end(self, now: float) -> None:
        """The control's answer is complete. (None: it is not kept waiting.)"""
        if self.is_over:
            return
        body = b"".join(self._control_parts)
        self._control = _observation(self._status, self._control_fields, body, now - self.started, self.side)
        if self._policy == "mirror":
            if self._request_done:
                self._pair()
            else:
                self.end("skipped", "answered_early")
        elif isinstance(self._policy, VerifyByRead):
            self.ask_both(self._verified)
        else:
            self._ask_candidate(b"dry-run" if self._policy == "dry_run" else b"mirror")

    @contained
    def control_failed(self, *, client_left: bool = False) -> None:
        """The control has no answer, or its client left before the request was complete."""
        if client_left:
            self.end("skipped", "client_left")
        else:
            self.end("errored", self.side)

    # The candidate.

    def _ask_candidate(self, mark: bytes) -> None:
        if not self.is_over:
            self._call = self._mirror.call(self._candidate_pool, self._message(mark), self.body_max, self._answered)

    def _message(self, mark: bytes) -> tuple[bytes, bytes]:
        body = b"".join(self._body)
        if self._is_chunked:
            body = b"%x\r\n%b\r\n0\r\n\r\n" % (len(body), body) if body else b"0\r\n\r\n"
        return self._head[:-2] + b"X-Shadow: " + mark + b"\r\n\r\n", body

    def _answered(self, call: Call) -> None:
        self._call = None
        if call.problem is not None:
            self._mirror.failed(self, call.problem, self._other_side)
            return
        self._candidate = self._observed(call, self._other_side)
        self._hold(call.body_bytes)
        self._pair()

    def _pair(self) -> None:
        if self._control is not None and self._candidate is not None and not self.is_over:
            self._mirror.paired(self, self._control, self._candidate)

    def _verified(self, both: Both | None) -> None:
        if both is None:
            self.end("errored", self._other_side)
        elif not self.is_over:
            self._mirror.paired(self, *both)

    def ask_both(self, then: Callable[[Both | None], None]) -> None:
        """Send the read to both sides over the mirror's connections; `then` gets both answers, or None."""
        message = self._read_message()
        if self.is_over or message is None:
            then(None)
            return
        answers: dict[str, Observation | None] = {}

        def take(side: Side) -> Callable[[Call], None]:
            def taken(call: Call) -> None:
                answers[side] = self._observed(call, side) if call.problem is None else None
                if len(answers) == 2:
                    control, candidate = answers[self.side], answers[self._other_side]
                    then((control, candidate) if control is not None and candidate is not None else None)

            return taken

        self._mirror.call(self._control_pool, message, self.body_max, take(self.side))
        self._mirror.call(self._candidate_pool, message, self.body_max, take(self._other_side))

    def _read_message(self) -> tuple[bytes, bytes] | None:
        """The request itself where it is a read; for `verify_by_read` a GET of the named route's target."""
        if not isinstance(self._policy, VerifyByRead):
            return self._message(b"mirror")
        target = self._mirror.read_of(self._policy.verify_by_read, self)
        if target is None:
            return None
        lines, facts, peer, version = self._lines
        kept = [line for line in lines[1:] if not line.lower().startswith(_OF_A_BODY)]
        head = with_tail(b"GET " + target + b" HTTP/1.1", tail_of_request([b"", *kept], facts, peer, version))
        return head[:-2] + b"X-Shadow: mirror\r\n\r\n", b""

    # Bounds and the end.

    @property
    def _other_side(self) -> Side:
        return "legacy" if self.side == "modern" else "modern"

    def _observed(self, call: Call, side: Side) -> Observation:
        return _observation(call.status, call.fields, b"".join(call.parts), call.seconds, side)

    def _holds(self, data: bytes, total: int) -> bool:
        """Whether this piece may be kept; at a bound the shot ends, and the exchange goes on without it."""
        if self.is_over:
            return False
        if total > self.body_max:
            self.end("skipped", "body_too_large")
            return False
        self._hold(len(data))
        if self._mirror.bytes_held > self._mirror.limits.mirror_bytes_max:
            self.end("dropped", "bytes_full")
            return False
        return True

    def _hold(self, count: int) -> None:
        self.bytes_held += count
        self._mirror.bytes_held += count

    def finish(self) -> None:
        """It was handed over."""
        self.is_over = True
        self._mirror.ended(self)

    def end(self, kind: Kind, what: str) -> None:
        """It is not a pair, and will not become one."""
        if self.is_over:
            return
        self.is_over = True
        if self._call is not None:
            self._mirror.cancel(self._call)
            self._call = None
        self._mirror.account(kind, self.route, self.capability, what)
        self._mirror.ended(self)
        self._body = self._control_parts = []


def _observation(status: int, fields: Fields, body: bytes, seconds: float, side: Side) -> Observation:
    headers = tuple((name.decode("latin-1"), value.decode("latin-1")) for name, value in fields)
    return Observation(status, headers, body, seconds, side)


def _parameters(template: Sequence[tuple[str, str]], target: bytes) -> dict[str, bytes]:
    """The path's parameters as they were spelt, by name."""
    parts = target.partition(b"?")[0][1:].split(b"/")
    found: dict[str, bytes] = {}
    for index, (kind, text) in enumerate(template):
        if kind != "literal" and index < len(parts):
            found[text] = b"/".join(parts[index:]) if kind == "rest" else parts[index]
    return found


def read_target(template: Sequence[tuple[str, str]], parameters: Mapping[str, bytes]) -> bytes | None:
    """A path made of a template and parameters; None if one is missing."""
    parts: list[bytes] = []
    for kind, text in template:
        value = (
            quote_from_bytes(text.encode(), safe="~!$&'()*+,;=:@").encode()
            if kind == "literal"
            else parameters.get(text)
        )
        if value is None:
            return None
        parts.append(value)
    return b"/" + b"/".join(parts)
