"""The demo from its first process to its proof: the one file that knows the order of things.

    build      two PostgreSQL servers, the seeded monolith, the ledger, the facade, the gateway     (world.py)
    legacy     clients come; both streams start and copy the tables while they write; a batch job runs
    shadow     every read is asked of both sides, every write tried on modern and rolled back, until the gate passes
    canary     10, 50, 100 % of customers are read from modern; whoever has just written is served by legacy until the
               change has arrived
    cutover    refused once, because the batch job writes behind the gateway; two people waive it; then the writes move
    modern     the batch job is refused by the fence, legacy follows through the reverse stream
    back       the same run with the roles exchanged; then forward again
    proof      the clients stop, both streams drain, and every claim is checked in both databases    (proof.py)

Nothing is waited for by the clock: each part ends when the traffic it needs has been seen. Whatever happens, every
process and both servers are ended; an error of the product ends the story early, and the proof is still made.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from decimal import Decimal
from threading import Thread
from time import monotonic, sleep
from typing import Any

import httpx
import msgspec

from config.errors import StranglerError
from runbook.demo import sabotage as sabotages
from runbook.demo.clients import Progress
from runbook.demo.operation import Operation, read_history
from runbook.demo.phases import Phases, read_counts
from runbook.demo.proof import (
    Books,
    Check,
    Pause,
    check_money,
    check_own_writes,
    check_pause,
    check_requests,
    check_transfers,
    measure_pause,
    read_legacy,
    read_modern,
)
from runbook.demo.result import Result
from runbook.demo.screen import Screen
from runbook.demo.steps import Runbook
from runbook.demo.world import World, start_clients, start_streams

PAUSE_LIMIT_MS = 1_000.0
LEGACY_REQUESTS, MODERN_READS, MODERN_WRITES = 300, 60, 40
PART_SECONDS, SHADOW_SECONDS = 30.0, 60.0


@dataclass(eq=False)
class PartTookTooLong(StranglerError):
    """A part of the demo did not see what it waits for."""

    what: str
    seconds: float

    @property
    def sentence(self) -> str:
        """What it waited for, and for how long."""
        return f"The demo waited {self.seconds:.0f} s for {self.what}."


@dataclass
class Story:
    """One telling; `tell` runs it and returns the result."""

    world: World
    screen: Screen
    sabotage: sabotages.Sabotage | None = None
    pauses: list[tuple[str, float, float]] = field(default_factory=list)
    extra: list[Check] = field(default_factory=list)
    damage: str = ""
    progress: Progress = field(default_factory=Progress)

    def __post_init__(self) -> None:
        self.began = monotonic()
        self.phases = Phases(self.world.admin)
        self.runbook = Runbook(self.world, self.screen.say)
        self.at_start: dict[str, Books] = {}

    def tell(self) -> tuple[Result, list[Operation]]:
        """Run every part, then the proof. An error of the product becomes a check that does not hold."""
        self.at_start["legacy"] = read_legacy(self.world.legacy_url)
        try:
            self._move()
        except StranglerError as error:
            self.extra.append(Check("the story was told to its end", ok=False, detail=str(error)))
            self.screen.say(f"stopped: {error}")
        self.phases.end()
        self.screen.say("the clients finish")
        self.world.processes.stop("clients")
        return self._prove()

    def _move(self) -> None:
        self._legacy()
        self._shadow()
        self._canary()
        if self.sabotage == "flip-before-drain":
            self._flip()
            return
        self._cutover()
        self._modern()
        self._back_and_forward()

    def _legacy(self) -> None:
        self._begin("legacy")
        start_clients(self.world)
        Thread(target=self._listen, daemon=True).start()
        self.screen.say("starting both streams; the tables are copied while clients write")
        start_streams(self.world)
        self.screen.say("both streams run; the reverse stream exists before anybody needs it")
        self._batch(expect_refusal=False)
        self._until(lambda: self.progress.requests >= LEGACY_REQUESTS, "requests")

    def _shadow(self) -> None:
        self.runbook.advance()
        self._begin("shadow")
        self._batch(expect_refusal=False)
        self.runbook.verify("while clients write")
        self.runbook.until_gate_passes(SHADOW_SECONDS, self.world.processes.check)

    def _canary(self) -> None:
        for percent in (10, 50, 100):
            self.runbook.advance(percent=percent)
            self._begin(f"canary {percent} %")
            self._until_answered("modern", MODERN_READS)

    def _cutover(self) -> None:
        self.runbook.verify("before the cutover")
        refused = self.runbook.expect_blocked("writers", names="corebank-batch")
        self.extra.append(Check("a writer behind the gateway blocks the cutover", *refused))
        self.runbook.waive("writers", "the batch job is stopped by the fence from the cutover on")
        self._timed("cutover", self.runbook.advance)
        self._begin("modern")

    def _modern(self) -> None:
        self._batch(expect_refusal=True)
        self._until_answered("modern", MODERN_READS + MODERN_WRITES)

    def _back_and_forward(self) -> None:
        self.runbook.verify("before the way back")
        self._timed("way back", self.runbook.back)
        self._begin("canary 100 %", label="back in canary 100 %")
        self._until_answered("legacy", MODERN_WRITES)
        self.runbook.verify("before the second cutover")
        self._timed("second cutover", self.runbook.advance)
        self._begin("modern", label="modern again")
        self._until_answered("modern", MODERN_READS + MODERN_WRITES)

    def _flip(self) -> None:
        self.damage = sabotages.flip_before_drain(self.world)
        self.screen.say(f"sabotage: {self.damage}")
        seen = self.progress.failed
        self._until(lambda: self.progress.failed > seen, "the damage to be seen by a client")

    def _timed(self, name: str, move: Callable[[], None]) -> None:
        """Make a move and remember when it was under way, so that the clients' waits in it can be measured."""
        began = monotonic()
        move()
        self.pauses.append((name, began, monotonic()))

    def _begin(self, stage: str, label: str = "") -> None:
        self.phases.begin(label or stage)
        self.screen.stage(stage)

    def _batch(self, *, expect_refusal: bool) -> None:
        """Run the monolith's interest job, which writes to the database and not through the routes."""
        answer = httpx.post(f"{self.world.gateway}/sys/job/INTCALC", timeout=30.0, trust_env=False).json()
        if expect_refusal:
            refused = answer["rc"] != "0"
            detail = f"return code {answer['rc']}, {answer.get('postings', 0)} postings"
            self.extra.append(Check("the fence refuses the batch job while modern is home", refused, detail))
        elif answer["rc"] != "0":
            self.extra.append(Check("the batch job runs while legacy is home", ok=False, detail=f"rc {answer['rc']}"))
        self.screen.say(f"batch job INTCALC: return code {answer['rc']}, {answer.get('postings', 0)} postings")

    def _listen(self) -> None:
        """Read the clients' figures as long as they talk."""
        stdout = self.world.processes.children["clients"].process.stdout
        decode = msgspec.json.Decoder(Progress).decode
        for line in stdout or ():
            self.progress = decode(line)
            self.screen.progress(self.progress)

    def _until_answered(self, side: str, number: int) -> None:
        """Wait until that side has answered so many requests since the part began."""
        before = _answered(self.world.admin, side)
        self._until(lambda: _answered(self.world.admin, side) - before >= number, f"{number} answers by {side}")

    def _until(self, condition: Callable[[], bool], what: str, seconds: float = PART_SECONDS) -> None:
        deadline = monotonic() + seconds
        while not condition():
            self.world.processes.check()
            if monotonic() > deadline:
                raise PartTookTooLong(what, seconds)
            sleep(0.1)

    def _prove(self) -> tuple[Result, list[Operation]]:
        streams = self._drain()
        if self.sabotage in sabotages.AT_THE_END:
            self.damage = sabotages.AT_THE_END[self.sabotage](self.world)
            self.screen.say(f"sabotage: {self.damage}")
        self.screen.say("reading both databases")
        comparison, verdicts = self.runbook.comparison()
        history = list(read_history(self.world.history))
        pauses = tuple(measure_pause(name, history, began, ended) for name, began, ended in self.pauses)
        checks = (*self.extra, *self._checks(history, pauses), *verdicts, *self.runbook.final_checks())
        result = Result(
            ok=all(check.ok for check in checks),
            seconds=monotonic() - self.began,
            requests=len(history),
            transfers=sum(one.writes for one in history),
            failed=sum(one.outcome in ("failed", "unknown") for one in history),
            checks=checks,
            phases=tuple(self.phases.all),
            pauses=pauses,
            comparison=comparison,
            streams=streams,
            sabotage=self.damage,
        )
        return result, history

    def _drain(self) -> dict[str, Any]:
        try:
            return self.runbook.drain(PART_SECONDS)
        except StranglerError as error:
            self.extra.append(Check("both streams drained", ok=False, detail=str(error)))
            return {}

    def _checks(self, history: list[Operation], pauses: tuple[Pause, ...]) -> tuple[Check, ...]:
        legacy, modern = read_legacy(self.world.legacy_url), read_modern(self.world.modern_url)
        money: dict[str, Decimal] = dict(self.at_start["legacy"].money)
        expected = () if self.sabotage else tuple(check_pause(pause, PAUSE_LIMIT_MS) for pause in pauses)
        return (
            check_requests(history),
            *check_transfers(history, modern),
            *check_transfers(history, legacy),
            *check_money(modern, money),
            *check_money(legacy, money),
            check_own_writes(history),
            *expected,
        )


def _answered(admin: str, side: str) -> int:
    return sum(number for (name, _), number in read_counts(admin).items() if name == side)
