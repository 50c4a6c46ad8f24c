"""Twenty bank clients that never stop: they read balances and statements, post transfers and check what they wrote.

Run as a process of its own: `python -m runbook.demo.clients CAST HISTORY GATEWAY`. Every operation becomes a line of
the history; a summary goes to stdout four times a second. SIGTERM lets every client finish its request and ends with 0.
A client never repeats a transfer: what it does not know it writes down as unknown.
"""

from __future__ import annotations

import asyncio
import random
import signal
import sys
from collections import deque
from dataclasses import dataclass, field
from decimal import Decimal
from pathlib import Path
from time import monotonic
from typing import Any, BinaryIO
from uuid import uuid4

import httpx
import msgspec

from runbook.demo.cast import Actor, Cast
from runbook.demo.operation import Kind, Operation, Outcome

THINK_SECONDS = 0.16  # with 20 clients about a hundred requests a second, which two cores carry with all databases
TIMEOUT_SECONDS = 15.0
SUMMARY_SECONDS = 0.25
RECENT = 400
REFUSED_CODES = ("14", "20", "51")
decode = msgspec.json.Decoder(float_hook=Decimal).decode


class Progress(msgspec.Struct):
    """The line on stdout: counts since the start, and percentiles in milliseconds of the last requests."""

    requests: int = 0
    failed: int = 0
    transfers: int = 0
    stale_reads: int = 0
    p50_ms: float = 0.0
    p99_ms: float = 0.0
    per_second: float = 0.0


@dataclass
class Recorder:
    """Writes the history and counts."""

    history: BinaryIO
    progress: Progress = field(default_factory=Progress)
    recent: deque[float] = field(default_factory=lambda: deque(maxlen=RECENT))

    def add(self, operation: Operation) -> None:
        """Write one operation down, at once, so that a kill loses none that was answered."""
        self.history.write(msgspec.json.encode(operation) + b"\n")
        self.history.flush()
        self.recent.append(operation.seconds)
        self.progress.requests += 1
        self.progress.failed += operation.outcome in ("failed", "unknown")
        self.progress.transfers += operation.writes
        self.progress.stale_reads += operation.detail.startswith("stale")

    def summary(self, seconds: float, before: int) -> bytes:
        """The line for stdout."""
        ordered = sorted(self.recent) or [0.0]
        self.progress.p50_ms = ordered[len(ordered) // 2] * 1000
        self.progress.p99_ms = ordered[int(len(ordered) * 0.99)] * 1000
        self.progress.per_second = (self.progress.requests - before) / seconds
        return msgspec.json.encode(self.progress) + b"\n"


@dataclass
class Client:
    """One client: its own account, and what it did last."""

    number: int
    actor: Actor
    cast: Cast
    http: httpx.AsyncClient
    recorder: Recorder
    chance: random.Random

    async def run(self, stop: asyncio.Event) -> None:
        """Do one thing after another until told to stop; a request that has begun is always finished."""
        while not stop.is_set():
            dice = self.chance.random()
            if dice < 0.62:
                await self.read_somebody()
            elif dice < 0.95:
                reference = await self.transfer()
                if reference:
                    await self.read_own_write(reference)
            else:
                await self.transfer_that_is_refused()
            await _wait(stop, self.chance.uniform(0.5, 1.5) * THINK_SECONDS)

    async def read_somebody(self) -> None:
        """Read the balance, the statement or the list of accounts of a customer chosen by chance."""
        customer, account = self.chance.choice(self.cast.readable)
        path = self.chance.choice((f"/accounts/{account}", f"/accounts/{account}/statement"))
        if self.chance.random() < 0.2:
            path = f"/customers/{customer}/accounts"
        began = monotonic()
        answer, problem = await self._call("GET", path, customer)
        expected = answer is not None and answer.get("rc") == "00"
        self._add(
            "read", account, began, "ok" if expected else "failed", detail="" if expected else _what(answer, problem)
        )

    async def transfer(self) -> str:
        """Pay somebody a small amount; returns the reference when it was acknowledged."""
        payee = self.chance.choice(self.cast.payees[self.actor.currency])
        return await self._post("transfer", payee, f"{self.chance.randint(1, 500) / 100:.2f}")

    async def transfer_that_is_refused(self) -> None:
        """Ask for what the bank must refuse: an unknown payee, a blocked one, more money than there is."""
        blocked = self.cast.blocked.get(self.actor.currency, ())
        stranger = self.chance.choice(self.cast.payees[self.actor.currency])
        payee, amount = self.chance.choice([("9999999999", "1.00"), (stranger, "9000000.00")])
        if blocked and self.chance.random() < 0.4:
            payee, amount = self.chance.choice(blocked), "1.00"
        await self._post("refused transfer", payee, amount)

    async def read_own_write(self, reference: str) -> None:
        """The statement that is read right after a transfer must show it, whoever answers."""
        began = monotonic()
        answer, problem = await self._call("GET", f"/accounts/{self.actor.account}/statement", self.actor.customer)
        if answer is None or answer.get("rc") != "00":
            self._add("read own writes", self.actor.account, began, "failed", detail=_what(answer, problem))
            return
        found = any(item["ref"] == reference for item in answer["items"])
        detail = "" if found else "stale: the statement lacks the transfer that was just acknowledged"
        self._add("read own writes", self.actor.account, began, "ok", reference=reference, detail=detail)

    async def _post(self, kind: Kind, payee: str, amount: str) -> str:
        reference, account = str(uuid4()), self.actor.account
        body = {"ref": reference, "to": payee, "amt": amount, "txt": "demo"}
        began = monotonic()
        answer, problem = await self._call("POST", f"/accounts/{account}/transfers", self.actor.customer, body)
        code = "" if answer is None else str(answer.get("rc", ""))
        outcome: Outcome = "failed"
        if kind == "transfer" and code == "00":
            outcome = "ok"
        elif kind == "refused transfer" and code in REFUSED_CODES:
            outcome = "refused"
        elif answer is None and "before it was sent" not in problem:
            outcome = "unknown"
        detail = "" if outcome in ("ok", "refused") else _what(answer, problem)
        self._add(kind, account, began, outcome, reference=reference, payee=payee, amount=amount, detail=detail)
        return reference if outcome == "ok" else ""

    async def _call(
        self, method: str, path: str, customer: str, body: dict[str, str] | None = None
    ) -> tuple[dict[str, Any] | None, str]:
        """The decoded answer, or None and what went wrong. Only 200 is ever answered by this bank."""
        try:
            answer = await self.http.request(method, path, json=body, headers={"X-Customer-Id": customer})
        except httpx.ConnectError:
            return None, "no connection, before it was sent"
        except httpx.HTTPError as error:
            return None, f"{type(error).__name__}"
        if answer.status_code != 200:
            return None, f"status {answer.status_code}"
        try:
            return decode(answer.content), ""
        except msgspec.DecodeError:
            return None, "an answer that is not JSON"

    def _add(self, kind: Kind, account: str, began: float, outcome: Outcome, **facts: str) -> None:
        seconds = monotonic() - began
        self.recorder.add(
            Operation(
                kind=kind, client=self.number, account=account, began=began, seconds=seconds, outcome=outcome, **facts
            )
        )


def _what(answer: dict[str, Any] | None, problem: str) -> str:
    return problem if answer is None else f"return code {answer.get('rc')}"


async def _wait(stop: asyncio.Event, seconds: float) -> None:
    """A client's time to think, cut short when the run ends."""
    try:
        await asyncio.wait_for(stop.wait(), seconds)
    except TimeoutError:
        return


async def _summarise(recorder: Recorder, stop: asyncio.Event) -> None:
    while not stop.is_set():
        before = recorder.progress.requests
        await _wait(stop, SUMMARY_SECONDS)
        sys.stdout.buffer.write(recorder.summary(SUMMARY_SECONDS, before))
        sys.stdout.buffer.flush()


async def run(cast: Cast, history: Path, gateway: str) -> None:
    """Run every client of the cast against the gateway until SIGTERM or SIGINT."""
    stop = asyncio.Event()
    for name in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(name, stop.set)
    connections = len(cast.actors) * 2
    limits = httpx.Limits(max_connections=connections, max_keepalive_connections=connections)
    http = httpx.AsyncClient(base_url=gateway, timeout=TIMEOUT_SECONDS, limits=limits, trust_env=False)
    with history.open("ab") as file:
        recorder = Recorder(file)
        async with http, asyncio.TaskGroup() as group:
            group.create_task(_summarise(recorder, stop))
            for number, actor in enumerate(cast.actors):
                chance = random.Random(number)  # noqa: S311  reproducible load, not a secret
                group.create_task(Client(number, actor, cast, http, recorder, chance).run(stop))


if __name__ == "__main__":
    asyncio.run(run(Cast.load(Path(sys.argv[1])), Path(sys.argv[2]), sys.argv[3]))
