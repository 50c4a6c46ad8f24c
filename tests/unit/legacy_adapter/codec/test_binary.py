from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from legacy_adapter.codec.binary import binary_length, from_binary, to_binary
from legacy_adapter.codec.number import UnreadableError


@given(st.integers(1, 18).flatmap(lambda n: st.tuples(st.just(n), st.integers(-(10**n) + 1, 10**n - 1))))
def test_every_number_round_trips(case):
    digits, number = case
    data = to_binary(number, digits, 0, signed=True)
    assert len(data) == binary_length(digits)
    assert from_binary(data, digits, 0, signed=True) == number


def test_a_scale_and_big_endian_bytes():
    assert to_binary(Decimal("-1.23"), 4, 2, signed=True) == b"\xff\x85"
    assert from_binary(b"\xff\x85", 4, 2, signed=True) == Decimal("-1.23")


def test_more_digits_than_the_picture_are_refused():
    with pytest.raises(UnreadableError):
        from_binary(b"\x7f\xff", 4, 0, signed=True)
