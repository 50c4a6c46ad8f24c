from __future__ import annotations

import re
from pathlib import Path

from tests.kill import special
from tests.kill.campaign import WAYS, Total, deaths, main, report, specs
from tests.kill.crash import NAMES, Orders, lines_of_execute
from tests.kill.nemesis import FAULTS
from tests.kill.run import Outcome, Spec

MAKEFILE = Path(__file__).resolve().parents[3] / "Makefile"


def died(times: int, crash: str, again: str = "") -> Outcome:
    spec = Spec("x", Orders(crash=f"{crash}#1"), Orders(crash=f"{again}#1") if again else None)
    return Outcome(spec, "advance", died=times, operations={"ok": 5, "fail": 1, "unknown": 2})


OUTCOMES = [
    died(1, "hold.after"),
    died(2, "fence.after", "fence.after"),
    died(2, "commit.after", "reverse.after"),
    died(1, "drain.after", "drain.after"),  # the command that recovered never came by there
    died(0, "spot.after"),  # it was never reached at all
]


def test_a_point_counts_only_where_a_command_died() -> None:
    once, twice, pairs = deaths(OUTCOMES)
    assert once == {"hold.after", "fence.after", "commit.after", "drain.after"}
    assert twice == {"fence.after"}
    assert pairs == {("commit.after", "reverse.after")}


def test_the_report_shows_operations_points_seeds_and_the_bound() -> None:
    text = report(Total(7, OUTCOMES))
    assert "40: 25 ok, 5 fail, 10 unknown" in text
    assert f"died at 5 of {len(NAMES)}" in text
    assert f"at 1 of {len(NAMES)}, there and again" in text
    assert "1 pairs of two different points" in text
    assert "run n has seed 7000 + n - 1" in text
    assert "below 60.00% of runs at 95 % (3/n)" in text


def test_a_violation_takes_the_bounds_place() -> None:
    outcome = died(1, "hold.after")
    outcome.violations.append(("I2", "a posting is there twice"))
    text = report(Total(7, [outcome]))
    assert "(3/n)" not in text
    assert "x: I2 a posting is there twice" in text


def test_without_numbers_it_says_how_it_is_called() -> None:
    assert main(["--help"]) == 2


def test_as_many_runs_as_make_kill_makes_are_enough_for_every_point_line_and_fault() -> None:
    found = re.search(r"^RUNS \?= (\d+)$", MAKEFILE.read_text(), re.MULTILINE)
    assert found
    left = int(found[1]) - len(WAYS) - special.COUNT
    made = list(specs(1, left, dict.fromkeys(lines_of_execute(), "smooth")))
    assert {spec.orders.crash.partition("#")[0] for spec in made} >= set(NAMES)
    assert {spec.orders.line for spec in made} >= set(lines_of_execute())
    assert {spec.fault for spec in made} >= set(FAULTS)
    assert {"nothing happens", "two operators at once"} <= {spec.label for spec in made}
    assert sum(spec.label.startswith("clock jumps") for spec in made) == 6
