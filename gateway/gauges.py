"""What a worker is doing at this moment, as rows for a scrape: breakers, the mirror, holds."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from gateway.hold import Holds
from gateway.metrics import rows_of
from gateway.mirroring.mirror import Mirror
from gateway.pool import Pool


def gauges_of(pools: Mapping[str, Pool], mirror: Mirror, holds: Holds, now: float) -> list[dict[str, Any]]:
    """One row for each state; over all workers the rows add up to how many workers are in it."""
    breakers = [
        {
            "name": "strangler_upstream_breaker",
            "labels": {"upstream": name, "state": pool.breaker.state(now)},
            "value": 1,
        }
        for name, pool in pools.items()
    ]
    in_flight = {"requests": mirror.live, "bytes": mirror.bytes_held}
    holding = {name: int(hold.is_holding) for name, hold in holds.by_capability.items()}
    return [
        *breakers,
        *rows_of("strangler_mirror_in_flight", "unit", in_flight),
        *rows_of("strangler_hold", "capability", holding),
    ]
