"""Connections to one upstream: a limit, a bounded queue of those who wait for one, and the breaker."""

from __future__ import annotations

import asyncio
from collections import deque
from contextlib import suppress
from time import monotonic
from typing import Protocol
from urllib.parse import urlsplit

import structlog

from config.model import Upstream
from gateway.caller import Caller
from gateway.limits import Limits
from gateway.outlier import Ejected, breaker_of
from gateway.tls import reason_of, upstream_context
from gateway.upstream import UpstreamConnection

log = structlog.get_logger()


class Waiter(Caller, Protocol):
    """Who asks for a connection and gets it later."""

    def connected(self, connection: UpstreamConnection, *, reused: bool) -> None:
        """Here it is."""

    def not_connected(self, reason: str) -> None:
        """There is none; `reason` is one of `problems.PROBLEMS`."""


class Pool:
    """Idle connections are used last in, first out, so that spare ones grow old and are closed."""

    __slots__ = (
        "_breaker",
        "_host",
        "_limits",
        "_opening",
        "_port",
        "_server_name",
        "_tasks",
        "_tls",
        "_wait",
        "_waiting_max",
        "authority",
        "breaker",
        "closing",
        "idle",
        "limit",
        "name",
        "open_count",
        "retries",
        "settings",
        "timeout",
        "waiting",
    )  # fmt: skip

    def __init__(self, name: str, settings: Upstream, limits: Limits, *, connections: int | None = None) -> None:
        parts = urlsplit(settings.url)
        is_tls = parts.scheme == "https"
        self.name = name
        self.authority = parts.netloc.rpartition("@")[2].encode()
        self.settings = settings
        self.timeout = settings.timeout
        self.retries = settings.retries
        self.limit = connections or settings.connections
        self.breaker = self._breaker = breaker_of(settings.breaker)
        self._waiting_max = min(settings.waiting, limits.upstream_waiting_max)
        self._wait = settings.wait or settings.connect_timeout
        self.idle: deque[UpstreamConnection] = deque()
        self.waiting: dict[Waiter, float] = {}
        self.open_count = 0
        self.closing = False
        self._limits = limits
        self._host = parts.hostname or ""
        self._port = parts.port or (443 if is_tls else 80)
        self._tls = upstream_context(name, settings.tls) if is_tls else None
        self._server_name = (settings.tls.server_name if settings.tls else None) or self._host
        self._opening: dict[Waiter, bool] = {}  # False: nobody waits for it any more
        self._tasks: set[asyncio.Task[None]] = set()

    def acquire(self, waiter: Waiter, *, is_write: bool = False, fresh: bool = False) -> UpstreamConnection | None:
        """An idle connection at once, or None: then `connected` or `not_connected` is called later, never from here.

        A write avoids a connection that has been idle for long, because the upstream may be closing it just now;
        `fresh` asks for a new one.
        """
        idle = self.idle
        usable = not fresh and idle and self.breaker.is_closed
        if usable and (not is_write or monotonic() - idle[-1].idle_since < self._limits.upstream_idle_write_seconds):
            connection = idle.pop()
            if connection.is_quiet:
                return connection
            connection.close()  # it has said something to nobody, and the loop has not come to read it
        now = monotonic()
        loop = asyncio.get_running_loop()
        if not self.breaker.allows(now):
            loop.call_soon(waiter.not_connected, self.breaker.reason)
        elif self.open_count < self.limit:
            self._open(waiter)
        elif idle:
            idle.popleft().close()
            self._open(waiter)
        elif len(self.waiting) < self._waiting_max:
            self.waiting[waiter] = now + self._wait
        else:
            self.breaker.abandoned()
            loop.call_soon(waiter.not_connected, "upstream_busy")
        return None

    def forget(self, waiter: Waiter) -> None:
        """That one waits no longer."""
        if self.waiting.pop(waiter, None) is not None:
            self.breaker.abandoned()
        if waiter in self._opening:
            self._opening[waiter] = False

    def release(self, connection: UpstreamConnection) -> None:
        """A connection whose exchange ended cleanly: to the next who waits, or idle."""
        if self.closing:
            connection.close()
        elif self.waiting and connection.is_quiet:
            waiter = next(iter(self.waiting))
            del self.waiting[waiter]
            waiter.connected(connection, reused=True)
        elif self.waiting:
            connection.close()  # `lost` opens another one for who waits
        else:
            connection.idle_since = monotonic()
            self.idle.append(connection)

    def lost(self, connection: UpstreamConnection) -> None:
        """A connection is gone, for whatever reason."""
        self.open_count -= 1
        self.retire(connection)
        if self.waiting and self.open_count < self.limit:
            waiter = next(iter(self.waiting))
            del self.waiting[waiter]
            self._open(waiter)

    def retire(self, connection: UpstreamConnection) -> None:
        """That connection is not handed out any more."""
        with suppress(ValueError):
            self.idle.remove(connection)

    def sweep(self, now: float) -> None:
        """Close what has been idle for too long, and turn away who has waited for too long."""
        while self.idle and now - self.idle[0].idle_since > self._limits.upstream_idle_seconds:
            self.idle.popleft().close()
        for waiter in [waiter for waiter, until in self.waiting.items() if until < now]:
            del self.waiting[waiter]
            self.breaker.abandoned()
            waiter.not_connected("upstream_busy")

    def shut(self) -> None:
        """No more idle connections; what runs ends by itself."""
        self.closing = True
        while self.idle:
            self.idle.popleft().close()

    def eject(self, *, is_ejected: bool) -> None:
        """Leave the upstream alone, or no more, because the health check says so."""
        self.breaker = Ejected() if is_ejected else self._breaker

    def renew_certificates(self) -> None:
        """Connections from now on use what the files hold now. Raises CertificateUnusable."""
        if self._tls is not None:
            self._tls = upstream_context(self.name, self.settings.tls)

    def states(self) -> dict[str, int]:
        """Connections by state, for metrics."""
        return {"idle": len(self.idle), "active": self.open_count - len(self.idle), "waiting": len(self.waiting)}

    def _open(self, waiter: Waiter) -> None:
        self.open_count += 1
        task = asyncio.get_running_loop().create_task(self._connect(waiter))
        self._opening[waiter] = True
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _connect(self, waiter: Waiter) -> None:
        loop = asyncio.get_running_loop()
        try:
            async with asyncio.timeout(self.settings.connect_timeout):
                _, connection = await loop.create_connection(
                    lambda: UpstreamConnection(self),
                    self._host,
                    self._port,
                    ssl=self._tls,
                    server_hostname=self._server_name if self._tls else None,
                )
        except TimeoutError:
            self._failed(waiter, "upstream_connect_timeout")
        except OSError as error:
            self._failed(waiter, reason_of(error) if self._tls is not None else "upstream_unreachable")
        else:
            if self._opening.pop(waiter):
                waiter.connected(connection, reused=False)
            else:
                self.breaker.abandoned()
                self.release(connection)

    def _failed(self, waiter: Waiter, reason: str) -> None:
        self.open_count -= 1
        self.breaker.failed(monotonic())
        if self._opening.pop(waiter):
            waiter.not_connected(reason)
