"""When writes may not move: frozen days, the hours of the end of day, and a month's end that must have been seen."""

from __future__ import annotations

from datetime import date, datetime, time
from typing import Literal
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from pydantic import Field, field_validator, model_validator

from config.fields import Model

Weekday = Literal["mon", "tue", "wed", "thu", "fri", "sat", "sun"]
WEEKDAYS: tuple[Weekday, ...] = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")


class Freeze(Model):
    """Days on which nothing is cut over, both ends included."""

    name: str = Field(min_length=1, examples=["year end"])
    first: date = Field(examples=["2026-12-20"])
    last: date = Field(examples=["2027-01-07"])

    @model_validator(mode="after")
    def _has_days(self) -> Freeze:
        if self.last < self.first:
            raise ValueError(f"ends on {self.last}, before it begins on {self.first}")
        return self


class Hours(Model):
    """Hours in which nothing is cut over: `17:30` to `06:00` passes midnight. `on` are the days they begin on."""

    begin: time = Field(examples=["17:30"])
    end: time = Field(examples=["06:00"])
    on: tuple[Weekday, ...] = WEEKDAYS

    @field_validator("begin", "end", mode="before")
    @classmethod
    def _is_time_of_day(cls, value: object) -> object:
        """A number would be taken for seconds since midnight, and YAML 1.1 writers leave the quotes away."""
        if not isinstance(value, str):
            raise ValueError('expected a time of day such as "17:30"')
        return value

    def hold(self, now: datetime) -> bool:
        """Whether that moment is in them."""
        today, at = WEEKDAYS[now.weekday()], now.time()
        if self.begin < self.end:
            return today in self.on and self.begin <= at < self.end
        yesterday = WEEKDAYS[now.weekday() - 1]
        return (today in self.on and at >= self.begin) or (yesterday in self.on and at < self.end)


class Calendar(Model):
    """The business calendar, in the bank's own time. The way back is never closed by it."""

    timezone: str = Field(default="UTC", examples=["Europe/Zurich"])
    freezes: tuple[Freeze, ...] = ()
    end_of_day: Hours | None = None
    month_end_seen: bool = Field(
        default=False, description="whether the shadow must have run over a month's end before the cutover"
    )

    @field_validator("timezone")
    @classmethod
    def _is_known(cls, name: str) -> str:
        try:
            ZoneInfo(name)
        except (ZoneInfoNotFoundError, ValueError, OSError) as error:
            raise ValueError(f"no time zone {name!r} is known here") from error
        return name

    @property
    def zone(self) -> ZoneInfo:
        """The time zone."""
        return ZoneInfo(self.timezone)
