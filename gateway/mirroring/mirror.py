"""Copies requests to the candidate, pairs the two answers, and hands the pairs to the comparer.

Nothing here can delay, fail or change the client's answer: the exchange tells what passes by and asks nothing. A
request that is eligible (mirrored by its decision, within the sample) is counted once as eligible and ends once, as a
pair, or skipped, dropped or errored: the four add up to the eligible ones. Every bound has a name in `limits.py`.
"""

from __future__ import annotations

import asyncio
import random
from collections.abc import Callable
from datetime import UTC, datetime
from functools import partial
from typing import TYPE_CHECKING, Final

import structlog

from config.model import Breaker, Sandbox, Upstream
from gateway.limits import Limits
from gateway.metrics import Metrics
from gateway.mirroring.agreements import NOTED_ALL, TRAVELS, Agreements
from gateway.mirroring.call import Call, Done, Message
from gateway.mirroring.comparer_link import ComparerLink, Kind
from gateway.mirroring.eligible import Eligible
from gateway.mirroring.partners import Partners
from gateway.mirroring.rewriting import Partner
from gateway.mirroring.second_look import SecondLooks
from gateway.mirroring.shot import Both, Shot
from gateway.mirroring.witness import Witnessed
from gateway.pool import Pool
from gateway.routing.decision import Decision
from gateway.subject import subject_of
from shadow.observation import Pair

if TYPE_CHECKING:
    from gateway.carriage import Carriage
    from gateway.routing.table import Plan, Table

log = structlog.get_logger()
REPEAT_AFTER_SECONDS: Final = (0.25, 1.0, 2.5, 5.0)
LOOKS_WITHOUT_BYTES_MAX: Final = 2  # where bytes never agree (ids of their own), only the comparer can tell a race
LAST_LOOK_SECONDS: Final = 0.25  # how long a stop waits for a difference that may be a race
_DROPPED: Final = frozenset({"breaker_open", "upstream_busy"})


class Mirror:
    """All mirrored requests of one worker: their own connections, limits and breakers."""

    def __init__(
        self, link: ComparerLink, metrics: Metrics, limits: Limits, token_key: bytes, eligible: Eligible | None = None
    ) -> None:
        """`eligible` counts for the case that this worker is killed."""
        self.link = link
        self.limits = limits
        self.bytes_held = 0
        self.is_draining = False
        self._is_hurried = False
        self._metrics = metrics
        link.totals = metrics.mirror
        self._eligible = eligible or Eligible(None, "")
        self._partners = Partners()
        link.on_ids = self._partners.take
        self._token_key = token_key
        self._agreements = Agreements(self.token)
        self._second_looks = SecondLooks(self)
        self._live: set[Shot] = set()
        self._calls: set[Call] = set()
        self._repeats: dict[Shot, tuple[asyncio.TimerHandle, Callable[[], None]]] = {}
        self._repeating = 0
        self._pools: dict[str, Pool] = {}
        self._retired: list[Pool] = []
        self._table: Table | None = None

    @property
    def live(self) -> int:
        """How many mirrored requests have not ended."""
        return len(self._live)

    @property
    def pools(self) -> tuple[Pool, ...]:
        """The mirror's own connections, by upstream."""
        return tuple(self._pools.values())

    def put_table(self, table: Table) -> None:
        """Use the upstreams of that table from now on."""
        self._table = table
        pools: dict[str, Pool] = {}
        for name, settings in table.routes.upstreams.items():
            known = self._pools.pop(name, None)
            pools[name] = known if known and known.settings == _own(settings) else self._pool(name, settings)
            if known is not None and pools[name] is not known:
                self._retire(known)
        for gone in self._pools.values():
            self._retire(gone)
        self._pools = pools

    def _pool(self, name: str, settings: Upstream) -> Pool:
        return Pool(name, _own(settings), self.limits, connections=self.limits.mirror_connections)

    def _retire(self, pool: Pool) -> None:
        pool.shut()
        self._retired.append(pool)

    def begin(self, exchange: Carriage, decision: Decision) -> Shot | None:
        """Follow an exchange whose decision mirrors it, or not; nothing is sent yet."""
        plan = exchange.plan
        policy = plan.shadow if exchange.is_write else "mirror"
        if policy == "never" or exchange.is_websocket or decision.mirror is None:
            return None
        if plan.sample < 1.0 and random.random() >= plan.sample:  # noqa: S311 - a sample, not a secret
            self._metrics.mirror[plan.name, "unsampled"] += 1
            return None
        self._metrics.mirror[plan.name, "eligible"] += 1
        self._eligible.count(plan.capability or "", plan.name)
        reason = self._reason_to_drop()
        if reason is not None:
            self.account("dropped", plan, reason)
            return None
        # Not isinstance: a pydantic model answers that in Python, which would cost 2 us.
        candidate = policy.sandbox if policy.__class__ is Sandbox else decision.mirror
        shot = Shot(self, exchange, (self._pools[decision.upstream], self._pools[candidate]), policy)
        self._live.add(shot)
        for data in exchange.early:
            shot.request_body(data)
        return shot

    def _reason_to_drop(self) -> str | None:
        if self.is_draining:
            return "draining"
        if self.link.is_away:
            return "comparer_away"
        if len(self._live) >= self.limits.mirror_entries_max or self.link.is_busy:
            return "queue_full"
        return "bytes_full" if self.bytes_held >= self.limits.mirror_bytes_max else None

    def account(self, kind: Kind, plan: Plan, what: str) -> None:
        """Count a request that does not become a pair."""
        self.link.count(kind, plan.name, plan.capability or "", what)

    def call(self, pool: Pool, message: Message, plan: Plan, done: Done) -> Call:
        """Send a request over the mirror's own connections."""
        call = Call(self._calls, pool, message, (plan.mirror_body_max, self.limits.mirror_seconds), done)
        call.start()
        return call

    def failed(self, shot: Shot, reason: str, side: str) -> None:
        """One side gave no answer that could be compared."""
        if reason == "body_too_large":
            shot.end("skipped", reason)
        elif reason in _DROPPED:
            shot.end("dropped", reason)
        else:
            shot.end("errored", side)

    def ended(self, shot: Shot) -> None:
        """A shot has ended; what it held is free."""
        self._live.discard(shot)
        self.bytes_held -= shot.bytes_held

    def paired(self, shot: Shot, control: Witnessed, candidate: Witnessed) -> None:
        """Both answers are there: count or hand them over, after a second look where a safe read differs."""
        plan = shot.plan
        if plan.noise and shot.is_mirrored_read:
            self._second_looks.maybe(shot, control if control.side == "legacy" else candidate)
        if plan.bytes_decide and control.equals(candidate, plan.compared):
            subject = (plan.name, plan.capability or "", control.side, control.status)
            noted = self._agreements.note(subject, shot.key, (control.seconds, candidate.seconds))
            if noted == TRAVELS:
                self._hand_over(shot, (control, candidate), None)
                return
            shot.finish()
            if noted == NOTED_ALL:
                self._send_agreements()
        elif shot.is_safe and control.differs(candidate) and self._repeating < self.limits.mirror_repeats_max:
            self._repeating += 1
            self._later(0, shot, control, candidate)
        else:
            self._hand_over(shot, (control, candidate), None)

    def _send_agreements(self) -> None:
        """They wait where the comparer cannot take them, but not for ever; while that lasts, hardly any are added."""
        if not self.link.is_away and (self.is_draining or not self.link.is_busy):
            for event in self._agreements.take(datetime.now(UTC).timestamp()):
                self.link.send(event)

    def _later(self, turn: int, shot: Shot, control: Witnessed, candidate: Witnessed) -> None:
        """Ask both sides again after a while; a difference that has gone was a race."""
        turns = len(REPEAT_AFTER_SECONDS) if shot.plan.bytes_decide else LOOKS_WITHOUT_BYTES_MAX

        def go() -> None:
            self._repeats.pop(shot, None)
            shot.ask_both(decide)

        def decide(again: Both | None) -> None:
            if again is not None and again[0].differs(again[1]) and turn + 1 < turns and not self._is_hurried:
                self._later(turn + 1, shot, control, candidate)
                return
            self._repeating -= 1
            self._hand_over(shot, (control, candidate), again)

        delay = LAST_LOOK_SECONDS if self._is_hurried else REPEAT_AFTER_SECONDS[turn]
        self._repeats[shot] = asyncio.get_running_loop().call_later(delay, go), go

    def hurry(self) -> None:
        """The worker is about to end: what waits to be asked again, nine seconds at most, is asked once, and soon.

        What differs then counts as different: a race that lasts longer is taken for a difference rather than the other
        way round, and clients, whom a worker that ends refuses, wait for no comparison.
        """
        self._is_hurried = True
        loop = asyncio.get_running_loop()
        soon = loop.time() + LAST_LOOK_SECONDS
        for shot, (timer, go) in tuple(self._repeats.items()):
            if timer.when() > soon:
                timer.cancel()
                self._repeats[shot] = loop.call_at(soon, go), go

    def _hand_over(self, shot: Shot, answers: Both, again: Both | None) -> None:
        if shot.is_over:
            return
        plan = shot.plan
        pair = Pair(
            route=plan.name,
            capability=plan.capability or "",
            key=None if shot.key is None else self.token(shot.key),
            method=shot.method.decode("latin-1"),
            control=answers[0].observation(),
            candidate=answers[1].observation(),
            candidate_first=False,
            stage=plan.rule.stage,
            at=datetime.now(UTC).timestamp(),
            again=None if again is None else (again[0].observation(), again[1].observation()),
            asked=None if plan.captured is None else shot.asked(),
        )
        if self.link.hand_over(pair):
            shot.finish()
        else:
            shot.end("dropped", "comparer_away" if self.link.is_away else "queue_full")

    def token(self, key: bytes) -> str:
        """A key as it may leave the gateway: equality survives, the value does not."""
        return subject_of(key, self._token_key)

    def plan_of(self, name: str) -> Plan | None:
        """The named route."""
        return self._table.by_name.get(name) if self._table is not None else None

    def partner(self, shot: Shot) -> Partner:
        """What the candidate calls the ids of a request that the control has answered."""
        return partial(self._partners.partner, shot.plan.capability or "", shot.side)

    def sweep(self, now: float) -> None:
        """Deadlines of calls, idle connections, the link."""
        for call in tuple(self._calls):
            call.sweep(now)
        for pool in (*self._pools.values(), *self._retired):
            pool.sweep(now)
        self._retired = [pool for pool in self._retired if pool.open_count]
        self._send_agreements()
        self.link.sweep(now)

    def close(self) -> None:
        """What has not ended by now is dropped, and counted."""
        self.is_draining = True
        for timer, _ in self._repeats.values():
            timer.cancel()
        for shot in tuple(self._live):
            shot.end("dropped", "draining")
        for pool in self._pools.values():
            pool.shut()
        self._send_agreements()
        self.link.close()
        self._eligible.close()


def _own(settings: Upstream) -> Upstream:
    """The mirror leaves a failing candidate alone even where the upstream has no breaker of its own."""
    return settings if settings.breaker is not None else settings.model_copy(update={"breaker": Breaker()})
