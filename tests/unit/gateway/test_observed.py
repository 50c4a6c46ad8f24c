from __future__ import annotations

from gateway.exchange import Exchange
from gateway.observed import ObservedExchange


def test_an_exchange_that_is_not_observed_carries_nothing_of_it() -> None:
    assert ObservedExchange.__slots__ == ()
    changed = {name for name, value in vars(ObservedExchange).items() if callable(value)}
    assert changed == {"to_upstream", "count"}
    assert all(hasattr(Exchange, name) for name in changed), "what is told hangs on steps that exist"
