"""Bank clients with a history on disk: `python -m tests.kill.clients CAST HISTORY GATEWAY STATE`.

Every operation is written down before it is sent and when its outcome is known. ok: acknowledged. fail: the bank said
no, or nothing was sent. unknown: everything else. A transfer is never sent twice: the monolith would book it twice.
SIGUSR1 lets every client finish and wait, SIGUSR2 lets them go on; STATE says which.
"""

from __future__ import annotations

import asyncio
import random
import signal
import sys
from decimal import Decimal
from pathlib import Path
from time import monotonic_ns
from typing import Any, BinaryIO
from uuid import uuid4

import httpx
import msgspec

from runbook.demo.cast import Actor, Cast
from tests.kill.history import Kind, Line

TIMEOUT_SECONDS = 15.0
REFUSED = ("14", "20", "51")
decode = msgspec.json.Decoder(float_hook=Decimal).decode


class Crowd:
    """All clients of this process."""

    def __init__(self, cast: Cast, history: BinaryIO, http: httpx.AsyncClient, state: Path, think: float) -> None:
        self.cast, self.history, self.http, self.state, self.think = cast, history, http, state, think
        self.go = asyncio.Event()
        self.go.set()
        self.busy = 0

    def pause(self) -> None:
        self.go.clear()
        self.tell()

    def resume(self) -> None:
        self.go.set()
        self.tell()

    def tell(self) -> None:
        """Say whether all rest; written beside and renamed, so that it is never read half."""
        beside = self.state.with_suffix(".new")
        beside.write_text("running" if self.go.is_set() else ("finishing" if self.busy else "resting"))
        beside.replace(self.state)

    def note(self, line: Line) -> None:
        self.history.write(msgspec.json.encode(line) + b"\n")
        self.history.flush()

    async def live(self, number: int, actor: Actor) -> None:
        chance = random.Random(f"{number} {self.history.name}")
        session = f"{number}@{Path(self.history.name).stem}"
        while True:
            await self.go.wait()
            self.busy += 1
            try:
                await self.one_turn(session, actor, chance)
            finally:
                self.busy -= 1
                if not self.go.is_set():
                    self.tell()
            await asyncio.sleep(chance.uniform(0.5, 1.5) * self.think)

    async def one_turn(self, session: str, actor: Actor, chance: random.Random) -> None:
        dice = chance.random()
        if dice < 0.55:
            payee = chance.choice(self.cast.payees[actor.currency])
            await self.transfer(session, actor, "transfer", payee, f"{chance.randint(1, 300) / 100:.2f}")
            if chance.random() < 0.5:
                await self.look(session, actor.customer, actor.account)
            await self.own_statement(session, actor)
        elif dice < 0.62:
            await self.transfer(session, actor, "refused", "9999999999", "1.00")
        else:
            customer, account = chance.choice(self.cast.readable)
            await self.look(session, customer, account)

    async def transfer(self, session: str, actor: Actor, kind: Kind, payee: str, amount: str) -> None:
        line = Line("invoke", str(uuid4()), monotonic_ns(), kind, session, actor.account, payee, amount)
        self.note(line)
        body = {"ref": line.id, "to": payee, "amt": amount, "txt": "kill"}
        answer, problem, was_sent = await self.call("POST", f"/accounts/{actor.account}/transfers", actor, body)
        done = Line("unknown", line.id, monotonic_ns(), detail=problem)
        if answer is not None:
            code = str(answer.get("rc", ""))
            done.what = "ok" if code == "00" else ("fail" if code in REFUSED else "unknown")
            done.detail = f"rc {code}"
            done.wrong_answer = answer.get("ref", line.id) != line.id
        elif not was_sent:
            done.what = "fail"
        self.note(done)

    async def own_statement(self, session: str, actor: Actor) -> None:
        line = Line("invoke", str(uuid4()), monotonic_ns(), "own", session, actor.account)
        self.note(line)
        path = f"/accounts/{actor.account}/statement"
        answer, problem, _ = await self.call("GET", path, actor)
        done = Line("fail", line.id, monotonic_ns(), detail=problem)
        if answer is not None and answer.get("rc") == "00":
            done.what = "ok"
            done.seen = tuple(item["ref"] for item in answer["items"])
            done.wrong_answer = answer.get("acctNo") != actor.account
        self.note(done)

    async def look(self, session: str, customer: str, account: str) -> None:
        line = Line("invoke", str(uuid4()), monotonic_ns(), "read", session, account)
        self.note(line)
        answer, problem, _ = await self.call("GET", f"/accounts/{account}", Actor(customer, account, ""))
        done = Line("fail", line.id, monotonic_ns(), detail=problem)
        if answer is not None and answer.get("rc") == "00":
            done.what = "ok"
            done.wrong_answer = answer.get("acctNo") != account or answer.get("custNo") != customer
        self.note(done)

    async def call(
        self, method: str, path: str, actor: Actor, body: dict[str, str] | None = None
    ) -> tuple[dict[str, Any] | None, str, bool]:
        """The decoded answer or what went wrong, and whether anything can have reached the bank."""
        try:
            answer = await self.http.request(method, path, json=body, headers={"X-Customer-Id": actor.customer})
        except httpx.ConnectError:
            return None, "no connection", False
        except httpx.HTTPError as error:
            return None, type(error).__name__, True
        if answer.status_code != 200:
            return None, f"status {answer.status_code}", True
        try:
            return decode(answer.content), "", True
        except msgspec.DecodeError:
            return None, "not JSON", True


async def run(cast: Cast, history: Path, gateway: str, state: Path, think: float) -> None:
    limits = httpx.Limits(max_connections=64, max_keepalive_connections=64)
    http = httpx.AsyncClient(base_url=gateway, timeout=TIMEOUT_SECONDS, limits=limits, trust_env=False)
    with history.open("ab") as file:
        crowd = Crowd(cast, file, http, state, think)
        loop = asyncio.get_running_loop()
        loop.add_signal_handler(signal.SIGUSR1, crowd.pause)
        loop.add_signal_handler(signal.SIGUSR2, crowd.resume)
        crowd.tell()
        async with http, asyncio.TaskGroup() as group:
            for number, actor in enumerate(cast.actors):
                group.create_task(crowd.live(number, actor))


if __name__ == "__main__":
    arguments = [Path(sys.argv[2]), sys.argv[3], Path(sys.argv[4]), float(sys.argv[5])]
    asyncio.run(run(Cast.load(Path(sys.argv[1])), *arguments))
