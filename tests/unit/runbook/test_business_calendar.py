from __future__ import annotations

from datetime import UTC, datetime

import pytest

from config.calendar import Calendar
from runbook.business_calendar import judge_calendar
from runbook.gates import gates_for
from runbook.stages import Transition

CALENDAR = Calendar.model_validate(
    {
        "timezone": "Europe/Zurich",
        "freezes": [{"name": "year end", "first": "2026-12-20", "last": "2027-01-07"}],
        "end_of_day": {"begin": "17:30", "end": "06:00"},
        "month_end_seen": True,
    }
)
FEBRUARY = datetime(2026, 2, 20, tzinfo=UTC)


def answers(at: str, since: datetime | None = FEBRUARY) -> dict[str, tuple[bool, str, str]]:
    found = judge_calendar(CALENDAR, datetime.fromisoformat(at).replace(tzinfo=UTC), since)
    return {one.gate.partition(":")[2]: (one.ok, one.evidence, one.remedy) for one in found}


def test_a_free_morning_passes_and_the_next_freeze_is_told() -> None:
    found = answers("2026-03-03T09:00")
    assert all(ok for ok, *_ in found.values())
    assert found["freeze"][1] == "2026-03-03 is free; 'year end' begins on 2026-12-20"


@pytest.mark.parametrize(
    ("at", "is_free"),
    [("2026-12-19T22:59", True), ("2026-12-19T23:00", False), ("2027-01-07T22:59", False), ("2027-01-07T23:00", True)],
)
def test_a_freeze_begins_and_ends_at_the_banks_midnight(at: str, is_free: bool) -> None:
    assert answers(at)["freeze"][0] is is_free


def test_what_is_closed_says_when_it_opens() -> None:
    assert answers("2026-12-24T12:00")["freeze"][2] == "wait until 2027-01-08"
    ok, evidence, remedy = answers("2026-03-03T17:00")["end_of_day"]
    assert (ok, evidence) == (False, "Tue 18:00 Europe/Zurich, locked from 17:30 to 06:00")
    assert remedy == "wait until 06:00 Europe/Zurich"


@pytest.mark.parametrize(
    ("at", "is_seen"), [("2026-02-27T12:00", False), ("2026-02-28T22:59", False), ("2026-02-28T23:00", True)]
)
def test_a_months_end_must_have_passed_since_the_comparison_began(at: str, is_seen: bool) -> None:
    assert answers(at)["month_end"][0] is is_seen
    assert answers(at, None)["month_end"][0] is False


def test_december_waits_for_january() -> None:
    assert (
        answers("2026-12-01T09:00", datetime(2026, 12, 1, tzinfo=UTC))["month_end"][2]
        == "stay as it is until 2027-01-01"
    )


def test_without_a_calendar_the_gate_passes_and_the_way_back_never_meets_it() -> None:
    (finding,) = judge_calendar(None, FEBRUARY, None)
    assert finding.ok
    names = [[gate.name for gate in gates_for(transition, has_sync=True)] for transition in MOVES]
    assert ["calendar" in each for each in names] == [True, False, False]


MOVES = (
    Transition("advance", "canary", "modern"),
    Transition("back", "modern", "canary"),
    Transition("advance", "shadow", "canary", percent=5.0),
)
