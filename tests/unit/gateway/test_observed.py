from __future__ import annotations

import pytest

from gateway.exchange import Exchange
from gateway.observed import ObservedExchange, StampedExchange


@pytest.mark.parametrize(
    ("more", "steps"),
    [(ObservedExchange, {"to_upstream", "count"}), (StampedExchange, {"answer_head", "problem_answer", "_stamped"})],
)
def test_an_exchange_with_more_to_do_carries_nothing_and_hangs_on_steps_that_exist(
    more: type[Exchange], steps: set[str]
) -> None:
    assert more.__slots__ == ()
    assert {name for name, value in vars(more).items() if callable(value)} == steps
    assert all(hasattr(Exchange, name) for name in steps if not name.startswith("_"))
