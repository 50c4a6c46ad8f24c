from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from config.match import parse_match


def test_a_match_is_methods_and_segments() -> None:
    match = parse_match("GET|HEAD /accounts/{no}/{rest...}")
    assert match.methods == {"GET", "HEAD"}
    assert [(segment.kind, segment.text) for segment in match.segments] == [
        ("literal", "accounts"),
        ("name", "no"),
        ("rest", "rest"),
    ]


@pytest.mark.parametrize("text", ["get /x", "GET x", "GET", "GET /{a...}/b", "GET /a{b}", "GET /{a}/{a}", "G|/ /x"])
def test_what_is_no_match_is_refused_with_a_sentence(text: str) -> None:
    with pytest.raises(ValueError, match=r"\w+ \w+"):
        parse_match(text)


def test_literal_beats_name_beats_rest_and_longer_beats_shorter() -> None:
    ordered = ["GET /{all...}", "GET /a/{all...}", "GET /a/{x}", "* /a/b", "GET /a/b", "GET /a/b/c"]
    assert sorted(ordered, key=lambda text: parse_match(text).specificity) == ordered


@given(st.text(max_size=30))
def test_parsing_never_fails_in_another_way_than_by_value_error(text: str) -> None:
    with suppress(ValueError):
        parse_match(text)
