from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from legacy_adapter.codec.number import UnreadableError, UnwritableError
from legacy_adapter.codec.zoned import Sign, from_zoned, to_zoned

SIGNS = [Sign(leading, separate) for leading in (False, True) for separate in (False, True)]


@given(st.integers(-99999, 99999), st.sampled_from(SIGNS), st.sampled_from(["cp037", "cp500", "cp1140"]))
def test_every_number_round_trips(number, sign, codepage):
    value = Decimal(f"{number}E-2")
    assert from_zoned(to_zoned(value, 5, 2, sign, codepage), 2, sign, codepage) == value


@pytest.mark.parametrize(
    ("sign", "data"),
    [
        (Sign(), "F1F2D3"),
        (Sign(leading=True), "D1F2F3"),
        (Sign(separate=True), "F1F2F360"),
        (Sign(leading=True, separate=True), "60F1F2F3"),
    ],
)
def test_the_sign_stands_where_the_copybook_says(sign, data):
    assert to_zoned(-123, 3, 0, sign, "cp037").hex().upper() == data
    assert from_zoned(bytes.fromhex(data), 0, sign, "cp037") == -123


@pytest.mark.parametrize("data", ["F140F3", "F1F2", "000000"])
def test_bytes_that_are_no_digits_are_named(data):
    sign = Sign(separate=True) if data == "F1F2" else None
    with pytest.raises(UnreadableError, match="X'"):
        from_zoned(bytes.fromhex(data), 0, sign, "cp037")


def test_a_sign_over_a_digit_is_no_guess_in_ascii():
    with pytest.raises(UnreadableError, match="SIGN SEPARATE"):
        from_zoned(b"12}", 0, Sign(), "ascii")
    with pytest.raises(UnwritableError, match="SIGN SEPARATE"):
        to_zoned(-123, 3, 0, Sign(), "ascii")
    assert to_zoned(-123, 3, 0, Sign(separate=True), "ascii") == b"123-"
