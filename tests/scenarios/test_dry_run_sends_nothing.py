"""A dry run of a service that books, calls another server and publishes: nothing stays, nothing is sent, all is told."""

from __future__ import annotations

import asyncio
import hmac
import re
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Any

import httpx
import psycopg
import pytest
from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from config.model import Compare
from legacy_adapter.connections import Connections
from services.dry_run.effects import is_dry_run, withholds
from services.dry_run.middleware import DryRun
from services.dry_run.outgoing import AsyncOutgoing, Outgoing
from services.ledger import transfers
from services.ledger.dry_run import in_transaction
from shadow.rules import Rules
from tests.support.answers import answer as seen
from tests.support.answers import verdict_on
from tests.support.ledger import DAY, open_books, transfer_body
from tests.support.wire import Upstream, answer, upstream

ALICE, BOB, KEY = "2000000001", "2000000002", b"a key of the service"
EVERYTHING = (
    "SELECT 'posting', to_jsonb(p) FROM posting p UNION ALL SELECT 'account', to_jsonb(a) FROM account a "
    "UNION ALL SELECT 'sequence', to_jsonb(s.last_value) FROM posting_sequence s ORDER BY 1, 2"
)


class Payments:
    """A service of its own: notes the transfer at two others, books it and says so."""

    def __init__(self, books: str, other: str) -> None:
        self._books, self._other = books, other
        self.published: list[tuple[str, bytes]] = []

    async def post(self, request: Request) -> Response:
        body = await request.body()
        wanted = transfers.parse(body)
        connections = Connections(self._books, name="payments", size=1, autocommit=True)
        async with httpx.AsyncClient(transport=AsyncOutgoing(httpx.AsyncHTTPTransport())) as client:
            await client.post(f"{self._other}/v1/checks/{wanted.reference}", content=body)
        await asyncio.to_thread(self._notify, wanted.debtor)
        work = partial(transfers.post, transfer=wanted, business_date=DAY, is_dry=is_dry_run())
        outcome = await in_transaction(connections, work, is_dry=is_dry_run())
        await connections.close()
        if not withholds("transfer.booked", body):
            self.published.append(("transfer.booked", body))
        return JSONResponse({"balance": str(outcome.debtor_balance)}, 201)

    def _notify(self, account: str) -> None:
        with httpx.Client(transport=Outgoing(httpx.HTTPTransport())) as client:
            client.put(f"{self._other}/notices/{account}")

    def ask(self, headers: dict[str, str], amount: str = "10.00") -> httpx.Response:
        routes = [Route("/payments", self.post, methods=["POST"])]
        app = Starlette(routes=routes, middleware=[Middleware(DryRun, digest_key=KEY)])
        content = httpx.Request("POST", "http://x", json=transfer_body("r1", ALICE, BOB, amount)).content

        async def ask() -> httpx.Response:
            transport = httpx.ASGITransport(app)
            async with httpx.AsyncClient(transport=transport, base_url="http://payments") as client:
                return await client.post("/payments", content=content, headers=headers)

        return asyncio.run(ask())


@pytest.fixture
def other() -> Iterator[Upstream]:
    with upstream() as server:
        server.respond = answer(b"{}")
        yield server


@pytest.fixture
def payments(modern_db: str, other: Upstream) -> Payments:
    open_books(modern_db, [(ALICE, "GBP", "100.00"), (BOB, "GBP", "50.00")])
    return Payments(modern_db, other.url)


def _everything(url: str) -> list[tuple[object, ...]]:
    with psycopg.connect(url) as connection:
        return connection.execute(EVERYTHING).fetchall()


def _digest(body: bytes) -> str:
    return hmac.new(KEY, body, "sha256").hexdigest()[:16]


def test_a_dry_run_leaves_and_sends_nothing_and_says_what_the_real_one_sends(
    payments: Payments, modern_db: str, other: Upstream
) -> None:
    before = _everything(modern_db)
    dry = payments.ask({"X-Shadow": "dry-run"})
    assert (_everything(modern_db), other.requests, payments.published) == (before, [], [])

    real = payments.ask({})
    assert _everything(modern_db) != before
    assert (dry.status_code, dry.content) == (real.status_code, real.content)
    assert "x-shadow-effects" not in real.headers

    check, notice = other.requests
    assert (check.method, check.target) == (b"POST", b"/v1/checks/r1")
    assert (notice.method, notice.target) == (b"PUT", b"/notices/2000000001")
    host = other.url.removeprefix("http://")
    assert dry.headers["x-shadow-effects"].split(", ") == [
        f'call;suppressed;method="POST";host="{host}";path="/v1/checks/{{}}";digest="{_digest(check.body)}"',
        f'call;suppressed;method="PUT";host="{host}";path="/notices/{{}}";digest="{_digest(b"")}"',
        f'event;suppressed;topic="transfer.booked";digest="{_digest(payments.published[0][1])}"',
    ]
    assert "2000000001" not in dry.headers["x-shadow-effects"]


def test_two_dry_runs_that_would_send_something_else_are_different_where_the_route_compares_effects(
    payments: Payments,
) -> None:
    """Their answers' heads are those of a route with `compare: {headers: [x-shadow-effects]}`."""
    ten, ten_again, eleven = (
        seen(
            {},
            headers=(("X-Shadow-Effects", payments.ask({"X-Shadow": "dry-run"}, amount).headers["x-shadow-effects"]),),
        )
        for amount in ("10.00", "10.00", "11.00")
    )
    rules = Rules.of(Compare(headers=["x-shadow-effects"]))
    assert verdict_on(ten, ten_again, rules).agrees
    verdict = verdict_on(ten, eleven, rules)
    assert [difference.path for difference in verdict.differences] == ["header:x-shadow-effects"]
    assert verdict.counts_against


def test_the_example_of_the_documentation_does_what_is_said_of_it(
    modern_db: str, other: Upstream, monkeypatch: pytest.MonkeyPatch
) -> None:
    text = (Path(__file__).parents[2] / "docs/dry-runs.md").read_text()
    (example,) = re.findall(r"^```python\n(.*?)^```", text, re.DOTALL | re.MULTILINE)
    for name, value in (("FRAUD_URL", other.url), ("DATABASE_URL", modern_db), ("DIGEST_KEY", KEY.decode())):
        monkeypatch.setenv(name, value)
    space: dict[str, Any] = {"__name__": "example"}
    exec(compile(example, "docs/dry-runs.md", "exec"), space)

    async def ask() -> httpx.Response:
        async with space["client"], httpx.AsyncClient(transport=httpx.ASGITransport(space["app"])) as client:
            return await client.put("http://shop/orders/4711", content=b"{}", headers={"X-Shadow": "dry-run"})

    with psycopg.connect(modern_db, autocommit=True) as connection:
        connection.execute("CREATE TABLE orders (body text)")
        dry = asyncio.run(ask())
        assert connection.execute("SELECT count(*) FROM orders").fetchone() == (0,)
    assert (dry.status_code, other.requests) == (201, [])
    host, digest = other.url.removeprefix("http://"), _digest(b"{}")
    assert dry.headers["x-shadow-effects"] == (
        f'call;suppressed;method="PUT";host="{host}";path="/checks/{{number}}";digest="{digest}", '
        f'event;suppressed;topic="order.placed";digest="{digest}"'
    )
