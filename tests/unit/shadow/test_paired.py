import math
from pathlib import Path

import pytest

from shadow.paired import SAMPLE_MAX
from shadow.store import Store
from tests.support.answers import EQUAL, answer, pair


def test_pairs_are_kept_by_who_went_first_and_for_the_whole_capability(tmp_path: Path) -> None:
    store = Store(tmp_path / "shadow.db", seed=1)
    ours, theirs = answer({}, seconds=0.1), answer({}, seconds=0.2, side="modern")
    orders = [(False, "a"), (False, "a"), (True, "a"), (True, "b")]
    for _ in range(2):
        store.record([(pair(ours, theirs, candidate_first=first, route=route), EQUAL) for first, route in orders])
    summary = store.summary("accounts")
    store.close()
    assert [(group.modern_first, group.pairs) for group in summary.latency] == [(False, 4), (True, 4)]
    first = summary.routes[0].latency[0]
    assert (first.pairs, first.sample) == (4, ((0.1, 0.2),) * 4)
    assert first.sum_log == pytest.approx(4 * math.log(2))
    assert first.sum_log_squared == pytest.approx(4 * math.log(2) ** 2)


def test_the_sample_is_bounded_and_the_sums_are_not(tmp_path: Path) -> None:
    store = Store(tmp_path / "shadow.db", seed=1)
    timed = pair(answer({}, seconds=0.1), answer({}, seconds=0.2, side="modern"))
    for _ in range(3):
        store.record([(timed, EQUAL)] * 1000)
    (group,) = store.summary("accounts").latency
    store.close()
    assert group.pairs == 3000
    assert len(group.sample) == SAMPLE_MAX
