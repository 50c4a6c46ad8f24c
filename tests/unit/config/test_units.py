import pytest

from config.units import seconds, share, size_bytes


@pytest.mark.parametrize(("text", "value"), [("250ms", 0.25), ("30s", 30), ("10m", 600), (2, 2), ("1.5h", 5400)])
def test_durations_are_seconds(text: object, value: float) -> None:
    assert seconds(text) == pytest.approx(value)


@pytest.mark.parametrize(("text", "value"), [("64KiB", 65536), ("1MiB", 1 << 20), (7, 7), ("12B", 12)])
def test_sizes_are_bytes(text: object, value: int) -> None:
    assert size_bytes(text) == value


@pytest.mark.parametrize(("text", "value"), [("5%", 0.05), (0.05, 0.05), ("100%", 1), ("0.1%", 0.001)])
def test_shares_lie_between_zero_and_one(text: object, value: float) -> None:
    assert share(text) == pytest.approx(value)


@pytest.mark.parametrize(
    ("convert", "text"),
    [(seconds, "5 parsecs"), (seconds, True), (size_bytes, "1MB"), (share, "150%"), (share, "-1"), (size_bytes, "x")],
)
def test_anything_else_is_refused(convert: object, text: object) -> None:
    assert callable(convert)
    with pytest.raises(ValueError, match=r"expected|not a number"):
        convert(text)
