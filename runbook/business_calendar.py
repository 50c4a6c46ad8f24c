"""The gate `calendar`: whether the bank's calendar lets writes move now; pure."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date, datetime, timedelta

from config.calendar import Calendar
from runbook.gates import BY_NAME, Finding

THRESHOLDS = {
    "freeze": "no frozen day",
    "end_of_day": "outside of the end of day's hours",
    "month_end": "a month's end seen in shadow or canary",
}


def judge_calendar(calendar: Calendar | None, now: datetime, shadow_since: datetime | None) -> tuple[Finding, ...]:
    """Return a finding for each condition that is configured. `shadow_since` is when the comparison last began."""
    gate = BY_NAME["calendar"]
    if calendar is None:
        return (gate.finding(True, "no calendar in routes.yaml", "what `calendar` says"),)
    local = now.astimezone(calendar.zone)
    found = [
        gate.finding(is_ok, evidence, THRESHOLDS[part], detail=part, remedy=remedy)
        for part, is_ok, evidence, remedy in (
            *_freeze(calendar, local.date()),
            *_end_of_day(calendar, local),
            *_month_end(calendar, local, shadow_since),
        )
    ]
    return tuple(found) or (gate.finding(True, "an empty calendar", "what `calendar` says"),)


Part = tuple[str, bool, str, str]


def _freeze(calendar: Calendar, today: date) -> Iterator[Part]:
    if not calendar.freezes:
        return
    for freeze in calendar.freezes:
        if freeze.first <= today <= freeze.last:
            evidence = f"{today} is in {freeze.name!r}, {freeze.first} to {freeze.last}"
            yield "freeze", False, evidence, f"wait until {freeze.last + timedelta(days=1)}"
            return
    coming = min((freeze for freeze in calendar.freezes if freeze.first > today), key=_begins, default=None)
    evidence = f"{today} is free" + (f"; {coming.name!r} begins on {coming.first}" if coming else "")
    yield "freeze", True, evidence, ""


def _begins(freeze: object) -> date:
    first: date = freeze.first  # type: ignore[attr-defined]
    return first


def _end_of_day(calendar: Calendar, local: datetime) -> Iterator[Part]:
    hours = calendar.end_of_day
    if hours is None:
        return
    evidence = f"{local:%a %H:%M} {calendar.timezone}, locked from {hours.begin:%H:%M} to {hours.end:%H:%M}"
    yield "end_of_day", not hours.hold(local), evidence, f"wait until {hours.end:%H:%M} {calendar.timezone}"


def _month_end(calendar: Calendar, local: datetime, shadow_since: datetime | None) -> Iterator[Part]:
    if not calendar.month_end_seen:
        return
    next_month = (local.replace(day=1) + timedelta(days=32)).replace(day=1)
    remedy = f"stay as it is until {next_month:%Y-%m-%d}"
    if shadow_since is None:
        yield "month_end", False, "the journal knows of no beginning of the comparison", remedy
        return
    since = shadow_since.astimezone(calendar.zone)
    seen = (since.year, since.month) < (local.year, local.month)
    yield "month_end", seen, f"compared since {since:%Y-%m-%d}", remedy
