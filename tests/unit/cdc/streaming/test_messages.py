import pytest

from cdc.streaming.messages import facts, is_time


def test_facts_of_others_are_none() -> None:
    assert facts(b'{"a": 1, "b": null}') == {"a": "1", "b": None}
    assert facts(b"[1]") == facts(b"not json") == facts(b"\xff") == {}


@pytest.mark.parametrize(
    ("text", "expected"), [("2026-01-01T00:00:00+00:00", True), ("2026-01-01", False), ("x", False), (None, False)]
)
def test_a_time_has_its_zone(text: str | None, expected: bool) -> None:
    assert is_time(text) is expected
