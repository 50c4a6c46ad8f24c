"""Reads what a decision depends on: the head of the body, the key, what the key wrote, whether writes are held."""

from __future__ import annotations

from time import monotonic

from gateway.breaker import Breaker
from gateway.carriage import Carriage
from gateway.hold import Hold
from gateway.routing.decision import Decision, bucket_of, decide
from gateway.routing.table import Found, Plan, Undecided, narrowed
from gateway.stamps import has_seen


def choose(exchange: Carriage, plan: Plan) -> tuple[Decision, Hold | None]:
    """The decision, and for a write of a capability its hold. Notes in the exchange what it is and its key."""
    is_write = exchange.is_write = plan.is_write(exchange.method)
    rule = plan.rule
    if plan.capability is None:
        return decide(rule, is_write=is_write, bucket=None), None
    worker = exchange.worker
    if is_write:
        if plan.key is not None:
            exchange.key = plan.key(exchange, exchange.segments)
        hold = worker.holds.of(plan.capability)
        return decide(rule, is_write=True, bucket=None, is_held=hold.is_holding), hold
    if plan.key is None or not rule.threshold:
        return rule.read, None
    exchange.key = key = plan.key(exchange, exchange.segments)
    if key is None:
        return rule.read, None
    bucket = bucket_of(plan.seed, key)
    if bucket < rule.threshold and is_out(worker.pools[rule.modern_read.upstream].breaker):
        return rule.spare_read, None
    is_fresh = bucket >= rule.threshold or (
        worker.freshness.is_fresh(plan.capability_index, key) and has_seen(exchange, plan, worker.freshness)
    )
    return decide(rule, is_write=False, bucket=bucket, is_fresh=is_fresh), None


def is_out(breaker: Breaker) -> bool:
    """Whether an upstream is left alone now; a request that would be the probe may go."""
    return not breaker.is_closed and not breaker.is_due(monotonic())


def peek(exchange: Carriage, undecided: Undecided) -> Found:
    """Look at what there is of the body; nothing is forwarded until the route is known."""
    exchange.peeked = b"".join(exchange.early)[: exchange.worker.limits.peek_bytes_max]
    exchange.has_all = exchange.body_done
    found = narrowed(exchange, undecided.plans, exchange.worker.table.default)
    if isinstance(found, Undecided):
        exchange.go_ahead()
    return found
