import pytest
from hypothesis import given
from hypothesis import strategies as st

from shadow.figures import count, duration, milliseconds, moment, percent, ratio


@given(st.floats(0, 1))
def test_only_all_is_all_and_only_nothing_is_nothing(share: float) -> None:
    text = percent(share)
    if 1e-9 < share < 1 - 1e-9:
        assert text not in ("0 %", "100 %")
    assert abs(float(text.removesuffix(" %")) / 100 - share) <= 0.006


@pytest.mark.parametrize(
    ("share", "text"),
    [
        (0, "0 %"),
        (1, "100 %"),
        (0.95, "95 %"),
        (0.001, "0.1 %"),
        (0.99985, "99.985 %"),
        (0.0604, "6.04 %"),
        (1 / 3, "33.3 %"),
    ],
)
def test_shares(share: float, text: str) -> None:
    assert percent(share) == text


def test_other_numbers() -> None:
    assert count(1234567) == "1,234,567"
    assert [milliseconds(seconds) for seconds in (0.0123, 1.5)] == ["12.3 ms", "1.5 s"]
    assert [duration(seconds) for seconds in (5, 90, 7200, 200000)] == ["5 s", "1.5 min", "2.0 h", "2.3 days"]
    assert moment(1_790_000_000.0) == "2026-09-21 14:13:20 UTC"
    assert moment(None) == "-"
    assert (ratio(1.234), ratio(None)) == ("1.23 x", "?")
