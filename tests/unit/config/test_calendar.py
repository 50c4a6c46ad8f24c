from __future__ import annotations

from datetime import datetime, time
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from config.calendar import WEEKDAYS, Hours
from config.errors import RoutesInvalid
from config.reader import parse_routes

MOMENTS = st.datetimes(datetime(2026, 1, 1), datetime(2027, 1, 1))
TIMES = st.times()


@given(MOMENTS, TIMES, TIMES)
def test_hours_and_their_complement_cover_every_moment_once(now: datetime, begin: time, end: time) -> None:
    if begin != end:
        hours = Hours(begin=begin.isoformat(), end=end.isoformat())  # type: ignore[arg-type]
        others = Hours(begin=end.isoformat(), end=begin.isoformat())  # type: ignore[arg-type]
        assert hours.hold(now) is not others.hold(now)


@pytest.mark.parametrize(
    ("at", "is_locked"),
    [
        ("2026-03-06T17:29", False),  # a Friday
        ("2026-03-06T17:30", True),
        ("2026-03-07T05:59", True),  # Friday's night
        ("2026-03-07T06:00", False),
        ("2026-03-07T20:00", False),  # no Saturday's night
        ("2026-03-08T03:00", False),
    ],
)
def test_a_night_belongs_to_the_day_on_which_it_begins(at: str, is_locked: bool) -> None:
    hours = Hours(begin="17:30", end="06:00", on=WEEKDAYS[:5])  # type: ignore[arg-type]
    assert hours.hold(datetime.fromisoformat(at)) is is_locked


@pytest.mark.parametrize(
    ("calendar", "place", "what"),
    [
        ("{timezone: Mars/Olympus}", "calendar.timezone", "no time zone"),
        ("{freezes: [{name: x, first: 2026-02-02, last: 2026-02-01}]}", "calendar.freezes[0]", "before it begins"),
        ("{freezes: [{name: x, first: soon, last: 2026-02-01}]}", "calendar.freezes[0].first", "valid date"),
        ("{end_of_day: {begin: 1730, end: '06:00'}}", "calendar.end_of_day.begin", "time of day"),
        ("{end_of_day: {begin: '17:30', end: '06:00', on: [friday]}}", "calendar.end_of_day.on[0]", "'fri'"),
        ("{month_end_sen: true}", "calendar.month_end_sen", "not a key"),
    ],
)
def test_every_mistake_in_a_calendar_is_told_with_its_place(calendar: str, place: str, what: str) -> None:
    with pytest.raises(RoutesInvalid) as caught:
        parse_routes(f"version: 1\ncalendar: {calendar}\n".encode(), Path("routes.yaml"), {})
    (problem,) = caught.value.problems
    assert problem.where == place
    assert what in problem.what
    assert problem.example


def test_the_calendar_of_the_operators_manual_is_one() -> None:
    manual = (Path(__file__).parents[3] / "docs" / "operations.md").read_text()
    block = manual.split("## The business calendar")[1].split("```yaml\n")[1].split("```")[0]
    calendar = parse_routes(f"version: 1\n{block}".encode(), Path("routes.yaml"), {}).calendar
    assert calendar is not None
    assert calendar.freezes[0].name == "year end"
    assert calendar.end_of_day is not None
    assert calendar.month_end_seen
