"""Pure: whether a request may be sent again (DESIGN section 6)."""

from __future__ import annotations

from typing import Final

from gateway.carriage import Carriage

REPEATABLE: Final = frozenset({b"GET", b"HEAD", b"OPTIONS"})
UNCONNECTED: Final = frozenset({"upstream_unreachable", "upstream_connect_timeout"})


def may_reconnect(exchange: Carriage, reason: str) -> bool:
    """Nothing was sent this time: any request may go again, a write too, unless it was sent before."""
    pool = exchange.pool
    if pool is None or reason not in UNCONNECTED or (exchange.is_write and exchange.is_sent):
        return False
    return exchange.attempts <= pool.retries


def may_repeat(exchange: Carriage, reason: str, *, answered: bool) -> bool:
    """The connection ended after the request was sent: only GET, HEAD and OPTIONS without a body, and no answer yet.

    On a connection that had been used before, the upstream closed it while the request was on its way; the request goes
    once more over a new one, whatever `retries` says (RFC 9112 section 9.3.1).
    """
    pool = exchange.pool
    if pool is None or answered or reason != "upstream_closed":
        return False
    if exchange.is_write or exchange.method not in REPEATABLE or exchange.body_bytes or not exchange.body_done:
        return False
    return exchange.is_reused or exchange.attempts <= pool.retries
