"""How often the gate lets a candidate pass that is worse than its limit, when somebody looks after every key.

    python -m tests.false_pass [--runs 2000] [--keys 20000]        (make false-pass)

Each run draws keys until the gate says pass or the keys are used up. A candidate whose true rate is above the limit must
pass in at most 5 % of the runs; the exit code is 1 if one does not keep to that.
"""

from __future__ import annotations

import argparse
import math
import random
import statistics
import sys
from dataclasses import dataclass

from shadow.rate import log_evidence

CONFIDENCE = 0.95
LIMITS = (0.01, 0.001)
TIMES_THE_LIMIT = (1.0001, 1.1, 1.5, 2.0)
TIMES_BELOW = (0.0, 0.1, 0.5)
_NEEDED = -math.log1p(-CONFIDENCE)


def judge_quickly(keys: int, mismatched: int, limit: float) -> str:
    """The same answer as `judge_rate` at 95 %, without its interval and forecast."""
    if log_evidence(keys, mismatched, limit, limit) < _NEEDED:
        return "need more"
    return "pass" if mismatched < limit * keys else "fail"


def first_answer(rate: float, limit: float, keys: int, answer: str, chance: random.Random) -> int | None:
    """At which key the gate first gives that answer, looked at after each; None if it never does."""
    # The answer can only turn to `pass` while keys agree and to `fail` at a mismatch, so that is where we look.
    mismatched, seen = 0, 0
    while seen < keys:
        run = keys - seen if rate == 0 else min(keys - seen, int(math.log(1.0 - chance.random()) / math.log1p(-rate)))
        if run and answer == "pass" and judge_quickly(seen + run, mismatched, limit) == "pass":
            return _first_pass(seen, seen + run, mismatched, limit)
        seen += run
        if seen < keys:
            seen, mismatched = seen + 1, mismatched + 1
            if answer == "fail" and judge_quickly(seen, mismatched, limit) == "fail":
                return seen
    return None


def _first_pass(low: int, high: int, mismatched: int, limit: float) -> int:
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (low, middle) if judge_quickly(middle, mismatched, limit) == "pass" else (middle, high)
    return high


@dataclass(frozen=True)
class Row:
    """One true rate: how many runs passed, and the median number of keys that it took."""

    limit: float
    times: float
    runs: int
    passes: int
    keys_median: int | None

    @property
    def share(self) -> float:
        """The share of runs that passed."""
        return self.passes / self.runs


def simulate(limit: float, times: float, runs: int, keys: int, seed: int = 20261123) -> Row:
    """So many runs of a candidate whose true rate is that many times the limit."""
    chance = random.Random(seed)
    found = [at for _ in range(runs) if (at := first_answer(limit * times, limit, keys, "pass", chance)) is not None]
    return Row(limit, times, runs, len(found), int(statistics.median(found)) if found else None)


def say(line: str) -> None:
    sys.stdout.write(f"{line}\n")


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--runs", type=int, default=2000)
    parser.add_argument(
        "--keys", type=int, default=20_000, help="at most, for the limit of 1 %%; ten times that for 0.1 %%"
    )
    options = parser.parse_args()
    is_sound = True
    say(f"{'limit':>7}{'true rate':>11}{'runs':>7}{'passed':>8}{'share':>8}{'median keys at the pass':>25}")
    for limit in LIMITS:
        for times in (*TIMES_BELOW, *TIMES_THE_LIMIT):
            row = simulate(limit, times, options.runs, int(options.keys * 0.01 / limit))
            is_false = times > 1
            is_sound = is_sound and not (is_false and row.share > 1 - CONFIDENCE)
            mark = "  false" if is_false else ""
            at = "-" if row.keys_median is None else f"{row.keys_median:,}"
            say(f"{limit:>7.1%}{limit * times:>11.4%}{row.runs:>7,}{row.passes:>8,}{row.share:>8.1%}{at:>25}{mark}")
    say("at most 5.0% of the runs above the limit passed" if is_sound else "MISSED: more than 5 % passed falsely")
    return 0 if is_sound else 1


if __name__ == "__main__":
    sys.exit(main())
