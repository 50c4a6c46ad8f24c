"""One child process of the supervisor and the control channel to it: JSON lines over a socket pair."""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import socket
from asyncio.subprocess import DEVNULL, Process
from collections.abc import Coroutine, Mapping
from dataclasses import dataclass, field
from itertools import count
from typing import Any

from config.errors import StranglerError

CALL_SECONDS = 5.0
LINE_BYTES_MAX = 16 << 20
EXIT_SECONDS = 5.0

Reply = dict[str, Any]


@dataclass(eq=False)
class ChildGone(StranglerError):
    """A child that ended, or closed its control channel, before it answered."""

    name: str
    pid: int

    @property
    def sentence(self) -> str:
        """Which process."""
        return f"The {self.name} (process {self.pid}) ended before it answered; what it said is in the log."


@dataclass(eq=False)
class ChildSilent(StranglerError):
    """A child that did not answer in time."""

    name: str
    pid: int
    do: str
    seconds: float

    @property
    def sentence(self) -> str:
        """Which process, what was asked, how long we waited."""
        return f"The {self.name} (process {self.pid}) did not answer {self.do!r} within {self.seconds:g} s."


@dataclass(eq=False)
class ChildRefused(StranglerError):
    """A child that answered no."""

    name: str
    pid: int
    do: str
    reason: str

    @property
    def sentence(self) -> str:
        """Which process, what was asked, and its reason."""
        return f"The {self.name} (process {self.pid}) refused {self.do!r}: {self.reason}."


@dataclass(frozen=True)
class Program:
    """What a child is started with; `fds` are the file descriptors that it shall have under the same numbers."""

    name: str
    command: tuple[str, ...]
    environ: Mapping[str, str] = field(default_factory=lambda: os.environ)
    fds: tuple[int, ...] = ()


class Child:
    """A running process that we started; it ends by itself when our end of the channel closes."""

    def __init__(self, name: str, process: Process, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.name = name
        self.pid = process.pid
        self.digest: str | None = None
        self.is_ready = False
        self._process = process
        self._reader = reader
        self._writer = writer
        self._numbers = count(1)
        self._waiting: dict[int, asyncio.Future[Reply]] = {}
        self._reading = asyncio.get_running_loop().create_task(self._read())

    @classmethod
    async def spawn(cls, program: Program) -> Child:
        """Start `command --control-fd N`, in a process group of its own: Ctrl-C in a terminal is for us to handle."""
        ours, theirs = socket.socketpair()
        with theirs:
            process = await asyncio.create_subprocess_exec(
                *program.command,
                "--control-fd",
                str(theirs.fileno()),
                stdin=DEVNULL,
                env=program.environ,
                pass_fds=[theirs.fileno(), *program.fds],
                process_group=0,
            )
        reader, writer = await asyncio.open_unix_connection(sock=ours, limit=LINE_BYTES_MAX)
        return cls(program.name, process, reader, writer)

    @property
    def is_gone(self) -> bool:
        """Whether its end of the channel is closed."""
        return self._reading.done()

    def call(
        self, do: str, fields: Mapping[str, Any] | None = None, *, within: float = CALL_SECONDS
    ) -> Coroutine[Any, Any, Reply]:
        """Ask now (questions arrive in the order of the calls) and await the answer, `within` so many seconds.

        Awaiting raises ChildRefused, ChildGone or ChildSilent.
        """
        number = next(self._numbers)
        self._waiting[number] = asyncio.get_running_loop().create_future()
        self._writer.write(json.dumps({**(fields or {}), "id": number, "do": do}).encode() + b"\n")
        return self._answer(number, do, within)

    async def _answer(self, number: int, do: str, within: float) -> Reply:
        try:
            if self.is_gone:
                raise ChildGone(self.name, self.pid)
            async with asyncio.timeout(within):
                await self._writer.drain()
                reply = await self._waiting[number]
        except TimeoutError as error:
            raise ChildSilent(self.name, self.pid, do, within) from error
        except ConnectionError as error:
            raise ChildGone(self.name, self.pid) from error
        finally:
            answer = self._waiting.pop(number)
            if not answer.cancel() and not answer.cancelled():
                answer.exception()  # it was looked at, whichever error came first
        if not reply.get("ok"):
            raise ChildRefused(self.name, self.pid, do, str(reply.get("error", "no reason given")).rstrip("."))
        if isinstance(digest := reply.get("digest"), str):
            self.digest = digest
        return reply

    async def ended(self) -> int:
        """Wait until the process is gone; its exit code, negative for a signal."""
        await asyncio.wait([self._reading])
        try:
            async with asyncio.timeout(EXIT_SECONDS):
                return await self._process.wait()
        except TimeoutError:
            self.kill()
            return await self._process.wait()
        finally:
            self._writer.close()
            with contextlib.suppress(ConnectionError):
                await self._writer.wait_closed()

    def kill(self) -> None:
        """End the process now; it does not finish what it is doing."""
        if self._process.returncode is None:
            with contextlib.suppress(ProcessLookupError):
                self._process.kill()

    async def _read(self) -> None:
        with contextlib.suppress(ConnectionError, ValueError):
            while line := await self._reader.readline():
                reply: Reply = json.loads(line)
                waiting = self._waiting.get(int(reply.get("id", 0)))
                if waiting is not None and not waiting.done():
                    waiting.set_result(reply)
        for waiting in self._waiting.values():
            if not waiting.done():
                waiting.set_exception(ChildGone(self.name, self.pid))
