"""What an operator can ask of a running gateway, answered over all of its workers."""

from __future__ import annotations

import asyncio
import time
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import structlog

from config.errors import StranglerError, UnknownCapability
from gateway.lease import Order, must_stay
from gateway.metrics import merge
from gateway.routing.decision import homes_of
from gateway.supervision.certificates import Certificates
from gateway.supervision.child import Child
from gateway.supervision.in_force import TableInForce
from gateway.supervision.workers import Crew, Message

HOLD_SECONDS_MAX = 60.0
QUIET_POLL_SECONDS = 0.002
GAUGES: Mapping[str, Any] = {"connections": [], "held": {}, "in_flight_writes": {}, "gauges": []}
NOTHING_HELD: Mapping[str, Any] = {"holding": False, "cut_off": False, "held": 0, "in_flight": 0, "expires_in": 0.0}

_log = structlog.get_logger()


@dataclass(eq=False)
class ComparerDown(StranglerError):
    """The process that compares and keeps the verdicts does not answer."""

    reason: str

    @property
    def sentence(self) -> str:
        """That it is down, and why we think so."""
        return f"The comparer does not answer: {self.reason.rstrip('.')}."

    @property
    def hint(self) -> str:
        """It comes, or comes back, by itself."""
        return (
            "The gateway starts it when something is mirrored, and replaces it by itself; "
            "`strangler report` reads what is stored."
        )


class Operations:
    """The supervisor's knowledge: the table in force, the crews, the holds, the counts of workers that are gone."""

    def __init__(self, table: TableInForce, workers: Crew, comparer: Crew, apply: Callable[[], Message]) -> None:
        """`apply` puts a table that was accepted in force in the supervisor and gives the message for the children."""
        self.table_in_force = table
        self.workers = workers
        self.comparer = comparer
        self.is_draining = False
        self.certificates: Certificates | None = None
        self.healthy: Callable[[], dict[str, bool]] = dict  # of upstreams that are checked
        self._apply = apply
        self._reloading = asyncio.Lock()
        self._telling: set[asyncio.Task[None]] = set()
        self._orders: dict[str, Order] = {}
        self._snapshots: dict[int, Mapping[str, Any]] = {}
        self._gone: Mapping[str, Any] = merge(())
        workers.on_loss = self._remember

    @property
    def is_ready(self) -> bool:
        """Whether every worker has a table and takes requests."""
        return self.workers.is_whole and not self.is_draining

    async def reload(self) -> None:
        """Look at routes.yaml; where it changed and is valid, put it in force in every worker."""
        async with self._reloading:
            outcome = self.table_in_force.refresh()
            if outcome == "refused":
                path, problems = str(self.table_in_force.path), list(self.table_in_force.refused)
                _log.error("table.refused", path=path, problems=problems)
            if outcome != "accepted" and not self._is_behind():
                return
            do, fields = self._apply()
            # The comparer answers no client: nobody waits for it.
            telling = asyncio.get_running_loop().create_task(self._tell(self.comparer, do, fields))
            self._telling.add(telling)
            telling.add_done_callback(self._telling.discard)
            await self._tell(self.workers, do, fields)
            _log.info("table.in_force", digest=self.table_in_force.digest, path=str(self.table_in_force.path))

    def _is_behind(self) -> bool:
        """Whether a worker works with another table: it was too busy to answer when it was told."""
        members = [child for child in self.workers.members if child is not None and child.is_ready]
        return any(child.digest != self.table_in_force.digest for child in members)

    async def _tell(self, crew: Crew, do: str, fields: Mapping[str, Any]) -> None:
        for answer in await crew.call_all(do, fields):
            if answer.error:
                _log.warning("table.not_swapped", pid=answer.pid, reason=answer.error)

    async def foresee(self, raw: bytes) -> dict[str, Any]:
        """Read what routes.yaml will be in a moment, here and in every worker, so that the change itself is quick."""
        async with self._reloading:
            routes = await asyncio.to_thread(self.table_in_force.foresee, raw)
            fields = {"content": raw.decode(), "origin": str(self.table_in_force.path)}
            await self._tell(self.workers, "foresee", fields)
        return {"digest": routes.digest}

    async def table(self) -> dict[str, Any]:
        """The table in force, per worker; never older than the file is now."""
        await self.reload()
        members = [child for child in self.workers.members if child is not None]
        return {
            "digest": self.table_in_force.digest,
            "path": str(self.table_in_force.path),
            "refused": list(self.table_in_force.refused),
            "workers": [{"pid": child.pid, "digest": child.digest} for child in members],
        }

    async def capabilities(self) -> dict[str, Any]:
        """Stage, percent, holds and requests of every capability."""
        holds = await self._holds_of_workers()
        requests = self._requests_by_capability(await self.metrics())
        return {
            name: {
                "stage": one.stage,
                "percent": one.canary_percent,
                "held": sum(each.get(name, NOTHING_HELD)["held"] for each in holds if each is not None),
                "in_flight_writes": sum(
                    each.get(name, NOTHING_HELD)["in_flight"] for each in holds if each is not None
                ),
                "requests": requests.get(name, {}),
            }
            for name, one in self.table_in_force.routes.capabilities.items()
        }

    async def hold(self, capability: str, seconds: float, run: str = "", quiet_within: float = 0.0) -> dict[str, Any]:
        """Hold new writes of the capability in every worker, for a bounded time; again prolongs it.

        The answer comes when none is in flight any more, or when `quiet_within` seconds have passed: whoever waits for
        that asks once, and does not take processor time from the writes that it waits for.
        """
        self._must_know(capability)
        now = time.monotonic()
        order = self._orders[capability] = Order(capability, now + seconds, run, self._homes[capability])
        await self.workers.call_all(*order.message(now))
        _log.info("hold.began", capability=capability, seconds=seconds, run=run)
        while True:
            state = await self.hold_state(capability)
            is_quiet = state["acknowledged"] and not state["in_flight"]
            if is_quiet or time.monotonic() >= now + quiet_within:
                return state
            await asyncio.sleep(QUIET_POLL_SECONDS)

    async def release(self, capability: str, home: str = "") -> dict[str, Any]:
        """Let the writes go that are held, if our table sends them to that home, where one is named.

        What a run says can arrive late: at a gateway that was stopped, has the old table, and must not follow it.
        """
        self._must_know(capability)
        if home and self._homes[capability] != home:
            _log.warning("hold.kept", capability=capability, home=home, reason="the table in force has another home")
            return await self.hold_state(capability)
        self._orders.pop(capability, None)
        answers = await self.workers.call_all("release", {"capability": capability})
        _log.info("hold.released", capability=capability)
        if any(answer.error for answer in answers):
            return await self.hold_state(capability)
        return {**NOTHING_HELD, "acknowledged": False}  # the workers are busy now with what they let go

    async def hold_state(self, capability: str) -> dict[str, Any]:
        """Held and in flight over all workers; acknowledged when every one of them is there and holds."""
        self._must_know(capability)
        each = await self._holds_of_workers()
        states = [NOTHING_HELD if one is None else one.get(capability, NOTHING_HELD) for one in each]
        holding = [state for state in states if state["holding"]]
        return {
            "holding": bool(holding),
            "cut_off": any(state["cut_off"] for state in states),
            "held": sum(state["held"] for state in states),
            "in_flight": sum(state["in_flight"] for state in states),
            "acknowledged": len(holding) == len(states),
            "expires_in": min((state["expires_in"] for state in holding), default=0.0),
        }

    def holds_in_force(self) -> list[Message]:
        """What a worker that joins now must be told, so that a hold has no hole."""
        now, homes = time.monotonic(), self._homes
        self._orders = {name: order for name, order in self._orders.items() if not order.is_over(now, homes)}
        return [order.message(now) for order in self._orders.values()]

    async def end_leases(self, folder: Path) -> None:
        """Release what a run's hold left behind, where the control database says that it cannot move the home."""
        now, routes = time.monotonic(), self.table_in_force.routes
        for order in [order for order in self._orders.values() if order.run and now >= order.until]:
            if order.capability not in self._homes:
                del self._orders[order.capability]  # routes.yaml does not know it any more, and neither does a route
            elif order.is_over(now, self._homes) or not await asyncio.to_thread(must_stay, routes, folder, order):
                _log.warning("hold.settled", capability=order.capability, run=order.run)
                await self.release(order.capability)

    @property
    def _homes(self) -> dict[str, str]:
        return homes_of(self.table_in_force.routes)

    async def metrics(self) -> dict[str, Any]:
        """One snapshot for all workers, those included that are gone: a counter never goes back."""
        members = [child for child in self.workers.members if child is not None]
        answers = await self.workers.call_all("metrics")
        for answer in answers:
            if answer.pid is not None and answer.reply is not None:
                self._snapshots[answer.pid] = _snapshot_in(answer.reply)
        known = [self._snapshots[child.pid] for child in members if child.pid in self._snapshots]
        return merge((self._gone, *known))

    async def shadow(self, capability: str) -> dict[str, Any]:
        """The accounting of the comparison and what its gate reads. Raises ComparerDown."""
        self._must_know(capability)
        (answer,) = await self.comparer.call_all("summary", {"capability": capability})
        if answer.reply is None:
            raise ComparerDown(answer.error or "no reason given")
        summary: dict[str, Any] = answer.reply["summary"]
        return summary

    def _must_know(self, capability: str) -> None:
        known = self.table_in_force.routes.capabilities
        if capability not in known:
            raise UnknownCapability(capability, tuple(known))

    async def _holds_of_workers(self) -> list[dict[str, Any] | None]:
        """What each worker says of its holds; None for one that did not answer."""
        answers = await self.workers.call_all("holds")
        return [None if answer.reply is None else _holds_in(answer.reply) for answer in answers]

    def _remember(self, child: Child) -> None:
        snapshot = self._snapshots.pop(child.pid, None)
        if snapshot is not None:
            self._gone = merge((self._gone, {**snapshot, **GAUGES}))

    def _requests_by_capability(self, snapshot: Mapping[str, Any]) -> dict[str, dict[str, dict[str, int]]]:
        """Capability to side to status class to count."""
        homes = {route.name: route.capability for route in self.table_in_force.routes.routes}
        found: dict[str, dict[str, Counter[str]]] = {}
        for row in snapshot["requests"]:
            if home := homes.get(row["route"]):
                counts = Counter({name: count for name, count in row["classes"].items() if count})
                found.setdefault(home, {}).setdefault(row["side"], Counter()).update(counts)
        return {home: {side: dict(counts) for side, counts in sides.items()} for home, sides in found.items()}


def _snapshot_in(reply: Mapping[str, Any]) -> Mapping[str, Any]:
    snapshot: Mapping[str, Any] = reply.get("metrics", reply)
    return snapshot


def _holds_in(reply: Mapping[str, Any]) -> dict[str, Any]:
    holds: dict[str, Any] = reply.get("holds", reply)
    return holds
