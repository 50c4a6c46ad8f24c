"""Who may ask the admin API what: one token for everything, one that only reads, nobody from another site's page."""

from __future__ import annotations

import hmac
from collections.abc import Mapping
from ipaddress import ip_address
from typing import Final
from urllib.parse import urlsplit

import structlog
from starlette.responses import JSONResponse, Response
from starlette.types import ASGIApp, Receive, Scope, Send

# A load balancer asks these without a token; they say nothing but yes or no.
OPEN_PATHS: Final = frozenset({"/healthz", "/readyz"})
READING: Final = frozenset({"GET", "HEAD"})

log = structlog.get_logger()


def problem(status: int, detail: str, headers: Mapping[str, str] | None = None) -> Response:
    """An RFC 9457 body."""
    body = {"type": "about:blank", "status": status, "detail": detail}
    return JSONResponse(body, status, dict(headers or {}), media_type="application/problem+json")


class Access:
    """Lets through who may (RFC 6750); tokens are compared in constant time, and refusals are in the log."""

    def __init__(self, app: ASGIApp, token: str | None, read_token: str | None) -> None:
        """Without `token` the API is on loopback, and whoever is on this machine may ask."""
        self._app = app
        self._token = token
        self._read_token = read_token

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer 401 or 403, or pass the request on."""
        if scope["type"] != "http" or scope["path"] in OPEN_PATHS:
            await self._app(scope, receive, send)
            return
        refusal = self._refusal(scope)
        if refusal is None:
            await self._app(scope, receive, send)
            return
        client = scope.get("client") or ("", 0)
        log.warning("admin.refused", method=scope["method"], status=refusal.status_code, client=client[0])
        await refusal(scope, receive, send)

    def _refusal(self, scope: Scope) -> Response | None:
        headers = dict(scope["headers"])
        if self._token is None:
            return None if _is_local(headers) else problem(403, "On loopback this API answers to loopback names only.")
        shown = headers.get(b"authorization", b"")
        if hmac.compare_digest(shown, b"Bearer " + self._token.encode()):
            return None
        is_reader = self._read_token and hmac.compare_digest(shown, b"Bearer " + self._read_token.encode())
        if not is_reader:
            return problem(401, "This API needs a bearer token.", {"WWW-Authenticate": "Bearer"})
        if scope["method"] in READING:
            return None
        insufficient = 'Bearer error="insufficient_scope"'
        return problem(403, "This token only reads.", {"WWW-Authenticate": insufficient})


def _is_local(headers: Mapping[bytes, bytes]) -> bool:
    """Not a page of another site: its browser names the page's origin, or a name that was made to mean this machine."""
    host = urlsplit(f"//{headers.get(b'host', b'').decode('latin-1')}").hostname or ""
    if b"origin" in headers or headers.get(b"sec-fetch-site", b"none") not in (b"none", b"same-origin"):
        return False
    try:
        return host == "localhost" or ip_address(host).is_loopback
    except ValueError:
        return False
