"""The life of one request; the only file with control flow across steps.

    ROUTING   the head is complete; checked, routed. A `when` on the body keeps it here until enough of it was seen
    CLAIMING  a write under an Idempotency-Key: `claim.Claim` asks the store whose the key is
    HELD      a write of a capability whose writes are held; `hold.Hold` lets it go, and it is routed anew
    WAITING   for a connection to the upstream that was decided; what comes of the body is kept and reading is paused
    SENT      the head is out; the body follows as it comes
    ANSWERING the answer's head is with the client; the body follows as it comes
    REPLAYING the key has an answer: the request is read to its end and compared with the one that was answered
    ENDED     counted; the connection to the client goes on, or is closed

Who moves it: the client's side (`begin`, `body`, `body_end`, `client_*`), the pool (`connected`, `not_connected`), the
upstream's side (`answer_*`), the hold (`let_go`), the claim (`claimed`, `replay`, `answer_stored`) and the worker's
coarse timer (`sweep`). Nothing survives the worker but the claim.

A write that may have reached the upstream is never sent twice: without an answer it ends as 502 `outcome: unknown`.
It is also never cut off once it was sent completely: when its client has gone, it goes on without one, so that it
counts as in flight until the upstream has answered. A read is sent again if the connection broke before a byte of an
answer came: once if the connection had been used before (the upstream closed it just then), else `retries` times.

    0.0 ms  head of POST /accounts/1/transfers; route found, capability accounts in canary, writes not held -> legacy
    0.0 ms  in flight 1; an idle connection: head and the first piece of the body are written -> SENT
    0.1 ms  the body's last piece -> written; the clock for the answer starts
    9.0 ms  the answer's head and body in one read -> one write to the client
    9.0 ms  in flight 0; the key is marked as having written; counted -> ENDED
"""

from __future__ import annotations

from time import monotonic

import structlog

from gateway.carriage import ANSWERING, ENDED, HELD, REPLAYING, ROUTING, SENT, WAITING, Block, Carriage
from gateway.choice import choose, peek
from gateway.patience import overdue
from gateway.retry import may_reconnect, may_repeat
from gateway.routing.decision import Decision
from gateway.routing.table import Plan, Undecided
from gateway.tunnel import Tunnel
from gateway.upstream import UpstreamConnection
from gateway.wire import headers
from gateway.wire.answer import CHUNKED, CLOSE, NONE, AnswerInvalid, head_again, head_of, switching_head
from gateway.wire.headers import Fields
from gateway.wire.seen_heads import SeenRequest
from gateway.wire.websocket import accepts_websocket

log = structlog.get_logger()


class Exchange(Carriage):
    """One request and its answer."""

    __slots__ = ()

    # The request, and who answers it.

    def begin(self, seen: SeenRequest | None = None) -> None:
        """The head is complete; `seen` is what came before it and differs in the target only."""
        reason = self.check(self.worker.limits) if seen is None else self.recall(seen, self.worker.limits)
        if reason is not None:
            self._refuse(reason)
            return
        self.has_all = self.body_done
        self._route()

    def _route(self) -> None:
        table = self.worker.table
        found = table.find(self, self.segments)
        if found.__class__ is Undecided:
            found = peek(self, found)
        if found is None:
            self._refuse("no_route")
        elif found.__class__ is Plan:
            self.plan = found
            self._decide(found)

    def _decide(self, plan: Plan) -> None:
        decision, hold = choose(self, plan)
        if self.is_write and self.worker.answers is not None and self.shot is None and self.worker.answers.claim(self):
            return
        if decision.is_held and hold is not None:
            if hold.enter(self):
                self.hold = hold
                self.state = HELD
            else:
                self._refuse(hold.refusal)
            return
        if hold is not None:
            self.hold = hold
            hold.in_flight += 1
            self.mark_written()
        self._dispatch(decision)

    def claimed(self, reason: str | None) -> None:
        """The key is ours (None): decide anew, with the table that is in force now. Or it is not, and that is why."""
        if self.downstream is not None:
            self.downstream.unblock(Block.WAITING)
        if reason is None:
            self.state = ROUTING
            self._route()
        else:
            self._refuse(reason)

    def replay(self, status: int, reason: bytes | None, fields: Fields, body: bytes) -> None:
        """Give the answer that the same request was given before."""
        keep_alive = self.keep_alive and not self.worker.is_draining
        head = head_of(status, reason, fields, (self.method, self.version, keep_alive))
        self.status = status
        self._conclude(head.data + (b"" if head.framing == NONE else body), keep_alive=head.keep_alive)

    def let_go(self) -> None:
        """The hold is over: route and decide anew, with the table that is in force now."""
        self.state = ROUTING
        self.hold = None
        self._route()

    def _dispatch(self, decision: Decision) -> None:
        self.decision = decision
        self.pool = self.worker.pools[decision.upstream]
        self.head = self.to_upstream(self.pool.authority)
        if decision.mirror is not None:
            shot = self.worker.mirror.begin(self, decision)
            if shot is not None:
                self.shot = shot if self.shot is None else self.shot.beside(shot)  # type: ignore[union-attr]  # a claim
        self._acquire(fresh=False)
        if self.shot is not None:
            self.shot.control_sent()

    def _acquire(self, *, fresh: bool) -> None:
        pool = self.pool
        assert pool is not None  # noqa: S101 - set by _dispatch
        self.attempts += 1
        connection = pool.acquire(self, is_write=self.is_write, fresh=fresh)
        if connection is not None:
            self.connected(connection, reused=True)
        else:
            self.state = WAITING

    def connected(self, connection: UpstreamConnection, *, reused: bool) -> None:
        """Send the head and what has come of the body."""
        self.connection = connection
        self.is_reused = reused
        self.is_sent = True
        self.state = SENT
        connection.start(self, self.head, is_head=self.method == b"HEAD")
        if self.early:
            early, self.early = self.early, []
            for data in early:
                self.send_body(connection, data)
        if self.body_done:
            self.complete_request(connection)
        self.deadline = monotonic() + connection.pool.timeout
        if self.downstream is not None:
            self.downstream.unblock(Block.WAITING)
            if self.downstream.is_write_blocked:
                connection.pause()

    def not_connected(self, reason: str) -> None:
        """Nothing was sent; try again as often as the upstream allows."""
        if may_reconnect(self, reason):
            self._acquire(fresh=True)
        else:
            self._refuse(reason)

    # The request's body.

    def body(self, data: bytes) -> None:
        """A piece of the body."""
        self.body_bytes += len(data)
        self.is_moving = True
        if self.shot is not None:
            self.shot.request_body(data)
        if self.connection is not None:
            self.send_body(self.connection, data)
        elif self.state < REPLAYING:
            self.early.append(data)
            if self.state == ROUTING:
                self._route()
            elif self.state != HELD or self.body_bytes > self.worker.limits.held_body_bytes_max:
                self.block(Block.WAITING)
        if self.is_chunked and self.body_bytes > self.worker.limits.body_bytes_max:
            self.client_broke("body_too_large")

    def body_end(self) -> None:
        """The body is complete."""
        self.body_done = True
        if self.shot is not None:
            self.shot.request_end()
        if self.connection is not None:
            self.complete_request(self.connection)
            self.deadline = monotonic() + self.connection.pool.timeout
        elif self.state == ROUTING:
            self._route()

    # The answer.

    def answer_switched(self, connection: UpstreamConnection, rest: bytes) -> bool:
        """From here on bytes pass in both directions, those that came early first."""
        if not self.is_websocket or self.downstream is None or not accepts_websocket(connection.fields):
            return False
        downstream = self.downstream
        self.status = connection.status
        self.write(switching_head(connection.reason, connection.fields))
        connection.tunnel = Tunnel(downstream, connection)
        connection.caller = self.connection = None
        self._end(monotonic())
        if rest:
            connection.tunnel.from_upstream(rest)
        downstream.take_over(connection.tunnel)
        return True

    def answer_head(self, connection: UpstreamConnection) -> None:
        """Write the head anew; it leaves together with what has come of the body."""
        keep_alive = self.keep_alive and self.body_done and not self.worker.is_draining
        if len(connection.fields) > self.worker.limits.header_count_max:
            raise AnswerInvalid
        status = connection.status
        request = self.method, self.version, keep_alive
        seen = connection.seen
        head = head_again(seen, request) if seen else head_of(status, connection.reason, connection.fields, request)
        if self.binds_connection(status, connection.fields):
            connection.keep_alive = False
        self.keep_alive = head.keep_alive
        self.framing = head.framing
        self.status = status
        self.state = ANSWERING
        self.out.append(head.data)
        if self.shot is not None:
            self.shot.control_head(status, connection.fields)

    def answer_end(self, connection: UpstreamConnection) -> None:
        """The answer is complete."""
        self.connection = None
        if self.framing == CHUNKED:
            self.out.append(b"0\r\n" + headers.trailer_lines(connection.trailers, connection.fields) + b"\r\n")
        if self.shot is not None and self.shot.control_end(monotonic()):
            self.deadline = monotonic() + self.worker.limits.body_idle_seconds  # the claim has a bound of its own
        else:
            self.answer_stored()

    def answer_stored(self) -> None:
        """Nothing is left to do before the client has the last bytes."""
        if self.state != ENDED:
            self._conclude(b"".join(self.out), keep_alive=self.keep_alive and self.body_done)

    def answer_failed(self, reason: str, *, answered: bool) -> None:
        """The upstream gave no complete answer: break off, send again, or say so."""
        self.connection = None
        if self.state == ANSWERING:
            self._break_off(reason)
        elif may_repeat(self, reason, answered=answered):
            self._acquire(fresh=True)
        else:
            self._refuse(reason)

    # The end.

    def _refuse(self, reason: str) -> None:
        """Answer with a problem."""
        if self.shot is not None:
            self.shot.control_failed()
        data, keep_alive = self.problem_answer(reason)
        self._conclude(data, keep_alive=keep_alive)

    def _conclude(self, data: bytes, *, keep_alive: bool) -> None:
        """Write the answer's last bytes. The key counts as having written before its client can know."""
        if self.hold is not None:
            self.mark_written()
        downstream = self.downstream
        now = monotonic()
        if downstream is None:
            self._end(now)
        elif self.body_done:
            if data:
                downstream.transport.write(data)
            self._end(now)
            downstream.exchange_ended(now, keep_alive=keep_alive)
        else:
            self._end(now)
            downstream.close_after(data)

    def _break_off(self, reason: str) -> None:
        """The answer has begun and cannot be completed: the client must see that."""
        self.worker.metrics.problems[reason] += 1
        log.warning("exchange.broken_off", reason=reason, route=self.plan.name)
        if self.shot is not None:
            self.shot.control_failed()
        if self.framing != CLOSE:
            self.answer_so_far()
        downstream = self.downstream
        self._end(monotonic())
        if downstream is not None:
            downstream.break_off(must_reset=self.framing == CLOSE)

    def _end(self, now: float) -> None:
        """Count it, once."""
        if self.state == ENDED:
            return
        self.state = ENDED
        self.leave_upstream()
        self.count(now)

    # The client, and time.

    def client_broke(self, reason: str) -> None:
        """The rest of the request is malformed, too large or too slow."""
        if self.state == ENDED:
            return
        self.leave_upstream()
        if self.state == ANSWERING:
            self._break_off(reason)
        else:
            self._refuse(reason)

    def client_ended(self) -> bool:
        """The client sends no more. True while a complete request is being answered; a held one is forgotten."""
        if self.body_done and self.state != HELD:
            return True
        self.client_gone()
        return False

    def client_gone(self) -> None:
        """Nobody waits for the answer. What was sent completely and writes, or is mirrored, goes on without."""
        self.downstream = None
        if self.state == ENDED:
            return
        if self.connection is not None and self.body_done and (self.is_write or self.shot is not None):
            self.connection.resume()
            self.worker.orphans.add(self)
            return
        if self.shot is not None:
            self.shot.control_failed(client_left=True)
        self._end(monotonic())

    def sweep(self, now: float) -> None:
        """The coarse timer: end what takes too long."""
        reason = overdue(self, now)
        if reason is None:
            return
        if reason == "client_too_slow":
            self.client_broke(reason)
            return
        if self.connection is not None:
            self.connection.pool.breaker.failed(now)
            self.leave_upstream()
        if self.state == ANSWERING:
            self._break_off(reason)
        else:
            self._refuse(reason)
