import pytest

from shadow.compare import Verdict
from shadow.observation import Agreed, Dropped, Errored, Noise, Side, Skipped
from shadow.tally import KEYLESS, SHAPES_LOOKED_AT_MAX, Instant, key_hash, tally
from tests.support.answers import DIFFERENT, EQUAL, answer, pair, verdict_on


def test_events_become_sums_by_capability_and_route() -> None:
    sums = tally([
        (pair({}, {}), EQUAL),
        (pair({}, {}, route="other"), EQUAL),
        (Skipped("other", "accounts", "body_too_large", 3), None),
        (Dropped("other", "accounts", "queue_full", 2), None),
        (Errored("other", "cards", "modern"), None),
    ])  # fmt: skip
    assert set(sums) == {"accounts", "cards"}
    other = sums["accounts"].routes["other"].counts
    assert other["eligible", ""] == 6
    assert (other["skipped", "body_too_large"], other["dropped", "queue_full"], other["verdict", "equal"]) == (3, 2, 1)
    assert sums["cards"].routes["other"].counts["errored", "modern"] == 1


def test_what_legacy_differs_in_from_itself_is_counted_by_path_and_is_no_request() -> None:
    noise = Noise("r", "accounts", answer({"a": 1}), answer({"a": 2}), 1.0)
    broken = Verdict("incomparable", "malformed_json:both")
    differing = verdict_on({"a": 1}, {"a": 2})
    counts = tally([(noise, differing), (noise, EQUAL), (noise, broken)])["accounts"].routes["r"].counts
    assert counts == {("noise", ""): 2, ("noise", "$.a"): 1}


def test_a_pair_without_a_verdict_is_a_mistake_of_the_caller() -> None:
    with pytest.raises(TypeError):
        tally([(pair({}, {}), None)])


def test_a_key_mismatches_if_any_of_its_pairs_does_on_any_route() -> None:
    sums = tally([
        (pair({}, {}, key="a"), EQUAL),
        (pair({}, {}, key="a", route="other"), DIFFERENT),
        (pair({}, {}, key="a", route="other"), EQUAL),
        (pair({}, {}, key="b"), Verdict("different", race=True)),
        (pair({}, {}, key="c"), Verdict("incomparable", "malformed_json:candidate")),
        (pair({}, {}, key="d"), Verdict("incomparable", "malformed_json:both")),
    ])["accounts"]  # fmt: skip
    assert sums.keys() == {key_hash("a"): True, key_hash("b"): False, key_hash("c"): True}
    assert sums.routes["GET /accounts/{no}"].keys[key_hash("a")] is False


def test_all_pairs_without_a_key_are_one_key() -> None:
    route = tally([(pair({}, {}, key=None), EQUAL)] * 5)["accounts"].routes["GET /accounts/{no}"]
    assert route.keys == {KEYLESS: False}
    assert route.counts["keyless", ""] == 5


def test_latency_is_taken_by_side_and_not_by_role() -> None:
    modern_controls = pair(answer({}, side="modern", seconds=0.2), answer({}, side="legacy", seconds=0.1))
    route = tally([(modern_controls, EQUAL)])["accounts"].routes["GET /accounts/{no}"]
    assert {first: (times.legacy, times.modern) for first, times in route.times.items()} == {True: ([0.1], [0.2])}
    assert route.instants == [Instant(modern_controls.at, 1, 0, 1, 0.1, 0.2)]


def test_differences_of_one_sort_are_one_cluster() -> None:
    events = [(pair({"a": n}, {"a": n + 0.5}), verdict_on({"a": n}, {"a": n + 0.5})) for n in range(10, 20)]
    clusters = tally(events)["accounts"].routes["GET /accounts/{no}"].clusters
    assert {key: len(found) for key, found in clusters.items()} == {("$.a", "value", "9 / 9.9"): 10}


def test_only_a_bounded_number_of_shapes_is_looked_at() -> None:
    route = tally([(pair({}, {}), EQUAL)] * 100)["accounts"].routes["GET /accounts/{no}"]
    assert route.counts["shape", "200 application/json {}"] == SHAPES_LOOKED_AT_MAX


def test_key_hashes_are_signed_eight_byte_numbers() -> None:
    assert all(-(2**63) <= key_hash(str(n)) < 2**63 for n in range(1000))
    assert len({key_hash(str(n)) for n in range(1000)}) == 1000


@pytest.mark.parametrize("side", ["legacy", "modern"])
def test_pairs_told_as_agreed_count_like_the_same_pairs_told_whole(side: Side) -> None:
    other: Side = "modern" if side == "legacy" else "legacy"
    seconds = (0.1, 0.2, 0.3, 0.1, 0.0, 0.5)
    whole = [
        pair(
            answer({}, side=side, seconds=control), answer({}, side=other, seconds=candidate), key=key, at=7.0
        )
        for control, candidate, key in zip(seconds[::2], seconds[1::2], ("a", None, "a"), strict=True)
    ]  # fmt: skip
    told = Agreed(whole[0].route, whole[0].capability, side, 200, ("a",), 1, seconds, 7.0)
    (by_pairs, by_batch) = (tally(events)["accounts"] for events in ([(one, EQUAL) for one in whole], [(told, None)]))
    ours, theirs = (sums.routes[whole[0].route] for sums in (by_pairs, by_batch))
    assert {what: n for what, n in ours.counts.items() if what[0] != "shape"} == theirs.counts
    assert ours.keys == theirs.keys
    summed = Instant(7.0)
    for one in ours.instants:
        summed.compared += one.compared
        summed.timed += one.timed
        summed.legacy_seconds += one.legacy_seconds
        summed.modern_seconds += one.modern_seconds
    assert [summed] == theirs.instants
    (first,) = ours.times
    assert list(theirs.times) == [first]
    assert (ours.times[first].legacy, ours.times[first].modern) == (
        theirs.times[first].legacy,
        theirs.times[first].modern,
    )
    assert ours.times[first].sum_log == pytest.approx(theirs.times[first].sum_log)
    assert ours.times[first].sum_log_squared == pytest.approx(theirs.times[first].sum_log_squared)
    assert (by_pairs.first_at, by_pairs.last_at) == (by_batch.first_at, by_batch.last_at)
