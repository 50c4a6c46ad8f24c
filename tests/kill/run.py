"""One run: a command under load with one thing done to it, the same command again until it is done, then the checker."""

from __future__ import annotations

import json
import random
from collections.abc import Mapping
from dataclasses import dataclass, field
from decimal import Decimal
from pathlib import Path
from time import monotonic, monotonic_ns, sleep
from typing import Any

import psycopg

from tests.kill import books, checker, history
from tests.kill.checker import Facts, Seen, Stop
from tests.kill.crash import Orders
from tests.kill.forks import Fork
from tests.kill.nemesis import FAULTS
from tests.kill.reader import MONEY, Reader, who_takes_writes
from tests.kill.world import CAPABILITY, World

ATTEMPTS = 40
VERIFIED_SECONDS = 600.0
OPERATORS = ("olivia", "sam")


@dataclass(frozen=True)
class Patience:
    """How many seconds are waited before a thing that does not come is a finding."""

    rest: float = 40.0  # every client has its answers
    equal: float = 30.0  # both sides hold the same
    command: float = 60.0  # a command ends
    settle: float = 90.0  # a run comes to its end, once everything is healed


@dataclass(frozen=True)
class Spec:
    """What is done in one run. `orders` is for the first command, `again` for the one that recovers."""

    label: str
    orders: Orders = field(default_factory=Orders)
    again: Orders | None = None
    fault: str = ""
    seed: int = 0
    second_operator: bool = False

    @property
    def is_clean(self) -> bool:
        done = self.orders
        return not (done.crash or done.line or done.fail or done.disk_bytes or done.interrupt or self.fault)


@dataclass
class Outcome:
    """What a run came to."""

    spec: Spec
    move: str
    violations: list[tuple[str, str]] = field(default_factory=list)
    commands: int = 0
    died: int = 0
    seconds: float = 0.0
    hits: tuple[str, ...] = ()
    lines: tuple[int, ...] = ()
    sometimes: tuple[str, ...] = ()
    operations: Mapping[str, int] = field(default_factory=dict)


class Runner:
    """Makes run after run in one world."""

    def __init__(self, world: World, verified: float = 0.0, patience: Patience | None = None) -> None:
        self.world = world
        self.patience = patience or Patience()
        self.money = self._money()
        self.done: list[str] = []
        self.verified = verified
        self._stops: list[Stop] = []
        self._entries, self._last_commit = 0, checker.LONG_AGO
        self._hits, self._lines = world.folder / "hits", world.folder / "lines"

    def prepare(self) -> None:
        """What a team does before: count writers, verify, waive what a bank of one minute cannot show."""
        world = self.world
        world.run("gates", CAPABILITY)
        for gate in ("comparison", "writers"):
            world.run(
                "waive",
                CAPABILITY,
                gate,
                "--for",
                "24h",
                "--reason",
                "a rehearsal",
                "--as",
                "olivia",
                "--second",
                "sam",
            )
        self._verify()

    def _verify(self) -> None:
        if self.verified and monotonic() - self.verified < VERIFIED_SECONDS:
            return
        done = self.world.run("sync", "verify", CAPABILITY)
        assert done.status == 0, done.output
        self.verified = monotonic()

    def _money(self) -> dict[str, Decimal]:
        with psycopg.connect(self.world.legacy_url) as connection:
            return dict(connection.execute(MONEY.encode()).fetchall())

    def run(self, spec: Spec) -> Outcome:
        """Make one run and check it. What kept the harness from going on is raised, unless the checker has the reason."""
        world, began, since = self.world, monotonic(), monotonic_ns()
        move = "advance" if world.stage == "canary" else "back"
        wanted = "modern" if move == "advance" else "canary"
        outcome = Outcome(spec, move)
        for path in (self._hits, self._lines):
            path.unlink(missing_ok=True)
        self._stops.clear()
        reader = Reader(world)
        reader.start()
        failure = None
        try:
            self._verify()
            self._move(spec, move, wanted, outcome)
        except (AssertionError, TimeoutError) as error:
            failure = error
        finally:
            looks = reader.end()
        facts = self._facts(spec, world.stage if failure else wanted, looks, since)
        outcome.violations = checker.check(facts) + outcome.violations
        if failure and not outcome.violations:
            raise failure
        self._note_facts(outcome, facts, since)
        outcome.seconds = monotonic() - began
        world.go_on()
        return outcome

    def _note_facts(self, outcome: Outcome, facts: Facts, since: int) -> None:
        self._entries = len(facts.journal)
        self._last_commit = max((one.at for one in facts.home.born.values()), default=self._last_commit)
        outcome.sometimes = self._sometimes(facts)
        outcome.operations = _counted(facts, since)
        outcome.hits = tuple(self._hits.read_text().split()) if self._hits.exists() else ()
        outcome.lines = tuple(map(int, self._lines.read_text().split())) if self._lines.exists() else ()

    def _orders(self, orders: Orders) -> Orders:
        orders.hits_to, orders.reached = str(self._hits), str(self.world.folder / "reached")
        if orders.lines_to:
            orders.lines_to = str(self._lines)
        if orders.disk_bytes:
            written = self.world.control.with_name("control.db-wal")
            orders.disk_bytes = (written.stat().st_size if written.exists() else 0) + orders.disk_bytes
        return orders

    def _plan(self, move: str) -> str:
        deadline = monotonic() + self.patience.settle
        argv = ["plan", CAPABILITY, "--json", *(["--back"] if move == "back" else [])]
        while True:
            made = self.world.run(*argv)
            if made.status == 0:
                return checker.plan_of(made.output[made.output.index("{") :])
            if monotonic() > deadline:
                raise TimeoutError(f"no plan: {made.output[-800:]}")
            sleep(0.2)

    def _move(self, spec: Spec, move: str, wanted: str, outcome: Outcome) -> None:
        world, chance = self.world, random.Random(spec.seed)
        plan = self._plan(move)
        argv = [move, CAPABILITY, "--plan", plan, "--yes", "--as", OPERATORS[0], "--json"]
        reached = world.folder / "reached"
        reached.unlink(missing_ok=True)
        first = world.command(*argv, orders=self._orders(spec.orders))
        second = None
        if spec.second_operator:
            second = world.command(*argv[:-3], "--as", OPERATORS[1], "--json")
        if spec.fault:
            self._strike(spec, first, reached, chance)
        world.wait(first, self.patience.command)
        outcome.commands += 1
        outcome.died += first.status == -9
        if second is not None:
            world.wait(second, self.patience.command)
            self._note(second)
        self._note(first)
        self._settle(spec, argv, move, wanted, outcome)

    def _strike(self, spec: Spec, command: Fork, reached: Path, chance: random.Random) -> None:
        """Let the nemesis act when the command waits at its point, or after a moment by chance."""
        world = self.world
        if spec.orders.at:
            deadline = monotonic() + 20
            while not reached.exists() and command.poll() is None and monotonic() < deadline:
                sleep(0.002)
        else:
            sleep(chance.uniform(0.05, 1.2))
        try:
            FAULTS[spec.fault](world, chance)
        finally:
            reached.unlink(missing_ok=True)

    def _note(self, command: Fork) -> None:
        if command.status == 0 and "{" in command.output:
            said: dict[str, Any] = json.loads(
                command.output[command.output.index("{") : command.output.rindex("}") + 1]
            )
            self.done.append(str(said["run_id"]))

    def _settle(self, spec: Spec, argv: list[str], move: str, wanted: str, outcome: Outcome) -> None:
        """Heal the world, and give the same command again until it has nothing left to do."""
        world, again, deadline = self.world, spec.again, monotonic() + self.patience.settle
        world.heal()
        world.wait_ready()
        last = ""
        for _ in range(ATTEMPTS):
            if not self._open_runs():
                if again is None and world.stage == wanted:
                    return
                if stop := who_takes_writes(world):
                    self._stops.append(stop)
                    if stop.problem:
                        return
            if monotonic() > deadline:
                break
            command = world.command(*argv, orders=self._orders(again or Orders()))
            world.wait(command, self.patience.command)
            self._note(command)
            again, last = None, command.output
            outcome.commands += 1
            outcome.died += command.status == -9
            if command.status == 5 and world.stage != wanted:
                argv[3] = self._plan(move)
            if command.status not in (0, -9):
                sleep(0.3)
        outcome.violations.append(("I12", f"the run does not come to its end: {last[-400:]}"))

    def _open_runs(self) -> list[str]:
        begun: dict[str, bool] = {}
        for entry in checker.read_journal(self.world.control):
            if entry.type == "run.begun":
                begun[entry.run_id] = True
            elif entry.type in ("run.done", "run.undone"):
                begun[entry.run_id] = False
        return [run for run, is_open in begun.items() if is_open]

    def _facts(self, spec: Spec, wanted: str, looks: list[Seen], since: int) -> Facts:
        world = self.world
        rests = world.rest(self.patience.rest)
        is_at_rest = rests and self._become_equal()
        account = world.cast.actors[0].account
        return Facts(
            operations=history.read(world.histories),
            legacy=books.read("legacy", world.legacy_url, account),
            modern=books.read("modern", world.modern_url, account),
            money=self.money,
            journal=checker.read_journal(world.control),
            head=checker.read_head(world.folder / "run" / "journal.head"),
            stage=world.stage,
            wanted_stage=wanted,
            looks=looks,
            stops=tuple(self._stops),
            clean=spec.is_clean,
            since=since,
            is_at_rest=is_at_rest,
            acknowledged_runs=tuple(self.done),
            before=world.references_at_start,
            entries_before=self._entries,
            last_commit_before=self._last_commit,
        )

    def _become_equal(self) -> bool:
        """Wait until both sides hold the same, twice in a row: nothing is under way any more."""
        world, deadline, before = self.world, monotonic() + self.patience.equal, ("",)
        while monotonic() < deadline:
            legacy = books.fingerprint(world.legacy_url, "legacy")
            modern = books.fingerprint(world.modern_url, "modern")
            if legacy == modern == before:
                return True
            before = legacy
            sleep(0.1)
        return False

    def _sometimes(self, facts: Facts) -> tuple[str, ...]:
        """Things that must happen in some runs, or the faults miss what they aim at."""
        found = []
        kinds = {entry.type for entry in facts.journal[-12:]}
        if "run.undone" in kinds:
            found.append("a run was undone")
        recent = [one for one in facts.operations if one.invoked.ns >= facts.since]
        if any(one.what == "unknown" and one.invoked.kind == "transfer" for one in recent):
            found.append("an outcome was unknown")
        keys = {posting.reference for posting in facts.home.postings}
        unknown = [one for one in recent if one.what == "unknown" and one.invoked.kind == "transfer"]
        if any(one.invoked.id in keys for one in unknown):
            found.append("an unknown transfer was posted")
        if any(one.invoked.id not in keys for one in unknown):
            found.append("an unknown transfer was not posted")
        if any(one.what == "fail" and one.invoked.kind == "transfer" for one in recent):
            found.append("a transfer was refused by a fence or a dead process")
        return tuple(found)


def _counted(facts: Facts, since: int) -> dict[str, int]:
    found = {"ok": 0, "fail": 0, "unknown": 0}
    for one in facts.operations:
        if one.invoked.ns >= since:
            found[one.what] = found.get(one.what, 0) + 1
    return found
