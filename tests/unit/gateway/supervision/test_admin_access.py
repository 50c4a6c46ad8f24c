"""The matrix: who shows what, and asks for which verb, on which path."""

from __future__ import annotations

import asyncio

import httpx
import pytest
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import PlainTextResponse
from starlette.routing import Route

from gateway.supervision.admin import application
from gateway.supervision.admin_access import Access

ADMIN, READER = "Bearer admin-token", "Bearer read-token"
FULL, READS, NOTHING = "everything", "reading", "nothing"
WHO = {
    ADMIN: FULL,
    READER: READS,
    None: NOTHING,
    "": NOTHING,
    "Bearer": NOTHING,
    "Bearer ": NOTHING,
    "bearer admin-token": NOTHING,
    "Bearer admin-tokem": NOTHING,
    "Bearer admin-token ": NOTHING,
    "Bearer admin-token, Bearer read-token": NOTHING,
    "Basic admin-token": NOTHING,
    "admin-token": NOTHING,
}
VERBS = {
    ("GET", "/metrics"): READS,
    ("HEAD", "/metrics"): READS,
    ("GET", "/api/table"): READS,
    ("GET", "/api/capabilities"): READS,
    ("GET", "/api/holds/accounts"): READS,
    ("GET", "/api/shadow/accounts"): READS,
    ("PUT", "/api/table/next"): FULL,
    ("PUT", "/api/holds/accounts"): FULL,
    ("DELETE", "/api/holds/accounts"): FULL,
    ("POST", "/api/anything"): FULL,
    ("PATCH", "/api/table"): FULL,
    ("GET", "/healthz"): NOTHING,
    ("GET", "/readyz"): NOTHING,
}


def ask(
    method: str,
    path: str,
    headers: dict[str, str],
    *,
    token: str | None = "admin-token",
    read: str | None = "read-token",
) -> int:
    async def passed(request: Request) -> PlainTextResponse:
        return PlainTextResponse("passed")

    app = Starlette(routes=[Route("/{path:path}", passed, methods=["GET", "HEAD", "PUT", "POST", "DELETE", "PATCH"])])

    async def send() -> int:
        transport = httpx.ASGITransport(Access(app, token, read))
        async with httpx.AsyncClient(transport=transport, base_url="http://127.0.0.1:8081") as client:
            return (await client.request(method, path, headers=headers)).status_code

    return asyncio.run(send())


@pytest.mark.parametrize("verb", VERBS, ids=" ".join)
@pytest.mark.parametrize("shown", WHO, ids=str)
def test_nobody_may_more_than_what_he_shows(shown: str | None, verb: tuple[str, str]) -> None:
    may, needs = WHO[shown], VERBS[verb]
    is_allowed = needs == NOTHING or may == FULL or (may == READS == needs)
    expected = 200 if is_allowed else 403 if may == READS else 401
    assert ask(*verb, {} if shown is None else {"Authorization": shown}) == expected


def test_the_matrix_has_every_path_of_the_api() -> None:
    access = application(None, "admin-token")  # type: ignore[arg-type]
    assert isinstance(access, Access)
    served = {(method, route.path) for route in access._app.routes for method in route.methods}  # type: ignore[attr-defined]
    tested = {(method, path.replace("accounts", "{capability}")) for method, path in VERBS}
    assert served - {("HEAD", path) for _, path in served} <= tested


def test_without_a_reading_token_there_is_no_reader() -> None:
    assert ask("GET", "/metrics", {"Authorization": "Bearer "}, read=None) == 401
    assert ask("GET", "/metrics", {"Authorization": "Bearer "}, read="") == 401


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({}, 200),
        ({"Host": "localhost:8081"}, 200),
        ({"Host": "[::1]:8081"}, 200),
        ({"Host": "rebound.example:8081"}, 403),
        ({"Host": "127.0.0.1.rebound.example"}, 403),
        ({"Host": ""}, 403),
        ({"Origin": "https://evil.example"}, 403),
        ({"Origin": "null"}, 403),
        ({"Sec-Fetch-Site": "cross-site"}, 403),
        ({"Sec-Fetch-Site": "none"}, 200),
    ],
)
def test_on_loopback_a_page_of_another_site_gets_nothing(headers: dict[str, str], status: int) -> None:
    assert ask("PUT", "/api/holds/accounts", headers, token=None, read=None) == status
