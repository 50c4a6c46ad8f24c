"""Comparisons a second on one core, by kind and size of answer; run alone on the machine.

    python benchmarks/compare_bench.py [--seconds 2]

Every line names the pair, its size, the rate, and the floor that it must reach; the exit code is 1 if one does not.
The lines of growth give the time for each KiB (or member), which stays level where the work is linear.
"""

from __future__ import annotations

import argparse
import json
import random
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass

from config.comparing import Compare
from shadow.compare import compare
from shadow.observation import Observation, Pair
from shadow.redact import Redactor
from shadow.rules import NO_RULES, Rules

REDACTOR = Redactor(b"the key of a benchmark")
JSON, XML = "application/json", "application/soap+xml"
KEYED = Rules.of(Compare.model_validate({"rules": [{"path": "$.items", "key": "ref", "reason": "by reference"}]}))
GROWTH_MAX = 2.0
"""How much dearer a KiB may be in the largest pair than in the smallest: allocators and caches, not another order."""


@dataclass(frozen=True)
class Line:
    name: str
    pair: Pair
    rules: Rules
    floor: int | None = None


def pair_of(control: bytes, candidate: bytes, media: str) -> Pair:
    head = (("Content-Type", media), ("Server", "x"))
    ours, theirs = Observation(200, head, control, 0.01, "legacy"), Observation(200, head, candidate, 0.01, "modern")
    return Pair("r", "c", "k", "GET", ours, theirs, False, "shadow", 1.0)


def account(members: int, chance: random.Random) -> dict[str, object]:
    items = [
        {"ref": f"R{number:07d}", "amt": round(chance.uniform(1, 999), 2), "on": "2026-01-02", "text": "salary"}
        for number in range(members)
    ]
    return {
        "acctNo": "0012345678",
        "bal": "1204.55",
        "ccy": "EUR",
        "holder": {"name": "A B", "city": "X"},
        "items": items,
    }


def json_pair(members: int, *, shuffled: bool = False) -> Pair:
    """Two answers that differ in two fields."""
    document = account(members, random.Random(members))
    control = json.dumps(document).encode()
    other = json.loads(control)
    other["bal"] = "1204.56"
    other["items"][members // 2]["amt"] += 1
    if shuffled:
        random.Random(1).shuffle(other["items"])
    return pair_of(control, json.dumps(other).encode(), JSON)


def xml_pair(members: int, *, otherwise: bool = False) -> Pair:
    """A SOAP answer of both sides, with other prefixes and two fields that differ; `otherwise` with attributes, and with
    a comment and CDATA on one side."""

    def written(prefix: str, balance: str, amount: str) -> bytes:
        numbered = ' no="{}"' if otherwise else ""
        items = "".join(
            f"<{prefix}:item{numbered.format(number)}><{prefix}:ref>R{number:07d}</{prefix}:ref><{prefix}:amt>{amount if number == 3 else '12.50'}"
            f"</{prefix}:amt><{prefix}:text>salary</{prefix}:text></{prefix}:item>"
            for number in range(members)
        )
        return (
            f'<s:Envelope xmlns:s="http://schemas.xmlsoap.org/soap/envelope/"><s:Body><{prefix}:r xmlns:{prefix}="urn:bank">'
            f"<{prefix}:bal>{balance}</{prefix}:bal>{items}</{prefix}:r></s:Body></s:Envelope>"
        ).encode()

    candidate = written("b", "1.01", "2.50")
    if otherwise:
        candidate = candidate.replace(b"<b:bal>1.01", b"<!-- of today --><b:bal><![CDATA[1.01]]>")
    return pair_of(written("a", "1.00", "2.00"), candidate, XML)


def lines() -> list[Line]:
    small = json_pair(12)
    equal = pair_of(small.control.body, small.control.body, JSON)
    return [
        Line("JSON, two fields differ", small, NO_RULES, 15_000),
        Line("JSON, equal bytes", equal, NO_RULES, 100_000),
        Line("XML, two fields differ", xml_pair(92), NO_RULES, 2_000),
        Line("XML, written otherwise", xml_pair(84, otherwise=True), NO_RULES, 1_500),
        *(Line("JSON, two fields differ", json_pair(members), NO_RULES) for members in (125, 1_500, 14_000)),
        *(Line("XML, two fields differ", xml_pair(members), NO_RULES) for members in (92, 1_100, 11_500)),
        *(Line("JSON list by key, shuffled", json_pair(n, shuffled=True), KEYED) for n in (100, 1_000, 10_000)),
    ]


def rate(judge: Callable[[], object], seconds: float) -> float:
    """Calls a second of processor time, the best of three spans: noise only ever makes it slower."""
    judge()
    best = 0.0
    for _ in range(3):
        count, began = 0, time.process_time()
        while (spent := time.process_time() - began) < seconds / 3:
            for _ in range(max(1, count // 8)):
                judge()
            count += max(1, count // 8)
        best = max(best, count / spent)
    return best


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seconds", type=float, default=1.5)
    seconds = parser.parse_args().seconds
    missed: list[str] = []
    growth: dict[str, list[float]] = {}
    print(f"{'pair':<30}{'KiB':>9}{'pairs/s':>12}{'us/KiB':>9}{'floor':>10}")
    for line in lines():
        kib = len(line.pair.control.body) / 1024
        found = rate(lambda line=line: compare(line.pair, line.rules, None, REDACTOR), seconds)  # type: ignore[misc]
        print(f"{line.name:<30}{kib:>9.1f}{found:>12,.0f}{1e6 / found / kib:>9.1f}{line.floor or '':>10}", flush=True)
        if line.floor is None:
            growth.setdefault(line.name, []).append(1e6 / found / kib)
        elif found < line.floor:
            missed.append(f"{line.name}: {found:,.0f} is below {line.floor:,}")
    for name, costs in growth.items():
        print(f"{name}: a KiB costs {costs[-1] / costs[0]:.2f} x in the largest of what it does in the smallest")
        if costs[-1] > GROWTH_MAX * costs[0]:
            missed.append(f"{name} is not linear")
    for one in missed:
        print(f"MISSED {one}")
    return 1 if missed else 0


if __name__ == "__main__":
    sys.exit(main())
