"""Reads what a decision depends on: whether it is a write, its key, what the key wrote, whether writes are held."""

from __future__ import annotations

from gateway.carriage import Carriage
from gateway.decision import Decision, bucket_of, decide
from gateway.hold import Hold
from gateway.table import Plan


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
    is_fresh = bucket >= rule.threshold or worker.freshness.is_fresh(plan.capability_index, key)
    return decide(rule, is_write=False, bucket=bucket, is_fresh=is_fresh), None
