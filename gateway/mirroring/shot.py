"""One mirrored request: what has passed by of it so far, and the candidate's answer."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import wraps
from time import monotonic
from typing import TYPE_CHECKING, Any, Concatenate, Final, ParamSpec, cast
from urllib.parse import quote_from_bytes

import structlog

from config.model import VerifyByRead
from gateway.mirroring.call import Call, Message
from gateway.mirroring.comparer_link import Kind
from gateway.mirroring.rewriting import NotRewritten, rewritten
from gateway.mirroring.witness import Witnessed
from gateway.wire.headers import Fields, tail_of_request, with_tail
from shadow.observation import Asked, Side

if TYPE_CHECKING:
    from gateway.carriage import Carriage
    from gateway.mirroring.mirror import Mirror
    from gateway.pool import Pool

log = structlog.get_logger()
P = ParamSpec("P")
Both = tuple[Witnessed, Witnessed]
_ASKED_AGAIN: Final = frozenset({b"GET", b"HEAD"})
_OF_A_BODY: Final = (b"content-", b"transfer-encoding:", b"expect:", b"if-", b"idempotency-key:")


def contained(tell: Callable[Concatenate[Shot, P], None]) -> Callable[Concatenate[Shot, P], None]:
    """Whatever goes wrong in here ends the shot, and never the exchange that told it something."""

    @wraps(tell)
    def guarded(shot: Shot, told: Any = None) -> None:  # not *args: that would cost 0.2 us for each thing told
        try:
            if told is None:
                tell(shot)  # type: ignore[call-arg]  # what tells nothing takes nothing
            else:
                tell(shot, told)  # type: ignore[call-arg]
        except Exception:
            log.exception("mirror.failed", route=shot.plan.name)
            shot.end("dropped", "internal")

    return cast("Callable[Concatenate[Shot, P], None]", guarded)


class Shot:
    """Follows one exchange. It ends once: `finish` (handed over) or `end` (counted with the reason).

    A safe read goes to the candidate as soon as the control has been sent; the copy of a write only when the control's
    outcome is known (`dry_run`, `sandbox`), or not at all: `verify_by_read` reads both sides instead.
    """

    __slots__ = ("_body", "_call", "_candidate", "_carriers", "_control", "_control_bytes", "_control_parts",
                 "_fields", "_head", "_is_chunked", "_mirror", "_policy", "_pools", "_read", "_request_bytes",
                 "_request_done", "_sent", "_status", "_verifies", "bytes_held", "is_over", "is_safe", "key", "method",
                 "plan", "side", "started")  # fmt: skip

    def __init__(self, mirror: Mirror, exchange: Carriage, pools: tuple[Pool, Pool], policy: Any) -> None:
        """`pools` are the mirror's own: to the control's upstream and to the candidate's."""
        plan = exchange.plan
        self._mirror = mirror
        self._policy = policy
        self._pools = pools
        decision = exchange.decision
        self.side: Side = "modern" if decision is not None and decision.side == "modern" else "legacy"
        self.plan = plan
        self.method = exchange.method
        self.is_safe = not exchange.is_write
        self.key = exchange.key
        if self.key is None and plan.key is not None:
            self.key = plan.key(exchange, exchange.segments)
        self._read: Message | None = None
        self._carriers = plan.carriers
        self._verifies = policy.__class__ is VerifyByRead
        if self._verifies:
            self.is_safe = True
            reading = mirror.plan_of(policy.verify_by_read)
            self._read = _read_of(exchange, reading.template if reading is not None else None)
            self._carriers = reading.carriers if reading is not None else None
        self._head = exchange.head
        self._is_chunked = exchange.is_chunked and not self._verifies
        self._body: list[bytes] = []
        self._control_parts: list[bytes] = []
        self._fields: Fields = []
        self._control: Witnessed | None = None
        self._candidate: Witnessed | None = None
        self._call: Call | None = None
        self._status = self._request_bytes = self._control_bytes = self.bytes_held = 0
        self._request_done = exchange.body_done
        self._sent = self.is_over = False
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

    def control_head(self, status: int, fields: Fields) -> None:
        """The control's answer begins."""
        self._status = status
        self._fields = fields

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
        parts = self._control_parts
        body = parts[0] if len(parts) == 1 else b"".join(parts)
        self._control = Witnessed(self._status, self._fields, body, now - self.started, self.side)
        if self._policy == "mirror":
            if self._request_done:
                self._pair()
            else:
                self.end("skipped", "answered_early")
        elif self._verifies:
            self.ask_both(self._verified)
        else:
            self._ask_candidate(b"dry-run" if self._policy == "dry_run" else b"mirror")

    def control_failed(self, *, client_left: bool = False) -> None:
        """The control has no answer, or its client left before the request was complete."""
        self._failed("client_left" if client_left else "")

    @contained
    def _failed(self, reason: str) -> None:
        if reason:
            self.end("skipped", reason)
        else:
            self.end("errored", self.side)

    # The candidate.

    def _ask_candidate(self, mark: bytes) -> None:
        if self.is_over:
            return
        try:
            message = self._message(mark, is_copy=True)
        except NotRewritten as error:
            self.end("skipped", error.reason)
        else:
            self._call = self._mirror.call(self._pools[1], message, self.plan, self._answered)

    def _message(self, mark: bytes, *, is_copy: bool) -> Message:
        """What is sent to one side; a copy for the candidate has its ids in it. Raises NotRewritten."""
        if self._read is not None:
            head, body = self._read
        else:
            head = b"%bX-Shadow: %b\r\n\r\n" % (self._head[:-2], mark)
            body = b"".join(self._body) if self._body else b""
        if is_copy and self._carriers is not None:
            head, body = rewritten((head, body), self._carriers, self._mirror.partner(self))
        if self._is_chunked:
            body = b"%x\r\n%b\r\n0\r\n\r\n" % (len(body), body) if body else b"0\r\n\r\n"
        return head, body

    def _answered(self, call: Call) -> None:
        self._call = None
        if call.problem is not None:
            self._mirror.failed(self, call.problem, self._other_side)
            return
        self._candidate = call.witnessed(self._other_side)
        self._hold(call.body_bytes)
        self._pair()

    def _pair(self) -> None:
        if self._control is not None and self._candidate is not None and not self.is_over:
            self._mirror.paired(self, self._control, self._candidate)

    def _verified(self, both: Both | None) -> None:
        if both is None:
            self.end("errored", self._other_side)  # unless it has ended with a better reason
        elif not self.is_over:
            self._mirror.paired(self, *both)

    def ask_both(self, then: Callable[[Both | None], None]) -> None:
        """Send the read to both sides over the mirror's connections; `then` gets both answers, or None."""
        if self.is_over or (self._verifies and self._read is None):
            then(None)
            return
        try:
            messages = self._message(b"mirror", is_copy=False), self._message(b"mirror", is_copy=True)
        except NotRewritten as error:
            if self._verifies:
                self.end("skipped", error.reason)
            then(None)
            return
        answers: dict[str, Witnessed | None] = {}

        def take(side: Side) -> Callable[[Call], None]:
            def taken(call: Call) -> None:
                answers[side] = call.witnessed(side) if call.problem is None else None
                if len(answers) == 2:
                    control, candidate = answers[self.side], answers[self._other_side]
                    then((control, candidate) if control is not None and candidate is not None else None)

            return taken

        for pool, side, message in zip(self._pools, (self.side, self._other_side), messages, strict=True):
            self._mirror.call(pool, message, self.plan, take(side))

    def asked(self) -> Asked | None:
        """The read as it may be asked again, where its route keeps such; nothing with a body."""
        names = self.plan.captured
        if names is None or self._request_bytes or self.method not in _ASKED_AGAIN or not self.is_mirrored_read:
            return None
        start, *lines = self._head.split(b"\r\n")
        pairs = (line.partition(b":") for line in lines)
        kept = [(name, value) for name, _, value in pairs if name.lower() in names]
        headers = tuple((name.decode("latin-1"), value.strip().decode("latin-1")) for name, value in kept)
        return Asked(start.split(b" ")[1].decode("latin-1"), headers)

    @property
    def is_mirrored_read(self) -> bool:
        """Whether it is a safe read that goes to both sides as it is."""
        return self.is_safe and self._policy == "mirror"

    def ask_legacy(self, done: Callable[[Call], None]) -> bool:
        """Send the read to legacy once more, over the mirror's connections; False if it does not know an id of it."""
        is_copy = self.side != "legacy"
        try:
            message = self._message(b"mirror", is_copy=is_copy)
        except NotRewritten:
            return False
        self._mirror.call(self._pools[is_copy], message, self.plan, done)
        return True

    # Bounds and the end.

    @property
    def _other_side(self) -> Side:
        return "legacy" if self.side == "modern" else "modern"

    def _holds(self, data: bytes, total: int) -> bool:
        """Whether this piece may be kept; at a bound the shot ends, and the exchange goes on without it."""
        if self.is_over:
            return False
        if total > self.plan.mirror_body_max:
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
            self._call.cancel()
            self._call = None
        self._mirror.account(kind, self.plan, what)
        self._mirror.ended(self)
        self._body = self._control_parts = []


Template = Sequence[tuple[str, str]]


def _read_of(exchange: Carriage, template: Template | None) -> Message | None:
    """A GET of the named route's target for the resource that a write is about; None if a parameter is missing."""
    target = None if template is None else read_target(template, _parameters(exchange.plan.template, exchange.target))
    if target is None:
        return None
    kept = [line for line in exchange.lines[1:] if not line.lower().startswith(_OF_A_BODY)]
    tail = tail_of_request([b"", *kept], exchange.facts, exchange.peer, exchange.version)
    return with_tail(b"GET " + target + b" HTTP/1.1", tail)[:-2] + b"X-Shadow: mirror\r\n\r\n", b""


def _parameters(template: Template, target: bytes) -> dict[str, bytes]:
    """The path's parameters as they were spelt, by name."""
    parts = target.partition(b"?")[0][1:].split(b"/")
    found: dict[str, bytes] = {}
    for index, (kind, text) in enumerate(template):
        if kind != "literal" and index < len(parts):
            found[text] = b"/".join(parts[index:]) if kind == "rest" else parts[index]
    return found


def read_target(template: Template, parameters: Mapping[str, bytes]) -> bytes | None:
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
