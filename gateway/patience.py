"""Pure: whether an exchange has taken too long, and who is to blame."""

from __future__ import annotations

from gateway.carriage import ANSWERING, CLAIMING, HELD, REPLAYING, ROUTING, SENT, WAITING, Carriage


def overdue(exchange: Carriage, now: float) -> str | None:
    """The reason to end it, or None. Whatever has moved since the last look gets a new deadline.

    A body that must come from the client and does not is the client's fault; so is an answer that it does not take.
    Connections that are waited for are the pool's matter, held writes the hold's, claimed keys the keeper's.
    """
    limits = exchange.worker.limits
    if now - exchange.started > limits.total_seconds:
        return "total_timeout"
    if exchange.state in (CLAIMING, HELD, WAITING):
        return None
    downstream = exchange.downstream
    awaits_client = not exchange.body_done and downstream is not None and not downstream.blocks
    if awaits_client and _is_trickle(exchange, now):
        return "client_too_slow"
    if exchange.is_moving:
        exchange.is_moving = False
        exchange.deadline = now + _patience(exchange)
        return None
    if now < exchange.deadline:
        return None
    if exchange.state in (ROUTING, REPLAYING) or (exchange.state == SENT and awaits_client):
        return "client_too_slow"
    return "upstream_stalled" if exchange.state == ANSWERING else "upstream_timeout"


def _patience(exchange: Carriage) -> float:
    """Seconds without movement: the upstream's own timeout, but for what the client must send or take."""
    downstream = exchange.downstream
    by_client = not exchange.body_done or (downstream is not None and downstream.is_write_blocked)
    timeout = exchange.pool.timeout if exchange.pool is not None else 0.0
    return max(timeout, exchange.worker.limits.body_idle_seconds) if by_client else timeout


def _is_trickle(exchange: Carriage, now: float) -> bool:
    limits = exchange.worker.limits
    seconds = now - exchange.started
    return seconds > limits.body_grace_seconds and exchange.body_bytes < limits.body_rate_min * seconds
