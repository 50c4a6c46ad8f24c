"""Counters and histograms: plain lists on the hot path, one snapshot a worker, one scrape for all workers."""

from __future__ import annotations

from bisect import bisect_left
from collections import Counter
from collections.abc import Iterable, Mapping
from typing import Any, Final

BOUNDS: Final = tuple(round(0.0005 * 1.5**step, 7) for step in range(28))
CLASSES: Final = ("other", "1xx", "2xx", "3xx", "4xx", "5xx")


class Series:
    """Requests of one route answered by one side: counts by status class, and how long they took."""

    __slots__ = ("buckets", "classes", "seconds")

    def __init__(self) -> None:
        self.classes = [0] * len(CLASSES)
        self.buckets = [0] * (len(BOUNDS) + 1)
        self.seconds = 0.0

    def record(self, status: int, seconds: float) -> None:
        """Count one answer."""
        self.classes[status // 100 if status < 600 else 0] += 1
        self.buckets[bisect_left(BOUNDS, seconds)] += 1
        self.seconds += seconds


class Metrics:
    """What one worker has counted since it started. Bounded: its names come from routes.yaml and from our tables."""

    __slots__ = ("mirror", "problems", "series", "table_refused")

    def __init__(self) -> None:
        self.series: dict[str, dict[str, Series]] = {}
        self.problems: Counter[str] = Counter()
        self.mirror: Counter[tuple[str, str]] = Counter()
        self.table_refused = 0

    def series_of(self, route: str, side: str) -> Series:
        """The series of a route and side, made when it is first asked for."""
        sides = self.series.setdefault(route, {})
        found = sides.get(side)
        if found is None:
            found = sides[side] = Series()
        return found

    def snapshot(self) -> dict[str, Any]:
        """Everything as JSON; gauges are added by the worker, which knows its pools and holds."""
        return {
            "bounds": list(BOUNDS),
            "requests": [
                {
                    "route": route,
                    "side": side,
                    "classes": dict(zip(CLASSES, series.classes, strict=True)),
                    "buckets": list(series.buckets),
                    "seconds": series.seconds,
                }
                for route, sides in self.series.items()
                for side, series in sides.items()
            ],
            "problems": dict(self.problems),
            "mirror": [{"route": r, "outcome": o, "count": n} for (r, o), n in self.mirror.items()],
            "table_refused": self.table_refused,
            "connections": [],
            "held": {},
            "in_flight_writes": {},
            "counters": [],
            "gauges": [],
        }


def rows_of(name: str, label: str, counts: Mapping[str, float]) -> list[dict[str, Any]]:
    """Rows of `counters` or `gauges` in a snapshot: one metric with one label."""
    return [{"name": name, "labels": {label: value}, "value": count} for value, count in counts.items()]


def merge(snapshots: Iterable[Mapping[str, Any]]) -> dict[str, Any]:
    """One snapshot of the same form as the sum of several."""
    merged = Metrics().snapshot()
    requests: dict[tuple[str, str], dict[str, Any]] = {}
    counted: dict[str, Counter[Any]] = {name: Counter() for name in ("problems", "held", "in_flight_writes")}
    mirror: Counter[tuple[str, str]] = Counter()
    connections: Counter[tuple[str, str]] = Counter()
    for snapshot in snapshots:
        for row in snapshot["requests"]:
            _add_row(requests, row)
        for name, counter in counted.items():
            counter.update(snapshot[name])
        mirror.update({(row["route"], row["outcome"]): row["count"] for row in snapshot["mirror"]})
        connections.update({(row["upstream"], row["state"]): row["count"] for row in snapshot["connections"]})
        merged["table_refused"] += snapshot["table_refused"]
        for kind in ("counters", "gauges"):
            _add_up(merged[kind], snapshot.get(kind, ()))
    merged["requests"] = list(requests.values())
    merged.update({name: dict(counter) for name, counter in counted.items()})
    merged["mirror"] = [{"route": r, "outcome": o, "count": n} for (r, o), n in mirror.items()]
    merged["connections"] = [{"upstream": u, "state": s, "count": n} for (u, s), n in connections.items()]
    return merged


def _add_up(rows: list[dict[str, Any]], more: Iterable[Mapping[str, Any]]) -> None:
    known = {(row["name"], *row["labels"].items()): row for row in rows}
    for row in more:
        same = known.get((row["name"], *row["labels"].items()))
        if same is None:
            rows.append(dict(row))
        else:
            same["value"] += row["value"]


def _add_row(requests: dict[tuple[str, str], dict[str, Any]], row: Mapping[str, Any]) -> None:
    key = (row["route"], row["side"])
    known = requests.get(key)
    if known is None:
        requests[key] = {**row, "classes": dict(row["classes"]), "buckets": list(row["buckets"])}
        return
    known["classes"] = {name: known["classes"][name] + row["classes"][name] for name in CLASSES}
    known["buckets"] = [a + b for a, b in zip(known["buckets"], row["buckets"], strict=True)]
    known["seconds"] += row["seconds"]
