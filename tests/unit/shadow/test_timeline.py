from pathlib import Path

from shadow.store import Store
from shadow.timeline import MOMENTS_MAX
from tests.support.answers import DIFFERENT, EQUAL, answer, pair


def test_moments_hold_what_happened_in_them(tmp_path: Path) -> None:
    store = Store(tmp_path / "shadow.db")
    slow = pair(answer({}, seconds=0.3), answer({}, seconds=0.5, side="modern"), at=1000.9, key="b")
    quick = pair(answer({}, seconds=0.1), answer({}, seconds=0.1, side="modern"), at=1000.0)
    store.record([(quick, EQUAL), (slow, DIFFERENT)])
    store.record([(pair({}, {}, at=1002.5), EQUAL)])
    first, second = store.summary("accounts").timeline
    store.close()
    assert (first.at, first.seconds, first.compared, first.disagreeing, first.new_keys) == (1000.0, 1.0, 2, 1, 2)
    assert (first.legacy_seconds, first.modern_seconds) == (0.2, 0.3)
    assert (second.at, second.compared, second.new_keys) == (1002.0, 1, 0)


def test_however_long_the_run_the_moments_are_bounded_and_nothing_is_lost(tmp_path: Path) -> None:
    store = Store(tmp_path / "shadow.db")
    for number in range(60):
        store.record([(pair({}, {}, at=1000.0 + 17 * number + part, key=f"k{number}"), EQUAL) for part in range(3)])
    timeline = store.summary("accounts").timeline
    assert len(timeline) <= MOMENTS_MAX
    assert timeline[0].seconds == 8.0
    happened = {1000.0 + (17 * number + part) // 8 * 8 for number in range(60) for part in range(3)}
    assert {moment.at for moment in timeline} == happened
    assert sum(moment.compared for moment in timeline) == 180
    assert sum(moment.new_keys for moment in timeline) == 60
    store.record([(pair({}, {}, at=1e9), EQUAL), (pair({}, {}, at=1.0), EQUAL)])
    later = store.summary("accounts").timeline
    store.close()
    assert sum(moment.compared for moment in later) == 182
    assert len(later) <= MOMENTS_MAX
