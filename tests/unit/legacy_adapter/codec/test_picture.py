import pytest

from legacy_adapter.codec.picture import Picture, parse_picture


@pytest.mark.parametrize(
    ("text", "picture"),
    [
        ("X(10)", Picture(False, 10)),
        ("xxA", Picture(False, 3)),
        ("9(4)", Picture(True, 4)),
        ("S9(11)V99", Picture(True, 13, 2, True)),
        ("SV9(3)", Picture(True, 3, 3, True)),
        ("99V9", Picture(True, 3, 1)),
    ],
)
def test_pictures(text, picture):
    assert parse_picture(text) == picture


@pytest.mark.parametrize("text", ["Z(5)9", "9(3).99", "S", "X9", "P9", "X(0)", "9V9V9", "X(9999999)", "X(-1)", "٣"])
def test_what_is_not_supported_is_no_picture(text):
    assert parse_picture(text) is None
