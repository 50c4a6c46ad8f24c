"""Where frames end, in whatever pieces they come."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from gateway.wire.websocket import Frames, going_away


def frame(payload: bytes, *, masked: bool) -> bytes:
    size = len(payload)
    length = bytes([size]) if size < 126 else b"\x7e" + size.to_bytes(2, "big")
    long = b"\x7f" + size.to_bytes(8, "big")
    chosen = long if size > 200 else length
    head = bytes([chosen[0] | (0x80 if masked else 0)]) + chosen[1:]
    return b"\x82" + head + (b"mask" if masked else b"") + payload


@given(st.lists(st.tuples(st.binary(max_size=400), st.booleans()), max_size=5), st.data())
def test_it_is_between_two_frames_exactly_at_their_ends(parts: list[tuple[bytes, bool]], data: st.DataObject) -> None:
    frames = [frame(payload, masked=masked) for payload, masked in parts]
    ends = {sum(map(len, frames[:count])) for count in range(len(frames) + 1)}
    whole = b"".join(frames)
    one, position = Frames(), 0
    while position < len(whole):
        step = data.draw(st.integers(1, 30))
        one.feed(whole[position : position + step])
        position = min(position + step, len(whole))
        assert one.is_between == (position in ends)


def test_a_close_frame_to_a_server_is_masked() -> None:
    assert going_away(masked=False) == b"\x88\x02\x03\xe9"
    said = going_away(masked=True)
    assert said[:2] == b"\x88\x82"
    assert bytes(a ^ b for a, b in zip(said[6:], said[2:6], strict=False)) == b"\x03\xe9"
