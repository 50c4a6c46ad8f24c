"""A copy keeps below the rate that was set, whatever the sizes of its pieces, and never waits without need."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from cdc.filling.pace import BURST_SECONDS, Bucket

PIECES = st.lists(st.tuples(st.integers(0, 10_000), st.floats(0, 2)), min_size=1, max_size=60)


@given(st.integers(1, 100_000), PIECES)
def test_no_span_of_time_has_more_rows_than_the_rate_allows(rate: int, pieces: list[tuple[int, float]]) -> None:
    bucket, now = Bucket(rate), 0.0
    sent: list[tuple[float, int]] = []
    for rows, pause in pieces:
        now += pause
        sent.append((now, rows))
        now += bucket.take(rows, now)
    for start, (begun, _) in enumerate(sent):
        rows = 0
        for at, some in sent[start:]:
            # The piece itself is sent before it is paid for.
            assert rows <= rate * (at - begun + BURST_SECONDS) + 1e-6 * rate + 1
            rows += some


@given(st.integers(1, 1_000), st.integers(1, 1_000))
def test_who_is_slower_than_the_rate_never_waits(rate: int, pieces: int) -> None:
    bucket = Bucket(rate)
    assert all(bucket.take(1, 1.0 + n * (1.01 / rate)) == 0 for n in range(1, min(pieces, 200)))


def test_a_burst_after_a_pause_is_bounded() -> None:
    bucket = Bucket(100.0)
    assert bucket.take(100, 1_000.0) == 0
    assert bucket.take(100, 1_000.0) == 1
