from __future__ import annotations

import asyncio
from collections.abc import Callable

import httpx
import pytest

from legacy_adapter.blocks import layout
from legacy_adapter.codec import encode
from legacy_adapter.facade import application
from legacy_adapter.ledger_client import LedgerClient

Ledger = Callable[[httpx.Request], httpx.Response]
ORDER = b'{"ref":"r1","to":"2000000002","amt":"1.00"}'


def _down(_: httpx.Request) -> httpx.Response:
    raise httpx.ConnectError("as asked")


def _slow(_: httpx.Request) -> httpx.Response:
    raise httpx.ReadTimeout("as asked")


def _fenced(_: httpx.Request) -> httpx.Response:
    return httpx.Response(503, json={"code": "fenced"})


def _ask(ledger: Ledger, method: str, target: str, content: bytes | None = None) -> httpx.Response:
    async def ask() -> httpx.Response:
        app = application(LedgerClient("http://ledger", httpx.MockTransport(ledger)))
        transport = httpx.ASGITransport(app=app)
        async with app.router.lifespan_context(app), httpx.AsyncClient(transport=transport) as client:
            return await client.request(method, f"http://facade{target}", content=content)

    return asyncio.run(ask())


@pytest.mark.parametrize(
    ("method", "target", "content"),
    [
        ("GET", "/accounts/2000000001", None),
        ("GET", "/accounts/2000000001/statement", None),
        ("GET", "/customers/10000001/accounts", None),
        ("GET", "/transfers/r1", None),
        ("POST", "/accounts/2000000001/transfers", ORDER),
        ("POST", "/cics", encode(layout("inqa-req"), {"TRAN": "INQA", "ACCT-NO": "2000000001"})),
    ],
)
def test_a_ledger_that_is_down_is_a_503(method: str, target: str, content: bytes | None) -> None:
    answer = _ask(_down, method, target, content)
    assert (answer.status_code, answer.json()["code"]) == (503, "ledger_down")
    assert answer.headers["content-type"] == "application/problem+json"


def test_a_transfer_that_nobody_knows_of_says_so() -> None:
    answer = _ask(_slow, "POST", "/accounts/2000000001/transfers", ORDER)
    assert (answer.status_code, answer.json()) == (200, {"rc": "97", "msg": "OUTCOME UNKNOWN"})


def test_a_fenced_ledger_is_unavailable_in_the_monoliths_words() -> None:
    answer = _ask(_fenced, "POST", "/accounts/2000000001/transfers", ORDER)
    assert (answer.status_code, answer.json()) == (200, {"rc": "96", "msg": "SYSTEM UNAVAILABLE"})


def test_what_the_monolith_refuses_by_its_form_never_reaches_the_ledger() -> None:
    answer = _ask(_down, "POST", "/accounts/2000000001/transfers", b"{}")
    assert (answer.status_code, answer.json()) == (200, {"rc": "30", "ref": "", "msg": "FORMAT ERROR"})
    assert _ask(_down, "GET", "/accounts/x").json() == {"rc": "14", "msg": "ACCOUNT NOT FOUND"}


def test_its_health_is_the_ledgers() -> None:
    assert _ask(_down, "GET", "/healthz").status_code == 503
    assert _ask(lambda _: httpx.Response(200), "GET", "/healthz").status_code == 200
