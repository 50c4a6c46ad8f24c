from decimal import Decimal

import pytest

from legacy_adapter.monolith.batch import interest


@pytest.mark.parametrize(
    ("balance", "amount"),
    [("0.00", "0.01"), ("-5.00", "0.01"), ("399.99", "0.01"), ("400.00", "0.02"), ("12345.67", "0.61")],
)
def test_interest_is_cut_to_the_cent_and_never_less_than_one(balance, amount):
    assert interest(Decimal(balance)) == Decimal(amount)
