from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from config.model import Breaker as Settings
from gateway.breaker import Breaker
from gateway.outlier import Ejected, OutlierBreaker, breaker_of

SETTINGS = Settings(failures=1000, open_for=5.0, failure_rate=0.5, window=10.0, requests=10)


class Clock:
    now = 100.0

    def __call__(self) -> float:
        return self.now


def outlier() -> tuple[OutlierBreaker, Clock]:
    clock = Clock()
    return OutlierBreaker(SETTINGS, 0.5, clock), clock


def test_a_breaker_is_the_plain_one_unless_a_rate_is_asked_for() -> None:
    assert type(breaker_of(None)) is type(breaker_of(Settings())) is Breaker
    assert type(breaker_of(SETTINGS)) is OutlierBreaker


def test_a_share_of_failures_opens_it_though_there_were_never_many_in_a_row() -> None:
    breaker, _ = outlier()
    for status in [200, 503] * 5:
        assert breaker.is_closed
        breaker.answered(status)
    assert not breaker.is_closed


def test_few_requests_prove_nothing_and_what_is_old_is_forgotten() -> None:
    breaker, clock = outlier()
    for _ in range(9):
        breaker.answered(500)
    clock.now += 11
    for status in [500] + [200] * 8:
        breaker.answered(status)
    assert breaker.is_closed


def test_a_probe_decides_and_its_failure_may_be_an_answer() -> None:
    breaker, clock = outlier()
    for _ in range(10):
        breaker.answered(502)
    assert not breaker.allows(clock.now + 4)
    clock.now += 5
    assert breaker.is_due(clock.now)
    assert breaker.allows(clock.now)
    assert (breaker.state(clock.now), breaker.allows(clock.now)) == ("half_open", False), "one probe at a time"
    breaker.answered(502)
    assert breaker.state(clock.now) == "open"
    clock.now += 5
    assert breaker.allows(clock.now)
    breaker.answered(200)
    assert breaker.state(clock.now) == "closed"


@given(st.lists(st.tuples(st.sampled_from([200, 404, 500, 0]), st.floats(0, 3)), max_size=60))
def test_it_never_opens_below_its_rate(events: list[tuple[int, float]]) -> None:
    breaker, clock = outlier()
    seen: list[tuple[float, bool]] = []
    for status, seconds in events:
        clock.now += seconds
        seen.append((clock.now, status in (0, 500)))
        if status:
            breaker.answered(status)
        else:
            breaker.failed(clock.now)
        if not breaker.is_closed:
            # A slot is a tenth of the window.
            counted = [is_failed for at, is_failed in seen if int(at) > int(clock.now) - 10]
            assert len(counted) >= 10
            assert sum(counted) * 2 >= len(counted)
            return


def test_an_ejected_upstream_is_left_alone_whatever_its_answers_say() -> None:
    ejected = Ejected()
    ejected.succeeded()
    assert not ejected.is_closed
    assert not ejected.allows(1e9)
    assert not ejected.is_due(1e9)
    assert (ejected.reason, ejected.state(0.0)) == ("upstream_unhealthy", "ejected")
