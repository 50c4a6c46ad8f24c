from __future__ import annotations

import asyncio

import httpx
import pytest

from services.ledger.app import BODY_BYTES_MAX, application

NOWHERE = "postgresql://nobody@127.0.0.1:1/nothing"
TRANSFER = b'{"reference":"r1","debtor":"2000000001","creditor":"2000000002","amount":{"amount":"1"}}'


def _ask(method: str, target: str, content: bytes | None = None) -> httpx.Response:
    async def ask() -> httpx.Response:
        transport = httpx.ASGITransport(app=application(NOWHERE))
        async with httpx.AsyncClient(transport=transport, base_url="http://ledger") as client:
            return await client.request(method, target, content=content)

    return asyncio.run(ask())


@pytest.mark.parametrize(
    ("method", "target", "content", "status", "code"),
    [
        ("GET", "/v1/accounts/2000000001", None, 503, "database_down"),
        ("GET", "/v1/transfers/r1", None, 503, "database_down"),
        ("GET", "/healthz", None, 503, "database_down"),
        ("POST", "/v1/transfers", TRANSFER, 503, "database_down"),
        ("POST", "/v1/transfers", b"{}", 400, "format"),
        ("POST", "/v1/transfers", b" " * (BODY_BYTES_MAX + 1), 413, "too_large"),
        ("GET", "/v1/accounts/2000000001/transactions?limit=0", None, 400, "format"),
        ("GET", "/v1/accounts/2000000001/transactions?limit=many", None, 400, "format"),
        ("GET", "/v2", None, 404, "not_found"),
        ("DELETE", "/v1/accounts/2000000001", None, 405, "method"),
    ],
)
def test_whatever_goes_wrong_is_a_problem(
    method: str, target: str, content: bytes | None, status: int, code: str
) -> None:
    answer = _ask(method, target, content)
    assert (answer.status_code, answer.json()["code"]) == (status, code)
    assert answer.headers["content-type"] == "application/problem+json"
