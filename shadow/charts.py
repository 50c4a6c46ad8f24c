"""Numbers over time to the coordinates of a chart; the template draws them as inline SVG."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from shadow import figures
from shadow.summary import Moment

WIDTH, HEIGHT = 720, 212
LEFT, RIGHT, TOP, BOTTOM = 90, 12, 16, 36  # room for the larger letters of a phone
TICKS = 4


@dataclass(frozen=True)
class Line:
    """One side: its points as SVG wants them, and a last point for the label."""

    name: str
    points: str
    last_x: float
    last_y: float


@dataclass(frozen=True)
class Tick:
    """A grid line with its label."""

    position: float
    label: str


@dataclass(frozen=True)
class Chart:
    """A chart inside WIDTH x HEIGHT; `description` says in words what it shows."""

    title: str
    description: str
    lines: tuple[Line, ...]
    rows: tuple[Tick, ...]
    columns: tuple[Tick, ...]


def agreement_chart(timeline: Sequence[Moment]) -> Chart | None:
    """The share of compared pairs that did not disagree, interval by interval; None without any."""
    moments = [moment for moment in timeline if moment.compared]
    if not moments:
        return None
    shares = [1 - moment.disagreeing / moment.compared for moment in moments]
    floor = min(0.99, math.floor(min(shares) * 100) / 100)
    described = f"Agreement over time: lowest {figures.percent(min(shares))}, last {figures.percent(shares[-1])}."
    rows = _rows(floor, 1.0, figures.percent)
    lines = (_line("agreement", moments, shares, (floor, 1.0)),)
    return Chart("Agreement over time", described, lines, rows, _columns(moments))


def latency_chart(timeline: Sequence[Moment]) -> Chart | None:
    """The mean latency of both sides, interval by interval; None without timed pairs."""
    moments = [moment for moment in timeline if moment.legacy_seconds and moment.modern_seconds]
    if not moments:
        return None
    legacy = [moment.legacy_seconds for moment in moments]
    modern = [moment.modern_seconds for moment in moments]
    top = _nice(max(*legacy, *modern))
    described = (
        f"Mean latency over time: legacy last {figures.milliseconds(legacy[-1])}, "
        f"modern last {figures.milliseconds(modern[-1])}."
    )
    lines = (_line("legacy", moments, legacy, (0.0, top)), _line("modern", moments, modern, (0.0, top)))
    return Chart("Latency of both sides", described, lines, _rows(0.0, top, figures.milliseconds), _columns(moments))


def _line(name: str, moments: Sequence[Moment], values: Sequence[float], between: tuple[float, float]) -> Line:
    places = [(_x(moments, moment), _y(value, between)) for moment, value in zip(moments, values, strict=True)]
    return Line(name, " ".join(f"{x:.1f},{y:.1f}" for x, y in places), *places[-1])


def _x(moments: Sequence[Moment], moment: Moment) -> float:
    span = moments[-1].at - moments[0].at
    share = (moment.at - moments[0].at) / span if span else 0.5
    return LEFT + share * (WIDTH - LEFT - RIGHT)


def _y(value: float, between: tuple[float, float]) -> float:
    low, high = between
    return TOP + (high - value) / (high - low) * (HEIGHT - TOP - BOTTOM)


def _rows(low: float, high: float, label: object) -> tuple[Tick, ...]:
    values = [low + (high - low) * step / TICKS for step in range(TICKS + 1)]
    return tuple(Tick(_y(value, (low, high)), label(value)) for value in values) if callable(label) else ()


def _columns(moments: Sequence[Moment]) -> tuple[Tick, ...]:
    chosen = sorted({0, len(moments) // 2, len(moments) - 1})
    return tuple(Tick(_x(moments, moments[index]), figures.moment(moments[index].at)[11:19]) for index in chosen)


def _nice(value: float) -> float:
    size = math.pow(10, math.floor(math.log10(value)))
    return next(step * size for step in (1, 2, 4, 5, 8, 10, 20) if step * size >= value)
