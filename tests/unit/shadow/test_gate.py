from dataclasses import replace

from config.model import Gates
from shadow.accounting import Accounting
from shadow.gate import Evidence, GateVerdict, evidence_of, judge, new_keys_per_second, unseen_share
from shadow.summary import Keys, LatencyGroup, Moment, RouteSummary, Summary

GATES = Gates(mismatch_rate=0.01, confidence=0.95, coverage=0.95, latency_p99_ratio=1.5)


def latency(ratio: float, pairs: int = 500) -> tuple[LatencyGroup, ...]:
    sample = tuple((0.01 + index / 1e6, (0.01 + index / 1e6) * ratio) for index in range(pairs))
    return (LatencyGroup(False, pairs, 0.0, 0.0, sample),)


GOOD = RouteSummary(
    "GET /a",
    Accounting(1000, {}, {}, {}, {"equal": 990, "race": 10}),
    Keys(600, 0),
    shapes={"200 application/json {a}": 500, "404 -": 5},
    statuses={"2xx/2xx": 990, "4xx/4xx": 10},
    latency=latency(1.1),
)


ENOUGH = Keys(600, 0)


def verdict(*routes: RouteSummary, keys: Keys = ENOUGH, gates: Gates = GATES) -> GateVerdict:
    timed = tuple(group for route in routes for group in route.latency)
    return judge(evidence_of(Summary("accounts", 1.0, 2.0, keys, routes, timed)), gates)


def told(found: GateVerdict) -> list[tuple[str, str, str]]:
    return [(reason.condition, reason.answer, reason.route) for reason in found.reasons]


def test_good_evidence_passes_without_a_reason() -> None:
    found = verdict(GOOD)
    assert (found.answer, found.more, found.forecast_seconds, found.reasons) == ("pass", 0, None, ())


def test_no_evidence_needs_more_and_says_how_much() -> None:
    found = judge(Evidence(Keys(), (), None, 0.0), GATES)
    assert (found.answer, found.more) == ("need more", 472)
    assert "472 more distinct keys" in found.reasons[0].remedy


def test_too_few_keys_need_more_with_a_forecast_at_todays_rate() -> None:
    timeline = tuple(Moment(float(at), 1.0, 10, 0, 4, 0.0, 0.0) for at in range(20))
    found = judge(evidence_of(Summary("accounts", 1.0, 2.0, Keys(400, 0), (GOOD,), GOOD.latency, timeline)), GATES)
    assert (found.answer, found.more) == ("need more", 72)
    assert found.forecast_seconds == 18.0


def test_the_rate_is_that_of_the_end_of_the_run() -> None:
    timeline = tuple(Moment(float(at), 1.0, 10, 0, 100 if at < 50 else 1, 0.0, 0.0) for at in range(100))
    assert new_keys_per_second(timeline) == 1.0
    assert new_keys_per_second(()) == 0.0


def test_many_mismatching_keys_fail() -> None:
    found = verdict(replace(GOOD, keys=Keys(600, 60)), keys=Keys(600, 60))
    assert found.answer == "fail"
    assert told(found)[0] == ("mismatches", "fail", "")


def test_a_rare_route_that_is_broken_does_not_hide_behind_a_busy_one() -> None:
    rare = replace(GOOD, route="POST /rare", keys=Keys(5, 5))
    found = verdict(GOOD, rare, keys=Keys(100_000, 5))
    assert found.rate.answer == "pass"
    assert found.answer == "fail"
    assert ("mismatches", "fail", "POST /rare") in told(found)


def test_what_was_not_compared_blocks_and_the_largest_loss_is_named() -> None:
    lossy = replace(GOOD, accounting=Accounting(1000, {"body_too_large": 10}, {"queue_full": 70}, {}, {"equal": 920}))
    found = verdict(lossy)
    assert (found.answer, told(found)) == ("need more", [("coverage", "need more", "GET /a")])
    assert "70 dropped (queue_full)" in found.reasons[0].remedy


def test_incomparable_answers_are_no_coverage() -> None:
    found = verdict(replace(GOOD, accounting=Accounting(100, {}, {}, {}, {"equal": 90, "incomparable": 10})))
    assert told(found) == [("coverage", "need more", "GET /a")]


def test_a_route_that_sampling_left_out_does_not_block() -> None:
    assert verdict(GOOD, RouteSummary("never", Accounting(50, {"sample": 50}))).answer == "pass"


def test_shapes_that_keep_coming_block() -> None:
    found = verdict(replace(GOOD, shapes={f"200 - {number}": 1 for number in range(50)}))
    assert told(found) == [("coverage", "need more", "GET /a")]


def test_status_classes_that_keep_coming_block() -> None:
    found = verdict(replace(GOOD, statuses={"2xx/2xx": 17, "4xx/4xx": 1, "5xx/5xx": 1, "4xx/5xx": 1}))
    assert told(found) == [("coverage", "need more", "GET /a")]
    assert "status class" in found.reasons[0].text


def test_what_is_unseen_is_estimated_from_what_was_seen_once() -> None:
    assert unseen_share({}) == 1.0
    assert unseen_share({"a": 7, "b": 1, "c": 2}) == 0.1


def test_a_slow_candidate_fails_and_an_uncertain_one_waits() -> None:
    assert told(verdict(replace(GOOD, latency=latency(3.0)))) == [
        ("latency", "fail", ""),
        ("latency", "fail", "GET /a"),
    ]
    assert {answer for _, answer, _ in told(verdict(replace(GOOD, latency=latency(1.500001))))} == {"need more"}


def test_a_latency_of_few_pairs_needs_more_only_in_total() -> None:
    assert told(verdict(replace(GOOD, latency=latency(9.0, pairs=20)))) == [("latency", "need more", "")]
    assert verdict(GOOD, replace(GOOD, route="rare", latency=latency(9.0, pairs=4))).answer == "pass"


def test_numbers_that_do_not_add_up_fail() -> None:
    found = verdict(replace(GOOD, accounting=replace(GOOD.accounting, eligible=1001)))
    assert told(found)[0] == ("accounting", "fail", "GET /a")


def test_a_limit_that_nothing_can_prove_is_said() -> None:
    found = verdict(GOOD, gates=GATES.model_copy(update={"mismatch_rate": 0.0}))
    assert (found.answer, found.more) == ("need more", None)
    assert "raise it" in found.reasons[0].remedy


def test_a_full_store_of_keys_is_said() -> None:
    found = verdict(GOOD, keys=Keys(300, 0, is_full=True))
    assert "full" in found.reasons[0].text
