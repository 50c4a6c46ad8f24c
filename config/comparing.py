"""The `compare` section of a route: what may differ, in which way and why, and what never may.

Everything that is wrong is found when the file is read: a path that cannot be parsed, a rule that says nothing, a date
format that knows no day. What the rules do is `shadow/rules.py`.
"""

from __future__ import annotations

import datetime
import re
from decimal import Decimal, InvalidOperation
from pathlib import Path
from typing import Annotated, Any, Literal
from zoneinfo import ZoneInfo

from pydantic import BeforeValidator, Field, field_validator, model_validator

from config.fields import Model, Share
from config.paths import parse_pattern

HEAD_PREFIXES = ("header:", "cookie:")
REASON = Field(min_length=3, max_length=500, examples=["legacy rounds half down, accepted by the ledger's owner"])


def _path_pattern(value: Any) -> Any:
    if not isinstance(value, str):
        raise ValueError("a path is text, as in $.items[*].amount")
    if not value.startswith("$"):
        raise ValueError(f"{value!r} is not a path; it begins with $, as in $.items[*].amount")
    parse_pattern(value)
    return value


def _place(value: Any) -> Any:
    if isinstance(value, str) and (value == "status" or value.startswith(HEAD_PREFIXES)):
        return value.lower() if value.startswith("header:") else value
    return _path_pattern(value)


BodyPath = Annotated[str, BeforeValidator(_path_pattern), Field(examples=["$.items[*].amount"])]
Place = Annotated[str, BeforeValidator(_place), Field(examples=["$.items[*].amount", "header:location", "cookie:SID"])]


class Ignore(Model):
    """A place that may differ in any way."""

    path: Place
    reason: str = Field(default="", max_length=500)
    until: datetime.date | None = None

    @field_validator("path")
    @classmethod
    def _is_not_the_status(cls, path: str) -> str:
        if path == "status":
            raise ValueError("a status is never ignored; declare the one difference that is known")
        return path


def _ignore(value: Any) -> Any:
    return {"path": value} if isinstance(value, str) else value


Ignored = Annotated[Ignore, BeforeValidator(_ignore, json_schema_input_type=str | Ignore)]


class Tolerance(Model):
    """How far two numbers may be apart: by an amount, a share of the larger one, or minor units of a currency."""

    absolute: Decimal | None = Field(default=None, gt=0)
    relative: Share | None = None
    minor_units: int | None = Field(default=None, ge=1)
    decimals: int = Field(default=2, ge=0, le=8)

    @model_validator(mode="after")
    def _is_one(self) -> Tolerance:
        if sum(value is not None for value in (self.absolute, self.relative, self.minor_units)) != 1:
            raise ValueError("expected one of absolute, relative and minor_units, as in {minor_units: 1, decimals: 2}")
        return self


def _tolerance(value: Any) -> Any:
    """0.01 is absolute, 0.1% is relative."""
    if isinstance(value, str) and value.strip().endswith("%"):
        return {"relative": value}
    if isinstance(value, int | float | str) and not isinstance(value, bool):
        try:
            return {"absolute": Decimal(str(value))}
        except InvalidOperation as error:
            raise ValueError("a tolerance is an amount such as 0.01, or a share such as 0.1%") from error
    return value


def _texts(value: Any) -> Any:
    return (value,) if isinstance(value, str) else value


Texts = Annotated[tuple[str, ...], BeforeValidator(_texts)]


_CARRIES = re.compile(r"(path|query):([^\s:]+)\Z|body:(\$.+)\Z")


def _carrier(value: Any) -> Any:
    found = _CARRIES.match(value) if isinstance(value, str) else None
    if found is None:
        raise ValueError(f"{value!r} is none of path:NAME, query:NAME and body:$.PATH, as in path:transfer_id")
    if found[3] and any(step.deep for step in parse_pattern(found[3])):
        raise ValueError(f"{value!r} says .. and is no one place; write the path of the member, as in body:$.reverses")
    return value


Carrier = Annotated[str, BeforeValidator(_carrier), Field(examples=["path:transfer_id", "query:id", "body:$.reverses"])]


class Id(Model):
    """An id that each side assigns itself: pairs of answers teach which belong together."""

    name: str = Field(min_length=1, max_length=80, pattern=r"^[A-Za-z0-9_.-]+$", examples=["transfer"])
    carried: tuple[Carrier, ...] = Field(
        default=(), description="where requests of the capability carry it: there a copy gets the other side's id"
    )


def _id(value: Any) -> Any:
    return {"name": value} if isinstance(value, str) else value


class Rule(Model):
    """One place where a difference of one kind is none, and the reason why."""

    path: BodyPath
    reason: str = REASON
    until: datetime.date | None = Field(default=None, description="the last day on which the rule holds")
    tolerance: Annotated[Tolerance | None, BeforeValidator(_tolerance)] = None
    number: Literal["strict", "text"] | None = Field(
        default=None, description="strict: 1.0 is not 1.00; text: the text '10.50' is the number 10.5"
    )
    minor_unit: dict[Literal["legacy", "modern"], Annotated[int, Field(ge=1, le=8)]] | None = Field(
        default=None, description="the side that counts minor units, and its decimals: {legacy: 2} reads 1050 as 10.50"
    )
    time: str | None = Field(
        default=None, description="strict, or the zone of times that name none", examples=["strict", "Europe/Berlin"]
    )
    date: Texts | None = Field(default=None, description="forms of one date", examples=[["%Y%m%d", "%d.%m.%Y"]])
    case: Literal["any"] | None = None
    trim: Literal[True] | None = None
    null_is_absent: Literal[True] | None = None
    order: Literal["any"] | None = Field(default=None, description="a list whose order means nothing")
    key: Texts | None = Field(default=None, description="the members that identify a member of the list")
    codes: dict[str, str] | None = Field(default=None, description="legacy's code to modern's", min_length=1)
    id: Annotated[Id | None, BeforeValidator(_id, json_schema_input_type=str | Id | None)] = Field(
        default=None, description="an id that each side assigns itself", examples=["transfer"]
    )

    @field_validator("time")
    @classmethod
    def _is_a_zone(cls, time: str | None) -> str | None:
        if time not in (None, "strict"):
            try:
                ZoneInfo(str(time))
            except (ValueError, OSError, LookupError) as error:
                raise ValueError(f"{time!r} is neither strict nor a time zone such as Europe/Berlin") from error
        return time

    @field_validator("date")
    @classmethod
    def _knows_a_day(cls, forms: tuple[str, ...] | None) -> tuple[str, ...] | None:
        for form in forms or ():
            sample = datetime.date(2031, 12, 28)
            if not {"%Y", "%y", "%j", "%G"} & set(re.findall(r"%.", form)) or sample.strftime(form) == form:
                raise ValueError(f"{form!r} is not a form of a date; write it like %Y%m%d")
        return forms

    @model_validator(mode="after")
    def _says_something(self) -> Rule:
        if not self.treatments:
            raise ValueError("the rule treats nothing: add tolerance, case, trim, order, key, codes, id or another")
        if self.order and self.key:
            raise ValueError("order and key exclude each other: a key already makes the order meaningless")
        if self.id and len(self.treatments) > 1:
            raise ValueError("an id is compared by its partner alone; give other treatments a path of their own")
        return self

    @property
    def treatments(self) -> tuple[str, ...]:
        """The names of what the rule does."""
        return tuple(name for name in TREATMENTS if getattr(self, name) is not None)


TREATMENTS = (
    "tolerance", "number", "minor_unit", "time", "date", "case", "trim", "null_is_absent", "order", "key", "codes",
    "id",
)  # fmt: skip


class Declared(Model):
    """A known difference that somebody answers for: it is counted apart and not against the candidate."""

    name: str = Field(min_length=1, max_length=80, pattern=r"^[A-Za-z0-9 _.-]+$", examples=["rounding-2026-04"])
    path: Place
    kind: Literal["missing", "extra", "type", "value", "order", "length"] = "value"
    control: str | None = Field(default=None, description="only where the control has exactly this")
    candidate: str | None = Field(default=None, description="only where the candidate has exactly this")
    reason: str = REASON
    owner: str = Field(min_length=2, max_length=200, examples=["ledger team"])
    until: datetime.date
    test: str = Field(min_length=2, max_length=500, examples=["tests/test_rounding.py::test_half_down"])


class Lines(Model):
    """How text is compared, line by line."""

    ignore: tuple[str, ...] = Field(default=(), examples=[["^Printed at "]])
    trim: bool = False
    blank: Literal["compare", "ignore"] = "compare"
    ends: Literal["strict", "any"] = "strict"

    @field_validator("ignore")
    @classmethod
    def _are_expressions(cls, expressions: tuple[str, ...]) -> tuple[str, ...]:
        for expression in expressions:
            try:
                re.compile(expression)
            except re.error as error:
                raise ValueError(f"{expression!r} is not a regular expression: {error.msg}") from error
        return expressions


class Csv(Model):
    """The form of CSV answers."""

    delimiter: str = Field(default=",", min_length=1, max_length=1)
    quote: str = Field(default='"', min_length=1, max_length=1)
    header: bool = True


class Compare(Model):
    """What a comparison leaves out (`ignore`), what it never may (`protect`), rules in between, and layouts."""

    ignore: tuple[Ignored, ...] = ()
    protect: tuple[BodyPath, ...] = ()
    rules: tuple[Rule, ...] = ()
    declared: tuple[Declared, ...] = ()
    identity: tuple[BodyPath, ...] = Field(
        default=(), description="whose data this is; another one's in the candidate's answer takes the route off modern"
    )
    redact: tuple[BodyPath, ...] = Field(
        default=(), description="stored as a token only, whatever the value looks like"
    )
    headers: tuple[str, ...] = Field(default=(), description="headers that are compared beside the usual ones")
    hides_max: Share = Field(default=0.2, description="a rule that hides more than this share is a finding")
    lines: Lines = Lines()
    csv: Csv = Csv()
    copybook: Path | None = None
    codepage: str = "cp037"

    @field_validator("headers")
    @classmethod
    def _are_header_names(cls, headers: tuple[str, ...]) -> tuple[str, ...]:
        for name in headers:
            if not re.fullmatch(r"[A-Za-z0-9!#$%&'*+.^_`|~-]+", name):
                raise ValueError(f"{name!r} is not the name of a header")
        return tuple(name.lower() for name in headers)

    @model_validator(mode="after")
    def _names_once(self) -> Compare:
        names = [one.name for one in self.declared]
        twice = next((name for name in names if names.count(name) > 1), None)
        if twice is not None:
            raise ValueError(f"two declared differences have the name {twice!r}")
        return self
