"""The middleware that makes a request with `X-Shadow: dry-run` a dry run and puts the record of it into the answer.

    app = Starlette(routes=..., middleware=[Middleware(DryRun, digest_key=key)])
    client = httpx.AsyncClient(transport=AsyncOutgoing(httpx.AsyncHTTPTransport()))

    async with connection.transaction(force_rollback=is_dry_run()):
        ...
    if not withholds("transfer.booked", payload):
        await broker.publish("transfer.booked", payload)

The answer is held until the request has done everything, background tasks too, because only then its head can say in
`X-Shadow-Effects` what would have been sent. An answer of more than HELD_BYTES_MAX is let go, its record "incomplete".
What does not go through an httpx client with the transport, or asks `withholds`, is not held back.
"""

from __future__ import annotations

from starlette.datastructures import Headers
from starlette.responses import JSONResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from services.dry_run.effects import Effects, recording

HEADER, EFFECTS_HEADER = "X-Shadow", "X-Shadow-Effects"
DRY_RUN, MIRROR = "dry-run", "mirror"
HELD_BYTES_MAX = 1024 * 1024


class DryRun:
    """ASGI middleware. With a `digest_key`, a secret, nobody can guess a short body by its digest."""

    def __init__(self, app: ASGIApp, digest_key: bytes = b"") -> None:
        self._app, self._digest_key = app, digest_key

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request. A value of X-Shadow that nobody knows is refused: it may have been meant as a dry run."""
        values = Headers(scope=scope).getlist(HEADER) if scope["type"] == "http" else []
        if values in ([], [MIRROR]):  # a copy that may have its effects: it is a read, or this is a sandbox
            await self._app(scope, receive, send)
        elif values == [DRY_RUN]:
            await self._run_dry(scope, receive, send)
        else:
            await _refusal()(scope, receive, send)

    async def _run_dry(self, scope: Scope, receive: Receive, send: Send) -> None:
        effects = Effects(self._digest_key)
        answer = _HeldAnswer(send, effects)
        with recording(effects):
            try:
                await self._app(scope, receive, answer.send)
            finally:
                await answer.release(is_complete=True)


class _HeldAnswer:
    """What the service has answered so far."""

    def __init__(self, send: Send, effects: Effects) -> None:
        self._send, self._effects = send, effects
        self._messages: list[Message] = []
        self._bytes, self._is_released = 0, False

    async def send(self, message: Message) -> None:
        if self._is_released:
            await self._send(message)
            return
        self._messages.append(message)
        self._bytes += 1 + len(message.get("body", b""))
        if self._bytes > HELD_BYTES_MAX:
            await self.release(is_complete=False)

    async def release(self, *, is_complete: bool) -> None:
        if self._is_released:
            return
        self._is_released = True
        line = EFFECTS_HEADER.lower().encode(), self._effects.header(is_complete=is_complete).encode()
        for message in self._messages:
            is_head = message["type"] == "http.response.start"
            await self._send({**message, "headers": [*message.get("headers", ()), line]} if is_head else message)


def _refusal() -> JSONResponse:
    detail = f"{HEADER} is {DRY_RUN} or {MIRROR}, once."
    body = {"type": "urn:problem:format", "title": f"The value of {HEADER} is not known.", "status": 400}
    return JSONResponse({**body, "detail": detail, "code": "format"}, 400, media_type="application/problem+json")
