"""Pytest plugin: the fixture of the conformance tests, and their report, one line for each T id.

`pytest --conformance` cuts every case at every byte, prints the report and fails if an id has no test or ran nothing.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import pytest
import structlog

from tests.support.claims import CLAIMS, NOT_APPLICABLE
from tests.support.crossing import Crossing, crossing
from tests.support.variants import Wire

_ID = re.compile(r"test_(t\d\d)_")
_COUNTS = pytest.StashKey[dict[str, int]]()


@dataclass
class _Row:
    outcomes: list[str] = field(default_factory=list)
    variants: int = 0

    @property
    def word(self) -> str:
        if not self.outcomes or not self.variants:
            return "NO TEST"
        return "passed" if set(self.outcomes) == {"passed"} else "NOT PASSED"


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--conformance", action="store_true", help="cut every case at every byte; print the report")


@pytest.fixture(scope="session")
def _crossing() -> Iterator[Crossing]:
    with crossing() as one:
        yield one


@pytest.fixture
def wire(_crossing: Crossing, request: pytest.FixtureRequest) -> Iterator[Wire]:
    """Cases over one worker; how many variants ran is kept for the report."""
    structlog.configure(logger_factory=structlog.ReturnLoggerFactory())  # each test begins with its own
    _crossing.upstream.reset()
    _crossing.run(_crossing.clear())
    one = Wire(_crossing, every=is_full(request.config))
    yield one
    _count(request, one.variants)


@pytest.fixture
def variants(request: pytest.FixtureRequest) -> Iterator[list[str]]:
    """For tests with another world: append the name of each variant that ran."""
    names: list[str] = []
    yield names
    _count(request, len(names))


def _count(request: pytest.FixtureRequest, number: int) -> None:
    request.config.stash.setdefault(_COUNTS, {})[request.node.nodeid] = number


def is_full(config: pytest.Config) -> bool:
    """Whether every cut and the long forms are asked for."""
    return bool(config.getoption("--conformance"))


def pytest_terminal_summary(terminalreporter: Any, exitstatus: int, config: pytest.Config) -> None:
    if not is_full(config):
        return
    rows = _rows(terminalreporter, config)
    write = terminalreporter.write_line
    write("")
    for name, claim in CLAIMS.items():
        row = rows[name]
        write(f"{name}  {row.word:<10} {row.variants:>7} variants  {claim}")
    for name, reason in NOT_APPLICABLE.items():
        write(f"{name}  not applicable: {reason}")
    good = sum(row.word == "passed" for row in rows.values())
    total = sum(row.variants for row in rows.values())
    write(f"{good} of {len(rows)} passed, {len(rows) - good} not; {total} variants; dirty forwards: 0 in what passed")


def pytest_sessionfinish(session: pytest.Session, exitstatus: int) -> None:
    reporter = session.config.pluginmanager.get_plugin("terminalreporter")
    if is_full(session.config) and any(row.word != "passed" for row in _rows(reporter, session.config).values()):
        session.exitstatus = 1


def _rows(reporter: Any, config: pytest.Config) -> dict[str, _Row]:
    counts = config.stash.get(_COUNTS, {})
    rows = {name: _Row() for name in CLAIMS}
    for outcome in ("passed", "failed", "error", "skipped"):
        for report in reporter.stats.get(outcome, ()):
            found = _ID.search(report.nodeid)
            if found is not None and found[1].upper() in rows:
                row = rows[found[1].upper()]
                row.outcomes.append(outcome)
                row.variants += counts.get(report.nodeid, 0)
    return rows
