"""Through a live gateway: a write answered by legacy, its dry run by modern, and what modern would have sent compared."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import closing, contextmanager
from hashlib import sha256
from pathlib import Path

import httpx
import uvicorn
from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from services.dry_run.effects import is_dry_run, withholds
from services.dry_run.middleware import DryRun
from services.dry_run.outgoing import AsyncOutgoing
from shadow.store import Store
from shadow.summary import Summary
from tests.support.gateway_process import GatewayProcess, fetch
from tests.support.waiting import wait_until
from tests.support.wire import answer, upstream

ROUTES = """
version: 1
upstreams: {{monolith: {{url: "{legacy}"}}, ledger: {{url: "{modern}"}}}}
capabilities: {{accounts: {{legacy: monolith, modern: ledger, stage: shadow}}}}
routes:
  - {{match: "POST /transfers", capability: accounts, shadow: dry_run, compare: {{headers: [x-shadow-effects]}}}}
"""


class Service:
    """Asks another server, publishes, answers; `booked` is what it would keep."""

    def __init__(self, other: str) -> None:
        self._other = other
        self.booked: list[bytes] = []

    async def transfer(self, request: Request) -> Response:
        body = await request.body()
        async with httpx.AsyncClient(transport=AsyncOutgoing(httpx.AsyncHTTPTransport())) as client:
            await client.post(f"{self._other}/checks", content=body)
        if not withholds("transfer.booked", body):
            self.booked.append(body)
        if not is_dry_run():
            self.booked.append(body)
        return Response(b"{}", 201, media_type="application/json")

    @contextmanager
    def served(self) -> Iterator[str]:
        routes = [Route("/transfers", self.transfer, methods=["POST"])]
        app = Starlette(routes=routes, middleware=[Middleware(DryRun)])
        server = uvicorn.Server(uvicorn.Config(app, port=0, log_level="warning", lifespan="off", ws="none"))
        serving = threading.Thread(target=server.run)
        serving.start()
        try:
            wait_until(lambda: server.started, "the service listens")
            yield f"http://127.0.0.1:{server.servers[0].sockets[0].getsockname()[1]}"
        finally:
            server.should_exit = True
            serving.join()


def effects(other: str, body: bytes) -> bytes:
    """What a dry run with that body must say."""
    host, digest = other.removeprefix("http://"), sha256(body).hexdigest()[:16]
    return (
        f'call;suppressed;method="POST";host="{host}";path="/checks";digest="{digest}", '
        f'event;suppressed;topic="transfer.booked";digest="{digest}"'
    ).encode()


def summary_of(store: Path) -> Summary:
    with closing(Store(store)) as one:
        return one.summary("accounts")


def test_what_modern_would_have_sent_is_compared_and_nothing_is_sent(tmp_path: Path) -> None:
    with upstream() as legacy, upstream() as other:
        service = Service(other.url)
        says = b"Content-Type: application/json\r\nX-Shadow-Effects: %b\r\n"
        legacy.respond = answer(b"{}", b"201 Created", says % effects(other.url, b'{"amount": 1}'))
        routes, store = tmp_path / "routes.yaml", tmp_path / ".strangler" / "shadow.db"
        with service.served() as modern:
            routes.write_text(ROUTES.format(legacy=legacy.url, modern=modern))
            with GatewayProcess(routes) as gate:

                def transfer(body: bytes, verdict: str) -> None:
                    before = summary_of(store).accounting.verdicts.get(verdict, 0)

                    def is_judged() -> bool:
                        got = fetch(gate.url + "/transfers", "POST", content=body)
                        assert got.status_code == 201
                        return summary_of(store).accounting.verdicts.get(verdict, 0) > before

                    wait_until(is_judged, f"a pair is {verdict}", 20)

                transfer(b'{"amount": 1}', "equal")
                transfer(b'{"amount": 2}', "different")
                (route,) = summary_of(store).routes
        assert [(one.path, one.kind) for one in route.clusters] == [("header:x-shadow-effects", "value")]
        assert (other.requests, service.booked) == ([], [])
        assert all(request.all("x-shadow") == [] for request in legacy.requests)
