"""The admin API: health, metrics, the table in force, holds; JSON in and out, problems as RFC 9457."""

from __future__ import annotations

import json
from collections.abc import Awaitable, Callable
from typing import Any

from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import JSONResponse, PlainTextResponse, Response
from starlette.routing import Route
from starlette.types import ASGIApp

from config.errors import RoutesInvalid, StranglerError, UnknownCapability
from gateway.lease import RUN_LENGTH_MAX
from gateway.supervision.admin_access import Access, problem
from gateway.supervision.exposition import CONTENT_TYPE, Facts, exposition
from gateway.supervision.operations import HOLD_SECONDS_MAX, ComparerDown, Operations

BODY_BYTES_MAX = 4096
TABLE_BYTES_MAX = 512 << 10  # within a line of the channel to a worker

Endpoint = Callable[[Request], Awaitable[Response]]


def application(operations: Operations, token: str | None, read_token: str | None = None) -> ASGIApp:
    """The ASGI application; with a token, nobody gets further without it or, where only read, the other one."""
    endpoints = _Endpoints(operations)
    app = Starlette(
        routes=[
            Route("/healthz", endpoints.healthz),
            Route("/readyz", endpoints.readyz),
            Route("/metrics", endpoints.metrics),
            Route("/api/table", endpoints.table),
            Route("/api/table/next", endpoints.foresee, methods=["PUT"]),
            Route("/api/capabilities", endpoints.capabilities),
            Route("/api/holds/{capability}", endpoints.hold_state, methods=["GET"]),
            Route("/api/holds/{capability}", endpoints.hold, methods=["PUT"]),
            Route("/api/holds/{capability}", endpoints.release, methods=["DELETE"]),
            Route("/api/shadow/{capability}", endpoints.shadow),
        ],
        exception_handlers={HTTPException: _http_problem, StranglerError: _our_problem},
    )
    return Access(app, token, read_token)


class _Endpoints:
    def __init__(self, operations: Operations) -> None:
        self._operations = operations

    async def healthz(self, _: Request) -> Response:
        return JSONResponse({"status": "ok"})

    async def readyz(self, _: Request) -> Response:
        if self._operations.is_ready:
            return JSONResponse({"status": "ready"})
        return problem(503, "Draining." if self._operations.is_draining else "A worker is being replaced.")

    async def metrics(self, _: Request) -> Response:
        operations = self._operations
        facts = Facts(
            digest=operations.table_in_force.digest,
            is_refused=bool(operations.table_in_force.refused),
            worker_restarts=operations.workers.restarts,
            comparer_restarts=operations.comparer.restarts,
            is_comparer_up=operations.comparer.is_whole,
            healthy=operations.healthy(),
            certificates=operations.certificates.expiries() if operations.certificates else {},
            certificates_refused=bool(operations.certificates and operations.certificates.is_refused),
        )
        return PlainTextResponse(exposition(await operations.metrics(), facts), media_type=CONTENT_TYPE)

    async def table(self, _: Request) -> Response:
        return JSONResponse(await self._operations.table())

    async def foresee(self, request: Request) -> Response:
        return JSONResponse(await self._operations.foresee(await _body(request, TABLE_BYTES_MAX)))

    async def capabilities(self, _: Request) -> Response:
        return JSONResponse(await self._operations.capabilities())

    async def hold_state(self, request: Request) -> Response:
        return JSONResponse(await self._operations.hold_state(request.path_params["capability"]))

    async def hold(self, request: Request) -> Response:
        body = await _json_body(request)
        seconds, run = _seconds(body), _run(body)
        order = seconds, run, _seconds(body, "quiet_within") if "quiet_within" in body else 0.0
        return JSONResponse(await self._operations.hold(request.path_params["capability"], *order))

    async def release(self, request: Request) -> Response:
        home = request.query_params.get("home", "")
        if home not in ("", "legacy", "modern"):
            raise HTTPException(422, "Expected `home` to be legacy or modern, or absent.")
        return JSONResponse(await self._operations.release(request.path_params["capability"], home))

    async def shadow(self, request: Request) -> Response:
        return JSONResponse(await self._operations.shadow(request.path_params["capability"]))


async def _http_problem(_: Request, error: Exception) -> Response:
    if not isinstance(error, HTTPException):
        raise error
    return problem(error.status_code, error.detail, error.headers)


STATUSES: tuple[tuple[type[StranglerError], int], ...] = (
    (UnknownCapability, 404),
    (RoutesInvalid, 422),
    (ComparerDown, 503),
)


async def _our_problem(_: Request, error: Exception) -> Response:
    status = next((code for kind, code in STATUSES if isinstance(error, kind)), 500)
    return problem(status, str(error))


async def _body(request: Request, bytes_max: int) -> bytes:
    received = bytearray()
    async for chunk in request.stream():
        received += chunk
        if len(received) > bytes_max:
            raise HTTPException(413, f"A body here has at most {bytes_max} bytes.")
    return bytes(received)


async def _json_body(request: Request) -> Any:
    received = await _body(request, BODY_BYTES_MAX)
    try:
        return json.loads(received)
    except ValueError as error:
        raise HTTPException(400, 'Expected a JSON body such as {"seconds": 3}.') from error


def _seconds(body: Any, key: str = "seconds") -> float:
    seconds = body.get(key) if isinstance(body, dict) else None
    if isinstance(seconds, bool) or not isinstance(seconds, int | float) or not 0 < seconds <= HOLD_SECONDS_MAX:
        raise HTTPException(422, f'Expected {{"{key}": N}} with N above 0 and at most {HOLD_SECONDS_MAX:g}.')
    return float(seconds)


def _run(body: dict[str, Any]) -> str:
    run = body.get("run", "")
    if not isinstance(run, str) or len(run) > RUN_LENGTH_MAX:
        raise HTTPException(422, f"Expected the id of a run as `run`, of at most {RUN_LENGTH_MAX} characters, or none.")
    return run
