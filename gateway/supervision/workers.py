"""A crew of children: started, introduced to their work, replaced when they end, drained together."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import structlog

from config.errors import StranglerError
from gateway.supervision.child import CALL_SECONDS, Child, Program, Reply

START_SECONDS = 30.0
BACK_OFF_SECONDS_MIN, BACK_OFF_SECONDS_MAX = 0.05, 2.0
STEADY_SECONDS = 10.0
GRACE_SECONDS = 2.0

Message = tuple[str, dict[str, Any]]

_log = structlog.get_logger()


@dataclass(frozen=True)
class Answer:
    """What one member said: a reply, or why there is none; `pid` is None while it is being replaced."""

    pid: int | None
    reply: Reply | None
    error: str | None = None


class Crew:
    """Keeps `count` children of one command alive, and beside them a spare one if told so.

    The spare has loaded its program and waits: it takes the place of a lost child at once, not half a second later. It
    is loaded `spare_after` seconds after every place was filled.

    `introduce(index)` gives the messages for a new child; they are sent in one go, so that what follows the first
    (a hold that is in force) is in the child's hands before it does anything else.
    """

    def __init__(
        self,
        program: Program,
        count: int,
        introduce: Callable[[int], Sequence[Message]],
        *,
        spare_after: float | None = None,
    ) -> None:
        self.name = program.name
        self._program = program
        self.restarts = 0
        self.on_loss: Callable[[Child], None] = lambda _: None
        self._introduce = introduce
        self._members: list[Child | None] = [None] * count
        self._keepers: set[asyncio.Task[None]] = set()
        self._spare_after = spare_after
        self._spare: Child | None = None
        self._spare_is_due = asyncio.Event()
        self._preparing = asyncio.Lock()
        self._is_stopping = False

    @property
    def members(self) -> tuple[Child | None, ...]:
        """One place a child; None while it is being replaced."""
        return tuple(self._members)

    @property
    def is_whole(self) -> bool:
        """Whether every place is filled by a child that has accepted its work."""
        return all(child is not None and child.is_ready for child in self._members)

    async def start(self) -> None:
        """Start all and wait until each has accepted its work. Raises the first one's error, and then none is left."""
        first = await asyncio.gather(
            *(self._hire(index) for index in range(len(self._members))), return_exceptions=True
        )
        failed = [one for one in first if isinstance(one, BaseException)]
        if failed:
            await self.end()
            raise failed[0]
        self.keep()

    def keep(self) -> None:
        """Watch over every place from now on, also over those that are empty; again does nothing."""
        if self._keepers or self._is_stopping:
            return
        loop = asyncio.get_running_loop()
        self._keepers = {loop.create_task(self._keep(index)) for index in range(len(self._members))}
        if self._spare_after is not None:
            self._spare_is_due.set()
            self._keepers.add(loop.create_task(self._keep_spare(self._spare_after)))

    async def call_all(
        self, do: str, fields: Mapping[str, Any] | None = None, *, within: float = CALL_SECONDS
    ) -> list[Answer]:
        """Ask every member at once; one answer a place, in order, and never an exception."""
        return list(await asyncio.gather(*(self._ask(child, do, fields, within) for child in self._members)))

    async def drain(self, seconds: float) -> bool:
        """Let every member finish and exit; past the deadline it is killed. Whether all ended by themselves, with 0."""
        self._is_stopping = True
        children = [child for child in self._members if child is not None]
        clean = await asyncio.gather(*(self._drain_one(child, seconds) for child in children))
        await self.end()
        return all(clean)

    async def end(self) -> None:
        """Kill what is left and wait for it."""
        self._is_stopping = True
        for keeper in self._keepers:
            keeper.cancel()
        await asyncio.gather(*self._keepers, return_exceptions=True)
        for child in (*self._members, self._spare):
            if child is not None:
                child.kill()
                await child.ended()
        self._members = [None] * len(self._members)
        self._spare = None

    async def _keep_spare(self, seconds: float) -> None:
        while not self._is_stopping:
            await self._spare_is_due.wait()
            self._spare_is_due.clear()
            await asyncio.sleep(seconds)
            await self._prepare()

    async def _prepare(self) -> None:
        """Have a spare child that has loaded its program."""
        async with self._preparing:
            if self._spare is not None or self._is_stopping:
                return
            spare = await Child.spawn(self._program)
            try:
                await spare.call("wait", within=START_SECONDS)
                self._spare = spare
                _log.info("child.spare", child=self.name, pid=spare.pid)
            except StranglerError as error:
                _log.warning("child.no_spare", child=self.name, reason=str(error))
            finally:
                if self._spare is not spare:
                    spare.kill()
                    await spare.ended()

    async def _next(self) -> Child:
        """The spare child, if it is still there, or a new one; one that is loading is nearer than a new one."""
        async with self._preparing:
            spare, self._spare = self._spare, None
        if spare is not None and not spare.is_gone:
            return spare
        if spare is not None:
            await spare.ended()
        return await Child.spawn(self._program)

    async def _hire(self, index: int) -> None:
        """Fill a place: start a child and introduce it. Raises what went wrong, and then the place stays empty."""
        child = await self._next()
        # From here on the child is asked whatever all are asked; it hears its introduction first.
        self._members[index] = child
        try:
            calls = [child.call(do, fields, within=START_SECONDS) for do, fields in self._introduce(index)]
            await asyncio.gather(*calls)
        except BaseException:
            child.kill()
            await child.ended()
            self._members[index] = None
            raise
        child.is_ready = True

    async def _keep(self, index: int) -> None:
        loop = asyncio.get_running_loop()
        delay = 0.0
        while not self._is_stopping:
            began = loop.time()
            done = "child.started"  # a place that was empty from the start is filled, and nobody was lost
            if self._members[index] is not None:
                await self._watch(index)
                done = "child.replaced"
            lost = loop.time()
            delay = 0.0 if lost - began > STEADY_SECONDS else delay
            if self._is_stopping:
                return
            await asyncio.sleep(delay)
            delay = min(max(delay * 2, BACK_OFF_SECONDS_MIN), BACK_OFF_SECONDS_MAX)
            try:
                await self._hire(index)
                _log.info(done, child=self.name, after_seconds=round(loop.time() - lost, 3))
                self._spare_is_due.set()
            except (StranglerError, OSError) as error:
                _log.error("child.not_started", child=self.name, reason=str(error), next_try_seconds=delay)

    async def _watch(self, index: int) -> None:
        child = self._members[index]
        if child is None:
            return
        code = await child.ended()
        if self._is_stopping:
            return
        self._members[index] = None
        self.restarts += 1
        self.on_loss(child)
        _log.warning("child.lost", child=self.name, pid=child.pid, exit_code=code)

    async def _drain_one(self, child: Child, seconds: float) -> bool:
        with contextlib.suppress(StranglerError):
            await child.call("drain", {"seconds": seconds}, within=seconds + GRACE_SECONDS)
        try:
            async with asyncio.timeout(seconds + GRACE_SECONDS):
                return await child.ended() == 0
        except TimeoutError:
            _log.warning("child.killed", child=self.name, pid=child.pid, after_seconds=seconds)
            child.kill()
            await child.ended()
            return False

    async def _ask(self, child: Child | None, do: str, fields: Mapping[str, Any] | None, within: float) -> Answer:
        if child is None:
            why = "is being replaced" if self._keepers else "was not started, because there is nothing to do for it"
            return Answer(None, None, f"the {self.name} {why}")
        try:
            return Answer(child.pid, await child.call(do, fields, within=within))
        except StranglerError as error:
            return Answer(child.pid, None, str(error))
