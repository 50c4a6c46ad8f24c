import random
from pathlib import Path

from hypothesis import given
from hypothesis import strategies as st

from shadow.clusters import CLUSTERS_MAX, OVERFLOW, SAMPLE_MAX, reservoir_slots
from shadow.compare import Difference, Verdict
from shadow.store import Store
from shadow.tally import Judged
from tests.support.answers import pair


def differing(path: str, at: float, race: bool = False) -> Judged:
    difference = Difference(path, "value", "9 ~a", "9 ~b", path)
    return pair({}, {}, at=at), Verdict("different", None, (difference,), race)


def test_a_cluster_counts_and_keeps_a_bounded_sample(tmp_path: Path) -> None:
    store = Store(tmp_path / "shadow.db", seed=1)
    for start in range(0, 100, 20):
        store.record([differing("$.a", 1000.0 + number, race=number % 10 == 0) for number in range(start, start + 20)])
    (cluster,) = store.summary("accounts").routes[0].clusters
    store.close()
    assert (cluster.path, cluster.kind, cluster.shape) == ("$.a", "value", "9 / 9")
    assert (cluster.count, cluster.races, cluster.first_at, cluster.last_at) == (90, 10, 1000.0, 1099.0)
    assert len(cluster.samples) == SAMPLE_MAX


def test_past_the_bound_differences_are_still_counted(tmp_path: Path) -> None:
    store = Store(tmp_path / "shadow.db")
    for start in range(0, CLUSTERS_MAX + 50, 50):
        store.record([differing(f"$.n{number}", 1.0) for number in range(start, start + 50)])
    clusters = store.summary("accounts").routes[0].clusters
    store.close()
    assert sum(cluster.count for cluster in clusters) == CLUSTERS_MAX + 50
    assert len(clusters) == CLUSTERS_MAX + 1
    assert next(cluster.count for cluster in clusters if cluster.path == OVERFLOW[0]) == 50


def test_every_item_has_the_same_chance_to_be_in_a_reservoir() -> None:
    chance, kept = random.Random(5), [0] * 40
    for _ in range(4000):
        slots: dict[int, int] = {}
        for start in (0, 10, 20, 30):
            slots.update({slot: start + item for slot, item in reservoir_slots(start, 10, 8, chance).items()})
        for item in slots.values():
            kept[item] += 1
    # Each is kept with probability 8/40; 4000 runs give 800 with a standard deviation of 25.
    assert all(650 < count < 950 for count in kept)


@given(st.integers(0, 100), st.integers(0, 50), st.integers(1, 20), st.randoms(use_true_random=False))
def test_slots_are_of_the_reservoir_and_items_of_the_batch(
    seen: int, arriving: int, size: int, chance: random.Random
) -> None:
    chosen = reservoir_slots(seen, arriving, size, chance)
    assert all(0 <= slot < size and 0 <= item < arriving for slot, item in chosen.items())
    assert all(chosen[seen + item] == item for item in range(min(arriving, size - seen))) or arriving + seen > size


def test_a_long_stream_replaces_as_many_items_as_chance_demands() -> None:
    chance, size, seen = random.Random(6), 16, 1000
    replaced = [len(reservoir_slots(seen, 100, size, chance)) for _ in range(3000)]
    # Each of the hundred is chosen with probability 16/n; the rare second one into the same slot counts once.
    expected = sum(size / number for number in range(seen + 1, seen + 101))
    assert 0.93 * expected < sum(replaced) / len(replaced) <= 1.03 * expected
