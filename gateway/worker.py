"""One event loop that serves: listener, pools, the table in force, and the control channel to the supervisor."""

from __future__ import annotations

import argparse
import asyncio
import gc
import os
import socket
import sys
from collections import Counter
from collections.abc import Callable, Sequence
from pathlib import Path
from time import monotonic
from typing import TYPE_CHECKING, Any

import structlog
import uvloop

from config.model import Routes
from config.reader import parse_routes
from config.serving import Tls
from gateway.access_log import AccessLog
from gateway.control import Control, Message
from gateway.downstream import Downstream
from gateway.exchange import Exchange
from gateway.freshness import AlwaysFresh, Freshness, ReadYourWrites
from gateway.gauges import gauges_of
from gateway.hold import Holds
from gateway.limits import Limits
from gateway.listener import Listener
from gateway.listening import Address, parse_address
from gateway.metrics import Metrics, rows_of
from gateway.mirroring.comparer_link import ComparerLink
from gateway.mirroring.eligible import Eligible
from gateway.mirroring.mirror import Mirror
from gateway.observed import ObservedExchange, StampedExchange
from gateway.pool import Pool
from gateway.routing.decision import homes_of
from gateway.routing.table import Table, compile_table
from gateway.subject import secret_of
from gateway.wire.identity import Networks

if TYPE_CHECKING:
    from gateway.idempotency.claim import Answers
    from gateway.spans import Spans

log = structlog.get_logger()


class Worker:
    """Everything that the exchanges of one process share."""

    def __init__(self, mirror_link: ComparerLink, freshness: ReadYourWrites, run: Path, limits: Limits) -> None:
        """`run` is the gateway's runtime directory. Raises what `secret_of` does."""
        self.limits = limits
        self.freshness = freshness
        self.metrics = Metrics()
        self.holds = Holds(limits)
        eligible = Eligible(run, mirror_link.name)
        self.mirror = Mirror(mirror_link, self.metrics, limits, secret_of(run, os.environ), eligible)
        self.pools: dict[str, Pool] = {}
        self.table: Table
        self.trusted_proxies: Networks = ()
        self.downstreams: set[Downstream] = set()
        self.orphans: set[Exchange] = set()
        self.ill: set[str] = set()  # upstreams whose health check fails
        self.is_draining = False
        self.exchange: type[Exchange] = Exchange
        self.access_log: AccessLog | None = None
        self.spans: Spans | None = None
        self.answers: Answers | None = None
        self.port = 0
        self._clients: Counter[str] = Counter()
        self._retired: list[Pool] = []
        self._listener: Listener | None = None
        self._timer: asyncio.TimerHandle | None = None

    def put_table(self, routes: Routes) -> None:
        """Put a table in force, whole; running exchanges keep what they have. Upstreams that did not change stay."""
        table = compile_table(routes)
        self.freshness.cover(tuple(routes.capabilities))
        pools: dict[str, Pool] = {}
        for name, settings in routes.upstreams.items():
            known = self.pools.get(name)
            pools[name] = known if known and known.settings == settings else Pool(name, settings, self.limits)
        for name, pool in self.pools.items():
            if pools.get(name) is not pool:
                pool.shut()
                self._retired.append(pool)
        self.mirror.put_table(table)
        self.holds.put_homes(homes_of(routes))
        self.trusted_proxies = routes.gateway.trusted_proxies
        self.pools = pools
        self.table = table
        self.exchange = self._exchange_class()
        for name in self.ill & pools.keys():
            pools[name].eject(is_ejected=True)

    def observe(self, routes: Routes) -> None:
        """Tell the observers that routes.yaml asks for of every request. Raises OSError."""
        settings = routes.gateway
        if settings.access_log is not None:
            self.access_log = AccessLog(settings.access_log.file)
            self.access_log.start()
        if settings.tracing is not None:  # imported only where it is asked for: it costs 12 MiB
            from gateway.spans import Spans

            self.spans = Spans(settings.tracing)
        self.exchange = self._exchange_class()

    def _exchange_class(self) -> type[Exchange]:
        """A class for what is asked for, so that nobody pays for what is not."""
        if any(plan.cookie is not None for plan in self.table.by_name.values()):
            return StampedExchange
        return ObservedExchange if self.access_log is not None or self.spans is not None else Exchange

    async def listen(self, address: Address, tls: Tls | None) -> None:
        """Accept connections. Raises CertificateUnusable."""
        self._listener = Listener(lambda: Downstream(self), tls, self.limits.header_seconds)
        self.port = await self._listener.open(address)
        self._sweep()

    async def renew_certificates(self) -> None:
        """Everything that is opened from now on uses what the files hold now. Raises CertificateUnusable."""
        if self._listener is not None:
            await self._listener.renew()
        for pool in (*self.pools.values(), *self.mirror.pools):
            await asyncio.to_thread(pool.renew_certificates)

    def set_health(self, upstream: str, *, is_well: bool) -> None:
        """Leave an upstream alone while its health check fails."""
        (self.ill.discard if is_well else self.ill.add)(upstream)
        if upstream in self.pools:
            self.pools[upstream].eject(is_ejected=not is_well)

    def admit(self, downstream: Downstream) -> bool:
        """Whether a client may have one more connection."""
        self._clients[downstream.host] += 1
        self.downstreams.add(downstream)
        limit = self.limits.connections_per_client_max
        if self._clients[downstream.host] > limit and not downstream.peer.is_trusted:
            self.metrics.problems["too_many_connections"] += 1
            return False
        return True

    def dismiss(self, downstream: Downstream) -> None:
        """A client's connection is gone."""
        self.downstreams.discard(downstream)
        self._clients[downstream.host] -= 1
        if not self._clients[downstream.host]:
            del self._clients[downstream.host]

    def _sweep(self) -> None:
        """The one timer of the data plane: coarse, so that no request pays for a timer of its own."""
        now = monotonic()
        for downstream in tuple(self.downstreams):
            downstream.sweep(now)
        for exchange in tuple(self.orphans):
            exchange.sweep(now)
        for pool in (*self.pools.values(), *self._retired):
            pool.sweep(now)
        self._retired = [pool for pool in self._retired if pool.open_count or pool.waiting]
        self.mirror.sweep(now)
        if self.answers is not None:
            self.answers.keeper.sweep(now)
        if self.access_log is not None:
            self.access_log.sweep()
        self._timer = asyncio.get_running_loop().call_later(self.limits.sweep_seconds, self._sweep)

    def snapshot(self) -> dict[str, Any]:
        """The metrics of this worker."""
        found = self.metrics.snapshot()
        found["connections"] = [
            {"upstream": name, "state": state, "count": count}
            for name, pool in self.pools.items()
            for state, count in pool.states().items()
        ]
        if self.answers is not None:
            found["counters"] += rows_of("strangler_idempotency", "outcome", self.answers.keeper.counts)
        if self.access_log is not None:
            found["counters"] += rows_of("strangler_access_log", "outcome", {"dropped": self.access_log.dropped})
        found["gauges"] += gauges_of(self.pools, self.mirror, self.holds, monotonic())
        found["held"] = {name: len(hold.waiting) for name, hold in self.holds.by_capability.items()}
        found["in_flight_writes"] = {name: hold.in_flight for name, hold in self.holds.by_capability.items()}
        return found

    async def drain(self, seconds: float) -> None:
        """Accept nothing more and finish what runs, for at most these seconds; then everything is closed."""
        self.is_draining = True
        if self._listener is not None:
            self._listener.close()
        self.mirror.hurry()
        deadline = monotonic() + seconds
        while monotonic() < deadline:
            for downstream in tuple(self.downstreams):
                downstream.drain()
            if not (self.downstreams or self.orphans or self.mirror.live):
                break
            await asyncio.sleep(0.01)
        self.mirror.close()
        for downstream in tuple(self.downstreams):
            downstream.transport.abort()
        for pool in self.pools.values():
            pool.shut()
        if self._timer is not None:
            self._timer.cancel()
        for close in self._closings():
            await asyncio.to_thread(close)
        await self.mirror.link.until_sent(deadline - monotonic())
        await asyncio.sleep(0)

    def _closings(self) -> list[Callable[[], object]]:
        answers, access_log, spans = self.answers, self.access_log, self.spans
        found: list[Callable[[], object]] = [answers.keeper.close] if answers is not None else []
        found += [one.close for one in (access_log, spans) if one is not None]
        return found


class WorkerControl(Control):
    """What the supervisor may ask of a worker."""

    def __init__(self) -> None:
        self.worker: Worker | None = None
        self._foreseen: Routes | None = None

    @property
    def _running(self) -> Worker:
        if self.worker is None:
            raise RuntimeError("the worker was not started")
        return self.worker

    async def do_start(self, message: Message) -> Message:
        """Read the table, listen."""
        routes = await asyncio.to_thread(_read, message["routes"], message.get("origin"))
        run = Path(message["run"])
        comparer = message.get("comparer")
        limits = Limits(**message.get("limits", {}))
        link = ComparerLink(Path(comparer) if comparer else None, limits.comparer_bytes_max)
        freshness: ReadYourWrites = AlwaysFresh()
        if message.get("freshness"):
            writer = int(message.get("index", 0))
            freshness = Freshness(Path(message["freshness"]), tuple(routes.capabilities), writer=writer)
        worker = Worker(link, freshness, run, limits)
        worker.put_table(routes)
        worker.observe(routes)
        if routes.gateway.idempotency is not None:  # where it is off, neither SQLAlchemy nor a thread costs memory
            from gateway.idempotency.claim import open_answers

            worker.answers = open_answers(routes, run)
        await worker.listen(parse_address(message["listen"]), routes.gateway.tls)
        self.worker = worker
        gc.collect()
        gc.freeze()
        return {"digest": routes.digest, "port": worker.port}

    async def do_foresee(self, message: Message) -> Message:
        """Read what routes.yaml will be in a moment; it is in force only when `do_table` finds it in the file."""
        raw, path = message["content"].encode(), Path(message["origin"])
        self._foreseen = await asyncio.to_thread(parse_routes, raw, path, os.environ)
        return {"foreseen": self._foreseen.digest}  # `digest` is what is in force

    async def do_wait(self, message: Message) -> Message:  # noqa: ARG002
        """Everything is loaded; `start` may come at any time."""
        return {}

    async def do_table(self, message: Message) -> Message:
        """Read another routes.yaml and put it in force; one that is not valid changes nothing."""
        routes = self._foreseen
        if routes is None or routes.digest != message.get("digest"):
            routes = await asyncio.to_thread(_read, message["path"], message.get("origin"))
        self._running.put_table(routes)
        return {"digest": routes.digest}

    async def do_certificates(self, message: Message) -> Message:  # noqa: ARG002
        """The files have changed: use what they hold now."""
        await self._running.renew_certificates()
        return {}

    async def do_health(self, message: Message) -> Message:
        """What the health check of an upstream says now."""
        self._running.set_health(message["upstream"], is_well=bool(message["well"]))
        return {}

    async def do_reopen(self, message: Message) -> Message:  # noqa: ARG002
        """Whoever rotates logs has moved the access log away."""
        if self._running.access_log is not None:
            self._running.access_log.reopen()
        return {}

    async def do_hold(self, message: Message) -> Message:
        """Hold a capability's writes."""
        self._running.holds.begin(message)
        return {}

    async def do_release(self, message: Message) -> Message:
        """Let them go."""
        self._running.holds.of(message["capability"]).release()
        return {}

    async def do_holds(self, message: Message) -> Message:  # noqa: ARG002
        """What is held and what is in flight."""
        for name in self._running.table.routes.capabilities:
            self._running.holds.of(name)
        return {"holds": self._running.holds.report()}

    async def do_metrics(self, message: Message) -> Message:  # noqa: ARG002
        """What was counted."""
        return {"metrics": self._running.snapshot()}

    async def drain(self, seconds: float) -> None:
        """Finish."""
        if self.worker is not None:
            await self.worker.drain(seconds)


def _read(copy: str, origin: str | None) -> Routes:
    """The table in the supervisor's copy of routes.yaml; relative paths in it start from the file itself."""
    return parse_routes(Path(copy).read_bytes(), Path(origin or copy), os.environ)


def main(arguments: Sequence[str] | None = None) -> None:
    """The process that the supervisor starts."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--control-fd", type=int, required=True)
    handle = parser.parse_args(arguments).control_fd
    structlog.configure(logger_factory=structlog.PrintLoggerFactory(sys.stderr))
    uvloop.run(WorkerControl().serve(socket.socket(fileno=handle)))


if __name__ == "__main__":
    main()
