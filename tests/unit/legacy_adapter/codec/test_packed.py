from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from legacy_adapter.codec.number import UnreadableError
from legacy_adapter.codec.packed import pack, packed_length, unpack


@given(
    st.integers(1, 31).flatmap(lambda n: st.tuples(st.just(n), st.integers(-(10**n) + 1, 10**n - 1), st.integers(0, n)))
)
def test_every_number_round_trips(case):
    digits, number, scale = case
    value = Decimal(f"{number}E-{scale}")
    data = pack(value, digits, scale, signed=True)
    assert len(data) == packed_length(digits)
    assert unpack(data, digits, scale, signed=True) == value


@pytest.mark.parametrize(
    ("data", "value"),
    [
        ("12345C", "123.45"),
        ("12345D", "-123.45"),
        ("12345F", "123.45"),
        ("12345A", "123.45"),
        ("12345B", "-123.45"),
        ("00000D", "0"),
    ],
)
def test_all_signs_of_the_machine_are_read(data, value):
    assert unpack(bytes.fromhex(data), 5, 2, signed=True) == Decimal(value)


@pytest.mark.parametrize(
    ("data", "what"),
    [("1A345C", "half byte 2 is A"), ("123450", "the sign half byte is 0"), ("404040", "the sign half byte is 0")],
)
def test_bytes_that_are_no_number_are_named(data, what):
    with pytest.raises(UnreadableError, match=what):
        unpack(bytes.fromhex(data), 5, 2, signed=True)


def test_a_digit_beyond_the_picture_and_a_minus_without_sign_are_refused():
    with pytest.raises(UnreadableError, match="more than 4 digits"):
        unpack(bytes.fromhex("12345C"), 4, 0, signed=True)
    with pytest.raises(UnreadableError, match="negative"):
        unpack(bytes.fromhex("01234D"), 4, 0, signed=False)
