from __future__ import annotations

from types import SimpleNamespace
from typing import Any

from gateway.gauges import gauges_of
from gateway.hold import Holds
from gateway.limits import Limits
from gateway.metrics import merge
from gateway.outlier import Ejected, breaker_of


def test_states_of_two_workers_add_up_to_how_many_are_in_each() -> None:
    mirror: Any = SimpleNamespace(live=2, bytes_held=10)
    holds = Holds(Limits())
    holds.of("accounts").is_holding = True
    pools: Any = {"monolith": SimpleNamespace(breaker=breaker_of(None)), "ledger": SimpleNamespace(breaker=Ejected())}
    rows = gauges_of(pools, mirror, holds, 0.0)
    empty = merge(())
    merged = {
        (row["name"], *row["labels"].values()): row["value"] for row in merge([{**empty, "gauges": rows}] * 2)["gauges"]
    }
    assert merged == {
        ("strangler_upstream_breaker", "monolith", "closed"): 2,
        ("strangler_upstream_breaker", "ledger", "ejected"): 2,
        ("strangler_mirror_in_flight", "requests"): 4,
        ("strangler_mirror_in_flight", "bytes"): 20,
        ("strangler_hold", "accounts"): 2,
    }
