"""Active health checks: the supervisor asks each upstream that names a path, and tells the workers what changed.

An upstream is ill after three failures in a row and well again after two successes. A check is one GET over a
connection of its own; a status below 400 in time is a success. What requests meet is the breaker's matter.
"""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Final
from urllib.parse import urlsplit

import structlog

from config.errors import StranglerError
from config.model import Routes, Upstream
from gateway.tls import upstream_context

ILL_AFTER, WELL_AFTER = 3, 2
CHECK_SECONDS_MAX: Final = 5.0
LINE_BYTES_MAX: Final = 8192
Tell = Callable[[str, bool], Awaitable[None]]

log = structlog.get_logger()


@dataclass
class Condition:
    """Pure: what is known of one upstream."""

    is_well: bool = True
    run: int = 0  # checks in a row that contradict `is_well`

    def learn(self, *, success: bool) -> bool:
        """Take in one check; whether the condition changed by it."""
        self.run = 0 if success == self.is_well else self.run + 1
        if self.run < (ILL_AFTER if self.is_well else WELL_AFTER):
            return False
        self.is_well, self.run = success, 0
        return True


class HealthChecks:
    """The checks that the table in force asks for; one task an upstream."""

    def __init__(self, tell: Tell) -> None:
        self._tell = tell
        self._conditions: dict[str, Condition] = {}
        self._running: dict[str, tuple[Upstream, asyncio.Task[None]]] = {}

    def apply(self, routes: Routes) -> None:
        """Check these upstreams from now on; one whose settings have changed is well until the checks say otherwise."""
        for name, (settings, task) in tuple(self._running.items()):
            if routes.upstreams.get(name) != settings:
                task.cancel()
                del self._running[name], self._conditions[name]
        loop = asyncio.get_running_loop()
        for name, one in routes.upstreams.items():
            if one.health is not None and name not in self._running:
                self._conditions[name] = Condition()
                self._running[name] = one, loop.create_task(self._check(name, one))

    def conditions(self) -> dict[str, bool]:
        """Whether each checked upstream is well."""
        return {name: one.is_well for name, one in self._conditions.items()}

    async def close(self) -> None:
        """No more checks."""
        tasks = [task for _, task in self._running.values()]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    async def _check(self, name: str, settings: Upstream) -> None:
        condition = self._conditions[name]
        while True:
            reason = await check(name, settings)
            if condition.learn(success=not reason):
                log.warning("upstream.well" if condition.is_well else "upstream.ill", upstream=name, reason=reason)
                await self._tell(name, condition.is_well)
            await asyncio.sleep(settings.health_every)


async def check(name: str, settings: Upstream) -> str:
    """One check; why it failed, empty if it did not."""
    try:
        async with asyncio.timeout(min(settings.connect_timeout + settings.timeout, CHECK_SECONDS_MAX)):
            status = await _status(name, settings)
    except TimeoutError:
        return "no answer in time"
    except (OSError, ValueError, StranglerError) as error:
        return type(error).__name__
    return "" if 200 <= status < 400 else f"status {status}"


async def _status(name: str, settings: Upstream) -> int:
    parts = urlsplit(settings.url)
    is_tls = parts.scheme == "https"
    host = parts.hostname or ""
    context: ssl.SSLContext | None = await asyncio.to_thread(upstream_context, name, settings.tls) if is_tls else None
    server_name = ((settings.tls.server_name if settings.tls else None) or host) if is_tls else None
    reader, writer = await asyncio.open_connection(
        host, parts.port or (443 if is_tls else 80), ssl=context, server_hostname=server_name, limit=LINE_BYTES_MAX
    )
    try:
        head = f"GET {settings.health} HTTP/1.1\r\nHost: {parts.netloc}\r\nConnection: close\r\n"
        writer.write(f"{head}User-Agent: strangler-health\r\n\r\n".encode())
        line = await reader.readuntil(b"\r\n")
        return int(line.split(b" ")[1]) if line.startswith(b"HTTP/1.") else 0
    except (asyncio.IncompleteReadError, asyncio.LimitOverrunError, IndexError) as error:
        raise ValueError("no status line") from error
    finally:
        writer.transport.abort()
