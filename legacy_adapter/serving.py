"""Runs a Starlette application on one address until it is told to stop, and says when it accepts."""

from __future__ import annotations

import asyncio
import contextlib
import errno
import signal
import socket
import threading
from collections.abc import Callable, Iterator, Mapping

import structlog
import uvicorn
import uvloop
from starlette.requests import Request
from starlette.types import ASGIApp

from config.errors import PortInUse

GRACE_SECONDS = 5
KEEP_ALIVE_SECONDS = 75  # longer than any client of ours keeps a connection, so that it is never closed under a request
BACKLOG = 512


class BodyTooLarge(Exception):
    """A request's body is longer than the application wants to read."""


async def read_body(request: Request, bytes_max: int) -> bytes:
    """The whole body, never more than `bytes_max` of it. Raises BodyTooLarge."""
    parts, size = [], 0
    async for part in request.stream():
        size += len(part)
        if size > bytes_max:
            raise BodyTooLarge
        parts.append(part)
    return b"".join(parts)


def serve(app: ASGIApp, listen: str, *, event: str, headers: Mapping[str, str] | None = None) -> int:
    """Answer on `listen` (host:port, port 0 picks a free one) until SIGTERM or SIGINT; returns 0.

    Logs `event` with the url once connections are accepted. Raises PortInUse.
    """
    bound = _bind(listen)
    host, port = bound.getsockname()[:2]
    url = f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"
    settings = uvicorn.Config(
        app,
        http="httptools",
        ws="none",
        lifespan="on",
        log_config=None,
        access_log=False,
        server_header=False,
        headers=list((headers or {}).items()),
        backlog=BACKLOG,
        timeout_keep_alive=KEEP_ALIVE_SECONDS,
        timeout_graceful_shutdown=GRACE_SECONDS,
    )
    server = _Server(settings, lambda: structlog.get_logger().info(event, url=url))
    with bound:
        uvloop.run(_until_stopped(server, bound))
    return 0 if server.started else 1


class _Server(uvicorn.Server):
    """uvicorn, without its habit of raising the signal again after a clean end, so that the exit code is 0."""

    def __init__(self, settings: uvicorn.Config, is_listening: Callable[[], None]) -> None:
        super().__init__(settings)
        self._is_listening = is_listening

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets=sockets)
        if self.started:
            self._is_listening()

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield


async def _until_stopped(server: _Server, bound: socket.socket) -> None:
    def stop() -> None:
        server.should_exit = True

    if threading.current_thread() is threading.main_thread():
        for number in (signal.SIGTERM, signal.SIGINT):
            asyncio.get_running_loop().add_signal_handler(number, stop)
    await server.serve(sockets=[bound])


def _bind(listen: str) -> socket.socket:
    host, _, port = listen.rpartition(":")
    host = host.strip("[]")
    bound = socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET)
    bound.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        bound.bind((host, int(port)))
    except OSError as error:
        bound.close()
        if error.errno == errno.EADDRINUSE:
            raise PortInUse(listen) from error
        raise
    return bound
