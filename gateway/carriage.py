"""The mechanics of one exchange: what it carries, writing to both sides, counting. It decides nothing."""

from __future__ import annotations

from time import monotonic, monotonic_ns
from typing import TYPE_CHECKING, Final

import structlog

from gateway.hold import Hold
from gateway.routing.decision import Decision
from gateway.routing.table import Plan
from gateway.upstream import UpstreamConnection
from gateway.wire import headers, problems
from gateway.wire.answer import CHUNKED, NONE, interim_head
from gateway.wire.chunks import RequestInvalid
from gateway.wire.headers import Fields
from gateway.wire.request import Request

if TYPE_CHECKING:
    from gateway.downstream import Downstream
    from gateway.idempotency.claim import Claim
    from gateway.mirroring.shot import Shot
    from gateway.pool import Pool

log = structlog.get_logger()
KEEPING: Final = frozenset({200, 404, 409, 422, 502, 503, 504})  # after these the client's connection is sane
ROUTING, CLAIMING, HELD, WAITING, SENT, ANSWERING, REPLAYING, ENDED = range(8)


class Block:
    """Why nothing is read from a client at the moment: bits of one number (an IntFlag costs 0.7 us an operation)."""

    PIPELINED: Final = 1
    UPSTREAM: Final = 2
    WAITING: Final = 4


class Carriage(Request):
    """A request on its way: the two connections, the parts not yet written, and what is counted at the end."""

    __slots__ = ("attempts", "body_bytes", "body_done", "connection", "deadline", "decision", "downstream", "early",
                 "framing", "head", "hold", "is_moving", "is_reused", "is_sent", "is_write", "key", "out", "plan",
                 "pool", "shot", "started", "state", "status", "trailers", "worker")  # fmt: skip

    def __init__(self, downstream: Downstream, start: tuple[bytes, bytes, bytes], fields: Fields) -> None:
        self.worker = worker = downstream.worker
        Request.__init__(self, downstream.peer, start, fields, worker.trusted_proxies)
        self.downstream: Downstream | None = downstream
        self.state = ROUTING
        self.plan: Plan
        self.decision: Decision | None = None
        self.pool: Pool | None = None
        self.connection: UpstreamConnection | None = None
        self.hold: Hold | None = None  # set while the write counts as in flight, or waits in it
        self.shot: Shot | Claim | None = None  # who watches what passes by
        self.key: bytes | None = None
        self.head = b""
        self.early: list[bytes] = []  # of the request's body, not written yet
        self.out: list[bytes] = []  # of the answer, not written yet
        self.trailers: Fields = []
        self.attempts = self.body_bytes = self.status = self.framing = 0
        self.body_done = self.is_moving = self.is_reused = self.is_sent = self.is_write = False
        self.started = monotonic()
        self.deadline = self.started + worker.limits.body_idle_seconds

    def write(self, data: bytes) -> None:
        """To the client, if it is still there."""
        if self.downstream is not None:
            self.downstream.transport.write(data)

    def block(self, why: int) -> None:
        """Read nothing from the client."""
        if self.downstream is not None:
            self.downstream.block(why)

    def upstream_blocked(self, *, is_blocked: bool) -> None:
        """The upstream reads slowly, so the client is not read."""
        if is_blocked:
            self.block(Block.UPSTREAM)
        elif self.downstream is not None:
            self.downstream.unblock(Block.UPSTREAM)

    def client_blocked(self, *, is_blocked: bool) -> None:
        """The client reads slowly, so the upstream is not read."""
        if self.connection is not None:
            if is_blocked:
                self.connection.pause()
            else:
                self.connection.resume()

    def add_trailer(self, name: bytes, value: bytes) -> None:
        """A field after the body; bounded like those before it."""
        if len(self.trailers) >= self.worker.limits.header_count_max:
            raise RequestInvalid
        self.trailers.append((name, value))

    def send_body(self, connection: UpstreamConnection, data: bytes) -> None:
        """A piece of the body to the upstream, in the framing that the head announced."""
        connection.transport.write(b"%x\r\n%b\r\n" % (len(data), data) if self.is_chunked else data)

    def complete_request(self, connection: UpstreamConnection) -> None:
        """The request is out as a whole."""
        if self.is_chunked:
            connection.transport.write(b"0\r\n" + headers.trailer_lines(self.trailers, self.fields) + b"\r\n")
        connection.request_complete = True

    def go_ahead(self) -> None:
        """A client that waits for a word before it sends the body gets it from here: we need the body first."""
        if headers.EXPECT in self.facts and self.version == b"1":
            del self.facts[headers.EXPECT]
            headers.replace(self.lines, b"expect", None)
            self.write(b"HTTP/1.1 100 Continue\r\n\r\n")

    def answer_interim(self, connection: UpstreamConnection) -> None:
        """1xx goes to clients that know it."""
        if self.version == b"1":
            self.write(interim_head(connection.status, connection.reason, connection.fields))

    def answer_body(self, data: bytes) -> None:
        """A piece of the answer's body."""
        if self.framing == CHUNKED:
            self.out.append(b"%x\r\n%b\r\n" % (len(data), data))
        elif self.framing != NONE:
            self.out.append(data)
        if self.shot is not None:
            self.shot.control_body(data)

    def answer_so_far(self) -> None:
        """Pass on what one read of the upstream has brought, in one write."""
        self.is_moving = True
        if self.out:
            out, self.out = self.out, []
            self.write(b"".join(out))

    def mark_written(self) -> None:
        """Reads of this key stay at legacy until the write has arrived in modern."""
        if self.key is not None:
            self.worker.freshness.wrote(self.plan.capability_index, self.key, monotonic_ns())

    def problem_answer(self, reason: str) -> tuple[bytes, bool]:
        """Our own answer, and whether the connection stays.

        What became of a write is said, because its client must know whether to ask before it tries again.
        """
        outcome = None
        if self.is_write:
            outcome = problems.UNKNOWN if self.is_sent else problems.OUTCOMES.get(reason, problems.NOT_SENT)
            if self.is_sent and reason in problems.BY_CLIENT:
                outcome = problems.INCOMPLETE
        problem = problems.PROBLEMS[reason]
        self.worker.metrics.problems[reason] += 1
        self.status = 502 if outcome == problems.UNKNOWN else problem.status
        stays = self.keep_alive and self.body_done and problem.status in KEEPING and not self.worker.is_draining
        data = problems.render(problem, outcome=outcome, keep_alive=stays, head_only=self.method == b"HEAD")
        return data, stays

    def leave_upstream(self) -> None:
        """Give up the connection, or the place in the queue for one."""
        if self.connection is not None:
            self.connection.drop()
            self.connection = None
        elif self.pool is not None and self.state == WAITING:
            self.pool.forget(self)  # type: ignore[arg-type]  # the exchange, which this is, waits in the pool

    def count(self, now: float) -> None:
        """Out of flight, into the metrics."""
        worker = self.worker
        if self.hold is not None:
            if self.decision is None or self.decision.is_held:
                self.hold.forget(self)  # type: ignore[arg-type]  # the exchange, which this is, waits in the hold
            else:
                self.hold.in_flight -= 1
            self.hold = None
        if self.downstream is None:
            worker.orphans.discard(self)
            if not self.body_done:
                worker.metrics.problems["client_left"] += 1
        if self.decision is not None and self.status:
            worker.metrics.series_of(self.plan.name, self.decision.side).record(self.status, now - self.started)
