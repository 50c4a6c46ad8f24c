"""httpx transports that send nothing in a dry run: they record the call and answer it themselves."""

from __future__ import annotations

import re
from collections.abc import AsyncIterable, Callable, Iterable
from dataclasses import dataclass, field
from typing import cast

import httpx
from starlette.routing import compile_path

from services.dry_run.effects import Effect, Effects, current, digest

# A segment that is written like this names a resource; every other one may be somebody's number or name.
_NAMES_A_RESOURCE = re.compile(r"[a-z][a-z_.-]{0,31}|v[0-9]{1,3}")


def accepted(_: httpx.Request) -> httpx.Response:
    """The answer to a call that was not made, where a service says nothing else."""
    return httpx.Response(202)


@dataclass(frozen=True)
class Calls:
    """How a service's calls are treated in a dry run.

    `answer` is what a suppressed call is answered. `passes` are methods that are sent all the same: those with which
    the service only reads at the other server, and of which it needs the real answer. `patterns` are the paths that it
    calls, as Starlette writes them ("/checks/{id}"); other paths keep only segments of lower-case letters.
    """

    answer: Callable[[httpx.Request], httpx.Response] = accepted
    passes: frozenset[str] = frozenset()
    patterns: tuple[str, ...] = ()
    _compiled: tuple[tuple[re.Pattern[str], str], ...] = field(init=False, repr=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "_compiled", tuple(compile_path(pattern)[:2] for pattern in self.patterns))

    def effect(self, request: httpx.Request, body_digest: str = "") -> Effect:
        """What is recorded of a call; without a digest it was passed."""
        netloc, path = request.url.netloc.decode("ascii"), self.pattern_of(request.url.path)
        return Effect("call", (("method", request.method), ("host", netloc), ("path", path)), body_digest)

    def pattern_of(self, path: str) -> str:
        """The path without what only one request has in it."""
        for expression, pattern in self._compiled:
            if expression.match(path):
                return pattern
        segments = path.split("/")
        return "/".join(text if not text or _NAMES_A_RESOURCE.fullmatch(text) else "{}" for text in segments)


class Outgoing(httpx.BaseTransport):
    """For `httpx.Client(transport=...)`: sends through `inner`, except in a dry run."""

    def __init__(self, inner: httpx.BaseTransport, calls: Calls | None = None) -> None:
        self._inner, self._calls = inner, calls or Calls()

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        """Send the request, or record it."""
        effects = current()
        if effects is None or _passes(self._calls, request, effects):
            return self._inner.handle_request(request)
        hasher = effects.hasher()
        for part in cast("Iterable[bytes]", request.stream):
            hasher.update(part)
        effects.add(self._calls.effect(request, digest(hasher)))
        return self._calls.answer(request)

    def close(self) -> None:
        """Close what sends."""
        self._inner.close()


class AsyncOutgoing(httpx.AsyncBaseTransport):
    """For `httpx.AsyncClient(transport=...)`: sends through `inner`, except in a dry run."""

    def __init__(self, inner: httpx.AsyncBaseTransport, calls: Calls | None = None) -> None:
        self._inner, self._calls = inner, calls or Calls()

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        """Send the request, or record it."""
        effects = current()
        if effects is None or _passes(self._calls, request, effects):
            return await self._inner.handle_async_request(request)
        hasher = effects.hasher()
        async for part in cast("AsyncIterable[bytes]", request.stream):
            hasher.update(part)
        effects.add(self._calls.effect(request, digest(hasher)))
        return self._calls.answer(request)

    async def aclose(self) -> None:
        """Close what sends."""
        await self._inner.aclose()


def _passes(calls: Calls, request: httpx.Request, effects: Effects) -> bool:
    if request.method not in calls.passes:
        return False
    effects.add(calls.effect(request))
    return True
