from decimal import Decimal, localcontext

import pytest

from legacy_adapter.codec.number import UnwritableError, digits_of, scaled


def test_digits_are_exact_whatever_the_context():
    with localcontext() as context:
        context.prec = 3
        assert scaled("1234567890123456789012345678901", 2, negative=True) == Decimal(
            "-12345678901234567890123456789.01"
        )


@pytest.mark.parametrize(("value", "digits"), [(Decimal("1.5"), "00150"), (Decimal("1E+2"), "10000"), (7, "00700")])
def test_a_value_is_written_with_its_scale(value, digits):
    assert digits_of(value, 5, 2, signed=False) == (digits, False)


@pytest.mark.parametrize(
    "value", [1.5, "1.5", None, True, Decimal("NaN"), Decimal("0.001"), 1000, Decimal(-1), Decimal("1E+999999")]
)
def test_a_value_that_would_lose_something_is_refused(value):
    with pytest.raises(UnwritableError):
        digits_of(value, 5, 2, signed=False)
