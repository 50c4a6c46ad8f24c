"""`strangler replay`: recorded requests to both sides at a steady rate; the answers are judged and reported.

One request is read from the file, decided (`runbook/replaying.py`), sent when its time has come, and its pair judged by
the rules of its route. A read that differs is asked once more on both sides. Verdicts go into a store of their own that
is thrown away: a replay is no evidence of the gate, whose keys are those of live traffic. Ctrl-C sends nothing more,
waits for what is under way, and the report is about what there was.
"""

from __future__ import annotations

import asyncio
import signal
from collections import Counter
from collections.abc import Awaitable, Callable, Iterable
from contextlib import AsyncExitStack, closing, suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime
from hashlib import blake2b
from pathlib import Path
from tempfile import TemporaryDirectory
from time import monotonic

import httpx
import msgspec

from config.errors import StranglerError
from config.model import Routes
from gateway.mirroring.judging import Judge
from gateway.routing.table import compile_table
from gateway.tls import upstream_context
from runbook.replaying import OUTSIDE, Course, Nowhere, course_of, fields_of
from shadow.observation import Errored, Observation, Pair, Side, Skipped
from shadow.recording import Recorded
from shadow.store import Store
from shadow.summary import Summary
from shadow.tally import Judged

ASK_AGAIN_AFTER_SECONDS = 0.25
BATCH_EVENTS = 200


@dataclass(frozen=True)
class Pace:
    """How fast: requests a second at most, and how many may be under way."""

    per_second: float = 20.0
    at_once: int = 8


@dataclass
class Outcome:
    """What became of the requests: a summary for each capability, and what belongs to none, by the reason."""

    read: int = 0
    is_interrupted: bool = False
    outside: Counter[str] = field(default_factory=Counter)
    summaries: dict[str, Summary] = field(default_factory=dict)

    @property
    def differs(self) -> bool:
        """Whether a pair differed, races left out."""
        return any(one.accounting.disagreeing for one in self.summaries.values())


class TooLarge(Exception):
    """An answer past the bound of its capability."""


class Replay:
    """One run. `told` hears how many requests have ended."""

    def __init__(self, routes: Routes, pace: Pace, told: Callable[[int], None]) -> None:
        self._routes, self._pace, self._told = routes, pace, told
        self._table, self._judge = compile_table(routes), Judge(routes)
        self._clients: dict[str, httpx.AsyncClient] = {}
        self._events: list[Judged] = []
        self._ended = 0
        self._stopping = asyncio.Event()
        self.outcome = Outcome()

    async def run(self, requests: Iterable[Recorded], store: Store) -> Outcome:
        """Send them all, or until interrupted. Raises RecordingInvalid, and what the store raises."""
        loop = asyncio.get_running_loop()
        with suppress(ValueError, RuntimeError):  # not in the main thread
            loop.add_signal_handler(signal.SIGINT, self._stopping.set)
        slots = asyncio.Semaphore(self._pace.at_once)
        began = monotonic()
        async with AsyncExitStack() as stack, asyncio.TaskGroup() as group:
            for number, recorded in enumerate(requests):
                await self._until(began + number / self._pace.per_second)
                await slots.acquire()
                if self._stopping.is_set():
                    self.outcome.is_interrupted = True
                    break
                self.outcome.read += 1
                await self._open(stack)
                group.create_task(self._one(recorded, slots))
                if len(self._events) >= BATCH_EVENTS:
                    self._store(store)
        self._store(store)
        return self.outcome

    async def _until(self, when: float) -> None:
        with suppress(TimeoutError):
            await asyncio.wait_for(self._stopping.wait(), max(0.0, when - monotonic()))

    async def _open(self, stack: AsyncExitStack) -> None:
        if self._clients:
            return
        for name, settings in self._routes.upstreams.items():
            verify = upstream_context(name, settings.tls) if str(settings.url).startswith("https") else False
            limits = httpx.Limits(max_connections=self._pace.at_once)
            timeout = httpx.Timeout(settings.timeout, connect=settings.connect_timeout)
            client = httpx.AsyncClient(verify=verify, trust_env=False, limits=limits, timeout=timeout)
            self._clients[name] = await stack.enter_async_context(client)

    def _store(self, store: Store) -> None:
        if self._events:
            events, self._events = self._events, []
            store.record(events)

    async def _one(self, recorded: Recorded, slots: asyncio.Semaphore) -> None:
        try:
            course = course_of(recorded, self._table)
            if not isinstance(course, Nowhere):
                self._events.append(await self._judged(recorded, course))
            elif course.capability == OUTSIDE:
                self.outcome.outside[course.reason] += 1
            else:
                self._events.append((Skipped(course.route, course.capability, course.reason, 1, _now()), None))
        finally:
            slots.release()
            self._ended += 1
            self._told(self._ended)

    async def _judged(self, recorded: Recorded, course: Course) -> Judged:
        place = course.plan.name, course.capability
        try:
            control, candidate = await self._both(recorded, course)
        except TooLarge:
            return Skipped(*place, "body_too_large", 1, _now()), None
        except Unanswered as error:
            return Errored(*place, error.side, 1, _now()), None
        key = blake2b(f"{recorded.method} {recorded.target}".encode(), digest_size=16).hexdigest()
        pair = Pair(*place, key, recorded.method, control, candidate, False, "replay", _now())
        judged = self._judge.judge(pair)
        verdict = judged[1]
        if verdict is None or verdict.kind != "different" or course.control is None:
            return judged
        await self._until(monotonic() + ASK_AGAIN_AFTER_SECONDS)
        with suppress(TooLarge, Unanswered):
            return self._judge.judge(msgspec.structs.replace(pair, again=await self._both(recorded, course)))
        return judged

    async def _both(self, recorded: Recorded, course: Course) -> tuple[Observation, Observation]:
        candidate = self._ask(recorded, course, course.candidate, "modern")
        if course.control is None:
            if recorded.answer is None:
                raise AssertionError("a course without a control has a recorded answer")
            return recorded.answer, await candidate
        return await _together(self._ask(recorded, course, course.control, "legacy"), candidate)

    async def _ask(self, recorded: Recorded, course: Course, upstream: str, side: Side) -> Observation:
        base = str(self._routes.upstreams[upstream].url).rstrip("/")
        fields = fields_of(recorded, course.shadow if side == "modern" else None)
        client, began = self._clients[upstream], monotonic()
        try:
            request = httpx.Request(recorded.method, base + recorded.target, headers=fields, content=recorded.body)
            request.extensions = {"timeout": client.timeout.as_dict()}
            answer = await client.send(request, stream=True)
            try:
                body = await _body(answer, course.plan.mirror_body_max)
            finally:
                await answer.aclose()
        except (httpx.HTTPError, httpx.InvalidURL, OSError, ValueError) as error:
            raise Unanswered(side) from error
        headers = tuple((name.decode("latin-1"), value.decode("latin-1")) for name, value in answer.headers.raw)
        return Observation(answer.status_code, headers, body, monotonic() - began, side)


class Unanswered(Exception):
    """A side that gave no whole answer."""

    def __init__(self, side: Side) -> None:
        super().__init__(side)
        self.side: Side = side


async def _together(
    control: Awaitable[Observation], candidate: Awaitable[Observation]
) -> tuple[Observation, Observation]:
    """Both answers; what went wrong with either is raised when both have ended."""
    found = await asyncio.gather(control, candidate, return_exceptions=True)
    ours, theirs = found
    if isinstance(ours, BaseException):
        raise ours
    if isinstance(theirs, BaseException):
        raise theirs
    return ours, theirs


async def _body(answer: httpx.Response, bytes_max: int) -> bytes:
    parts: list[bytes] = []
    count = 0
    async for part in answer.aiter_raw():
        count += len(part)
        if count > bytes_max:
            raise TooLarge
        parts.append(part)
    return b"".join(parts)


def _now() -> float:
    return datetime.now(UTC).timestamp()


def replay(
    routes: Routes, requests: Iterable[Recorded], pace: Pace, told: Callable[[int], None] = lambda _: None
) -> Outcome:
    """Send the requests and summarise what came back. Raises RecordingInvalid."""
    with TemporaryDirectory(prefix="strangler-replay-") as folder, closing(Store(Path(folder) / "shadow.db")) as store:

        async def run() -> Outcome:
            return await Replay(routes, pace, told).run(requests, store)

        try:
            outcome = asyncio.run(run())
        except ExceptionGroup as group:
            if isinstance(group.exceptions[0], StranglerError | OSError):
                raise group.exceptions[0] from group
            raise
        outcome.summaries = {name: store.summary(name) for name in store.capabilities()}
    return outcome
