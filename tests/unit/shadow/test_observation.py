import pytest
from hypothesis import given
from hypothesis import strategies as st

from shadow.observation import Dropped, Errored, Event, FrameInvalid, Skipped, decode, encode
from tests.support.answers import answer, pair

AGAIN = pair({"a": 1}, {"a": 2}, again=(answer({"a": 1}), answer({"a": 1}, side="modern")))


@pytest.mark.parametrize(
    "event",
    [
        AGAIN,
        pair(b"\x00\xff", b"", key=None),
        Skipped("r", "c", "body_too_large", 3, 12.5),
        Dropped("r", "c", "queue_full"),
        Errored("r", "c", "modern"),
    ],
)
def test_every_event_survives_the_wire(event: Event) -> None:
    assert decode(encode(event)) == event


@given(st.binary(max_size=200))
def test_any_other_bytes_are_refused_with_one_error(frame: bytes) -> None:
    with pytest.raises(FrameInvalid):
        decode(frame)


def test_a_damaged_frame_never_shows_what_was_in_it() -> None:
    with pytest.raises(FrameInvalid) as caught:
        decode(encode(pair(b"secret-balance", b""))[:-3])
    assert "secret" not in str(caught.value)
