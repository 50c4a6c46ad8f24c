"""The supervisor: starts the workers on one port, replaces the killed, reloads, drains; carries no traffic itself."""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import sys
import time
from collections.abc import Iterator
from contextlib import ExitStack, closing
from pathlib import Path
from typing import TYPE_CHECKING

import structlog

from config.errors import FAILED
from gateway.idempotency.seal import sealer
from gateway.listening import Bound, bind_alone, parse_address, reserve_shared
from gateway.routing.decision import is_mirrored
from gateway.spans import must_be_installed
from gateway.supervision.admin_token import READ_TOKEN_VARIABLE, required_token
from gateway.supervision.certificates import Certificates
from gateway.supervision.child import Program
from gateway.supervision.freshness_watch import Watches
from gateway.supervision.health import HealthChecks
from gateway.supervision.in_force import TableInForce
from gateway.supervision.operations import Operations
from gateway.supervision.run_directory import RunDirectory, claim, run_directory
from gateway.supervision.workers import Crew, Message

if TYPE_CHECKING:
    import uvicorn

DRAIN_SECONDS = 25.0
COMPARER_DRAIN_SECONDS = 5.0
POLL_SECONDS = 1.0
# To load a program takes half a second of processor time, which those who serve need more after a start or a loss.
SPARE_AFTER_SECONDS = 10.0
# -P: a file in the directory that we happen to start in must not be taken for a module.
WORKER_COMMAND = (sys.executable, "-P", "-m", "gateway.worker")
COMPARER_COMMAND = (sys.executable, "-P", "-m", "gateway.comparer")

_log = structlog.get_logger()


def serve(routes_path: Path, *, listen: str | None = None, admin: str | None = None, workers: int | None = None) -> int:
    """Run the gateway until SIGTERM or SIGINT and return the exit code; arguments overrule routes.yaml.

    Raises RoutesInvalid, CertificateUnusable, SealKeysUnusable, PortInUse, RunDirectoryTaken or AdminTokenMissing
    before anything is served.
    """
    table = TableInForce(routes_path)
    settings = table.routes.gateway
    certificates = Certificates(settings.tls, lambda: table.routes)
    public, private = parse_address(listen or settings.listen), parse_address(admin or settings.admin)
    token = required_token(private)
    if settings.idempotency is not None:
        sealer()
    if settings.tracing is not None:
        must_be_installed()
    with ExitStack() as stack:
        run = stack.enter_context(claim(run_directory(routes_path)))
        shared = stack.enter_context(closing(reserve_shared(public)))
        alone = stack.enter_context(closing(bind_alone(private)))

        async def run_supervisor() -> int:
            supervisor = Supervisor(table, run, (shared, alone), certificates, workers or settings.workers)
            return await supervisor.run(token)

        return asyncio.run(run_supervisor())


class Supervisor:
    """One gateway: its table, its children, its admin API.

    Start: the table, the runtime directory and both ports are there before the first child is (`serve`); then workers
    and comparer start, and when every worker listens, the admin API and the watch over routes.yaml begin. A child that
    ends is replaced (supervision/workers.py). SIGTERM: workers stop accepting and finish, then the comparer, which by
    then has their last pairs, then we end. If we are killed, the children see their channel close and do the same.
    """

    def __init__(
        self,
        table: TableInForce,
        run: RunDirectory,
        ports: tuple[Bound, Bound],
        certificates: Certificates,
        workers: int,
    ) -> None:
        """`ports` are the clients' and the admin API's."""
        self._table = table
        self._run = run
        self._public, self._private = ports
        self._certificates = certificates
        self._watches = Watches(run.freshness_path, workers)
        environ = {**os.environ, "STRANGLER_RUN": str(run.path)}
        comparer = Program("comparer", COMPARER_COMMAND, environ, (run.socket.fileno(),))
        self._comparer = Crew(comparer, 1, self._introduce_comparer)
        worker = Program("worker", WORKER_COMMAND, environ)
        self._workers = Crew(worker, workers, self._introduce_worker, spare_after=SPARE_AFTER_SECONDS)
        self._operations = Operations(table, self._workers, self._comparer, self._apply)
        self._operations.certificates = certificates
        self._health = HealthChecks(self._tell_health)
        self._operations.healthy = self._health.conditions
        self._settings = table.routes.gateway
        self._stopping = asyncio.Event()
        self._signals_seen = 0
        self._reloads: set[asyncio.Task[None]] = set()

    async def run(self, token: str | None) -> int:
        """Serve until told to stop; 0 if everything in flight was finished. `token` is what admin callers must show."""
        loop = asyncio.get_running_loop()
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(number, self._stop)
        loop.add_signal_handler(signal.SIGHUP, self._reload_soon)
        try:
            self._put_in_force()
            # The comparer comes first, so that the first requests find it; nobody waits for it: its socket is there.
            self._keep_comparer()
            # While the workers start, the admin API's libraries load.
            loading = asyncio.to_thread(admin_server, self._operations, token)
            server, _ = await asyncio.gather(loading, self._workers.start())
            return await self._serve(server)
        finally:
            await asyncio.gather(self._workers.end(), self._comparer.end())
            await self._health.close()
            self._watches.close()

    async def _serve(self, server: uvicorn.Server) -> int:
        async with asyncio.TaskGroup() as tasks:
            admin = tasks.create_task(server.serve([self._private.sock]))
            tasks.create_task(self._watch_routes())
            tasks.create_task(self._watch_certificates())
            tasks.create_task(self._watch_leases())
            _log.info(
                "gateway.listening",
                url=f"{'https' if self._settings.tls else 'http'}://{self._public.address}",
                admin=f"http://{self._private.address}",
                workers=len(self._workers.members),
                pid=os.getpid(),
            )
            stopped = tasks.create_task(self._stopping.wait())
            await asyncio.wait([stopped, admin], return_when=asyncio.FIRST_COMPLETED)
            self._stopping.set()
            is_clean = await self._drain()
            server.should_exit = True
        return 0 if is_clean else FAILED

    async def _drain(self) -> bool:
        self._operations.is_draining = True
        _log.info("gateway.draining", seconds=DRAIN_SECONDS)
        is_clean = await self._workers.drain(DRAIN_SECONDS)
        await self._comparer.drain(COMPARER_DRAIN_SECONDS)
        _log.info("gateway.ended", clean=is_clean)
        return is_clean

    async def _watch_routes(self) -> None:
        """Look at routes.yaml when something in its folder changes: editors replace a file, and so do mounts."""
        from watchfiles import awatch

        path = self._table.path
        folders = {path.parent, path.resolve().parent}
        try:
            async for _ in awatch(
                *folders, watch_filter=None, recursive=False, debounce=200, step=25, stop_event=self._stopping
            ):
                await self._operations.reload()
        except (OSError, RuntimeError) as error:
            _log.warning("table.polled", reason=type(error).__name__, every_seconds=POLL_SECONDS)
        while not await self._stops_within(POLL_SECONDS):
            await self._operations.reload()

    async def _watch_certificates(self) -> None:
        """Look at the files of certificates every second: tools replace them and tell nobody."""
        while not await self._stops_within(POLL_SECONDS):
            if not self._certificates.look():
                continue
            answers = await self._workers.call_all("certificates")
            if any(answer.error for answer in answers if answer.pid is not None):
                self._certificates.look_again()
            _log.info("certificates.in_force", errors=[answer.error for answer in answers if answer.error])

    async def _watch_leases(self) -> None:
        """Look every second whether a hold was left behind by the run that asked for it."""
        while not await self._stops_within(POLL_SECONDS):
            await self._operations.end_leases(self._run.path)

    async def _stops_within(self, seconds: float) -> bool:
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                await self._stopping.wait()
        return self._stopping.is_set()

    def _stop(self) -> None:
        self._signals_seen += 1
        self._stopping.set()
        if self._signals_seen > 1:
            _log.warning("gateway.killing", reason="a second signal came during the drain")
            for child in self._workers.members:
                if child is not None:
                    child.kill()

    def _reload_soon(self) -> None:
        reload = asyncio.get_running_loop().create_task(self._reload_all())
        self._reloads.add(reload)
        reload.add_done_callback(self._reloads.discard)

    async def _tell_health(self, upstream: str, is_well: bool) -> None:
        await self._workers.call_all("health", {"upstream": upstream, "well": is_well})

    async def _reload_all(self) -> None:
        """SIGHUP: routes.yaml, and the file of the access log."""
        await self._operations.reload()
        await self._workers.call_all("reopen")

    def _apply(self) -> Message:
        """Put the table that was read last in force here; the message that tells the children."""
        self._put_in_force()
        self._keep_comparer()
        if self._table.routes.gateway != self._settings:
            _log.warning("table.needs_restart", reason="the section gateway changed; it is read when a gateway starts")
        paths = {"path": str(self._run.table_path), "origin": str(self._table.path)}
        return "table", {**paths, "digest": self._table.digest}

    def _put_in_force(self) -> None:
        self._run.put_table(self._table.raw)
        self._watches.apply(self._table.routes, time.monotonic_ns())
        self._health.apply(self._table.routes)

    def _keep_comparer(self) -> None:
        """A comparer from the moment on when something is mirrored; before that it would only take memory."""
        if any(is_mirrored(capability) for capability in self._table.routes.capabilities.values()):
            self._comparer.keep()

    def _introduce_worker(self, index: int) -> list[Message]:
        start: Message = (
            "start",
            {
                "routes": str(self._run.table_path),
                "origin": str(self._table.path),
                "listen": str(self._public.address),
                "run": str(self._run.path),
                "comparer": str(self._run.socket_path),
                "freshness": str(self._run.freshness_path),
                "index": index,
            },
        )
        ill = [name for name, is_well in self._health.conditions().items() if not is_well]
        return [
            start,
            *self._operations.holds_in_force(),
            *(("health", {"upstream": name, "well": False}) for name in ill),
        ]

    def _introduce_comparer(self, _: int) -> list[Message]:
        start = {
            "routes": str(self._run.table_path),
            "origin": str(self._table.path),
            "socket": self._run.socket.fileno(),
            "store": str(self._run.store_path),
            "run": str(self._run.path),
        }
        return [("start", start)]


def admin_server(operations: Operations, token: str | None) -> uvicorn.Server:
    """The admin API on uvicorn, in our event loop and with signals left to us."""
    import uvicorn

    from gateway.supervision.admin import application

    class AdminServer(uvicorn.Server):
        @contextlib.contextmanager
        def capture_signals(self) -> Iterator[None]:
            yield

    return AdminServer(
        uvicorn.Config(
            application(operations, token, os.environ.get(READ_TOKEN_VARIABLE)),
            http="h11",
            ws="none",
            lifespan="off",
            log_config=None,
            log_level="warning",
            access_log=False,
            server_header=False,
            timeout_graceful_shutdown=1,
        )
    )
