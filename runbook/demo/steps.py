"""The runbook as the demo's operator uses it: the functions behind the command line, and what they say."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from time import monotonic, sleep
from typing import Any

from config.reader import read_routes
from runbook import advance as moves
from runbook.comparison import Report, read_report
from runbook.control import Control
from runbook.demo.proof import Check
from runbook.demo.streams import drain_streams
from runbook.demo.world import CAPABILITY, Say, World
from runbook.errors import BlockedByGate
from runbook.execute import Event
from runbook.journal import Journal
from runbook.screen_sync import verify_each

OPERATOR, COLLEAGUE = "olivia", "sam"
POLL_SECONDS = 0.25


class Runbook:
    """Every move of the story, made by one operator and, where it takes two, a colleague."""

    def __init__(self, world: World, say: Say) -> None:
        self._world, self._say = world, say

    def advance(self, percent: float | None = None) -> None:
        """One stage on, or to more canary."""
        outcome = moves.advance(self._world.routes, CAPABILITY, percent=percent, actor=OPERATOR, progress=self._tell)
        self._tell_pause(outcome)

    def back(self) -> None:
        """One stage back."""
        self._tell_pause(moves.back(self._world.routes, CAPABILITY, actor=OPERATOR, progress=self._tell))

    def waive(self, gate: str, reason: str) -> None:
        """Let a gate pass for two hours, on the word of two people."""
        moves.waive(
            self._world.routes,
            CAPABILITY,
            gate,
            lasting=timedelta(hours=2),
            reason=reason,
            actor=OPERATOR,
            second=COLLEAGUE,
        )
        self._say(f"{OPERATOR} and {COLLEAGUE} waive {gate}: {reason}")

    def expect_blocked(self, gate: str, names: str) -> tuple[bool, str]:
        """Try to move on and be refused by that gate, with that name in its reason."""
        try:
            moves.advance(self._world.routes, CAPABILITY, actor=OPERATOR, progress=self._tell)
        except BlockedByGate as blocked:
            self._say(f"refused: {blocked.sentence}")
            return gate in str(blocked) and names in str(blocked), blocked.sentence
        return False, "it was not refused"

    def until_gate_passes(self, seconds: float, check: Callable[[], None]) -> None:
        """Wait until the comparison has enough evidence; the gate itself decides at the next move."""
        deadline, last = monotonic() + seconds, 0
        while monotonic() < deadline:
            check()
            report = self._report()
            if report.passes:
                break
            if report.summary.keys.distinct - last >= 100:
                last = report.summary.keys.distinct
                self._say(f"compared on {last:,} distinct customers; {report.verdict.more or 0:,} more are needed")
            sleep(POLL_SECONDS)
        keys = self._report().summary.keys
        self._say(f"the gate has seen {keys.distinct:,} distinct customers, {keys.mismatched} with a difference")

    def verify(self, occasion: str) -> None:
        """Compare both databases row by row while the clients write."""
        for result in verify_each(read_routes(self._world.routes), CAPABILITY, "both"):
            rows = sum(table.rows for table in result.tables)
            outcome = "equal" if result.equal else "DIFFERENT"
            self._say(f"verify {result.direction} {occasion}: {rows:,} rows {outcome}, {result.seconds:.1f} s")

    def drain(self, seconds: float) -> dict[str, Any]:
        """Wait until both streams have applied everything; returns their figures."""
        return drain_streams(self._world, seconds)

    def comparison(self) -> tuple[dict[str, Any], tuple[Check, ...]]:
        """The comparison's figures, and what must hold of them."""
        report = self._report()
        sums, keys = report.summary.accounting, report.summary.keys
        parts = f"{sums.eligible:,} eligible = {sums.compared:,} compared + {sum(sums.skipped.values()):,} skipped"
        parts += f" + {sum(sums.dropped.values()):,} dropped + {sum(sums.errored.values()):,} errored"
        found = ", ".join(f"{count:,} {verdict}" for verdict, count in sorted(sums.verdicts.items()))
        clusters = [
            f"{route.route} {cluster.path} ({cluster.kind})"
            for route in report.summary.routes
            for cluster in route.clusters
        ]
        differing = f"{keys.distinct:,} customers, {keys.mismatched} mismatched" + (
            f": {clusters[:3]}" if clusters else ""
        )
        return report.to_json(), (
            Check("every mirrored request is accounted for", sums.accounted == sums.eligible, parts),
            Check("both sides answered alike", keys.mismatched == 0, f"{found}; {differing}"),
        )

    def final_checks(self) -> tuple[Check, ...]:
        """Both databases equal by the mapping, in both directions, and the journal's chain whole."""
        checks = []
        for result in verify_each(read_routes(self._world.routes), CAPABILITY, "both"):
            rows = sum(table.rows for table in result.tables)
            wrong = [f"{table.target} {key}" for table in result.tables for key in table.sample_keys]
            detail = f"{rows:,} rows, {sum(table.differences for table in result.tables)} differ"
            detail += f": {'; '.join(map(str, wrong[:5]))}" if wrong else ""
            checks.append(Check(f"verify {result.direction} equal", result.equal, detail))
        control = Control.of(read_routes(self._world.routes))
        try:
            chain = Journal(control).verify()
        finally:
            control.close()
        problems = "; ".join(chain.problems) if chain.problems else "chain intact"
        checks.append(Check("the journal is whole", chain.ok, f"{chain.entries} entries, {problems}"))
        return tuple(checks)

    def _report(self) -> Report:
        return read_report(self._world.routes, CAPABILITY)

    def _tell(self, event: Event) -> None:
        took = f" ({event.seconds * 1000:.0f} ms)" if event.seconds >= 0.001 else ""
        if event.result != "begun":
            self._say(f"  {event.step}: {event.text}{took}")

    def _tell_pause(self, outcome: moves.Outcome) -> None:
        pause = outcome.pause_seconds
        if pause is not None:
            self._say(f"{outcome.transition.name}: writes were held for {pause * 1000:.0f} ms")
