"""The parts of one run with their times, and what the gateway counted in each."""

from __future__ import annotations

import re
from collections import Counter
from dataclasses import dataclass, field
from time import monotonic

import httpx

from runbook.demo.operation import Operation

SAMPLE = re.compile(r"^strangler_requests_total\{([^}]*)\} ([0-9.e+]+)$", re.MULTILINE)
LABEL = re.compile(r'(\w+)="((?:[^"\\]|\\.)*)"')

Counts = Counter[tuple[str, str]]  # (side, status class) to requests


@dataclass
class Phase:
    """One part of the run: between two times of this machine's monotonic clock."""

    name: str
    began: float
    ended: float = 0.0
    counts: Counts = field(default_factory=Counter)

    def holds(self, operation: Operation) -> bool:
        """Whether the operation began in it."""
        return self.began <= operation.began < self.ended

    def side(self, side: str) -> int:
        """How many requests that side answered."""
        return sum(number for (name, _), number in self.counts.items() if name == side)


@dataclass
class Phases:
    """Every part of the run, in order; one ends where the next begins."""

    admin: str
    all: list[Phase] = field(default_factory=list)
    _before: Counts = field(default_factory=Counter)

    def begin(self, name: str) -> Phase:
        """End the part that runs and begin the next."""
        self.end()
        self.all.append(Phase(name, monotonic()))
        return self.all[-1]

    def end(self) -> None:
        """End the part that runs, and note what the gateway counted since it began."""
        counts = read_counts(self.admin)
        if self.all and not self.all[-1].ended:
            self.all[-1].ended = monotonic()
            self.all[-1].counts = counts - self._before
        self._before = counts

    @property
    def current(self) -> str:
        """The name of the part that runs."""
        return self.all[-1].name if self.all else "start"


def read_counts(admin: str) -> Counts:
    """The gateway's request counters by side and class of status, from one scrape of its metrics."""
    return parse_counts(httpx.get(f"{admin}/metrics", timeout=10.0, trust_env=False).raise_for_status().text)


def parse_counts(text: str) -> Counts:
    """The same from the text of a scrape."""
    counts: Counts = Counter()
    for labels, number in SAMPLE.findall(text):
        named = dict(LABEL.findall(labels))
        counts[named["side"], named["status_class"]] += int(float(number))
    return counts
