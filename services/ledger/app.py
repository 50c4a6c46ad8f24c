"""The ledger's REST interface: Berlin Group nouns, money as strings, problems as RFC 9457."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from datetime import date
from functools import partial

import msgspec
import structlog
from psycopg import AsyncConnection
from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.middleware import Middleware
from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response
from starlette.routing import Route

from legacy_adapter.connections import Connections
from legacy_adapter.serving import BodyTooLarge, read_body
from legacy_adapter.serving import serve as serve_app
from services.dry_run.effects import is_dry_run
from services.dry_run.middleware import DryRun
from services.ledger import reads, transfers
from services.ledger.dry_run import in_reading, in_transaction
from services.ledger.problems import Refused, problem

NAME = "ledger"
CONNECTIONS, BODY_BYTES_MAX, DEFAULT_LIMIT = 16, 16 * 1024, 20

log = structlog.get_logger()
Endpoint = Callable[[Request], Awaitable[Response]]
Read = Callable[[AsyncConnection], Awaitable[reads.Row]]


class Ledger:
    """The endpoints, over one set of connections. `business_date` overrides the setting in the books."""

    def __init__(self, database_url: str, business_date: date | None = None) -> None:
        self._connections = Connections(database_url, name=NAME, size=CONNECTIONS, autocommit=True)
        self._business_date = business_date

    async def account(self, request: Request) -> Response:
        """GET /v1/accounts/{id}."""
        return await self._read(partial(reads.account, account_id=request.path_params["id"]))

    async def transactions(self, request: Request) -> Response:
        """GET /v1/accounts/{id}/transactions?limit=."""
        limit = _limit(request, reads.TRANSACTIONS_MAX)
        return await self._read(partial(reads.transactions, account_id=request.path_params["id"], limit=limit))

    async def customer_accounts(self, request: Request) -> Response:
        """GET /v1/customers/{id}/accounts?limit=."""
        limit = _limit(request, reads.ACCOUNTS_MAX)
        return await self._read(partial(reads.customer_accounts, customer_id=request.path_params["id"], limit=limit))

    async def transfer(self, request: Request) -> Response:
        """GET /v1/transfers/{reference}."""
        return await self._read(partial(reads.transfer, reference=request.path_params["reference"]))

    async def post_transfer(self, request: Request) -> Response:
        """POST /v1/transfers: 201 when it was booked now, 200 when its reference had been booked before."""
        is_dry = is_dry_run()
        wanted = transfers.parse(await read_body(request, BODY_BYTES_MAX))
        work = partial(transfers.post, transfer=wanted, business_date=self._business_date, is_dry=is_dry)
        outcome = await in_transaction(self._connections, work, is_dry=is_dry)
        answer = {
            "reference": wanted.reference,
            "status": "booked",
            "bookedOn": outcome.booked_on,
            "debtor": wanted.debtor,
            "creditor": wanted.creditor,
            "amount": reads.money(wanted.amount, outcome.currency),
            "debtorBalance": reads.money(outcome.debtor_balance, outcome.currency),
        }
        return _json(answer, 200 if outcome.is_stored else 201)

    async def healthz(self, _: Request) -> Response:
        """GET /healthz: reads the books."""
        return await self._read(_read_anything)

    async def close(self) -> None:
        """Give the connections back to PostgreSQL."""
        await self._connections.close()

    async def _read(self, read: Read) -> Response:
        return _json(await in_reading(self._connections, read))


def application(database_url: str, business_date: date | None = None) -> Starlette:
    """The ledger as a Starlette application."""
    ledger = Ledger(database_url, business_date)

    @asynccontextmanager
    async def lifespan(_: Starlette) -> AsyncIterator[None]:
        yield
        await ledger.close()

    routes = [
        Route("/v1/accounts/{id}", _guarded(ledger.account)),
        Route("/v1/accounts/{id}/transactions", _guarded(ledger.transactions)),
        Route("/v1/customers/{id}/accounts", _guarded(ledger.customer_accounts)),
        Route("/v1/transfers/{reference}", _guarded(ledger.transfer)),
        Route("/v1/transfers", _guarded(ledger.post_transfer), methods=["POST"]),
        Route("/healthz", _guarded(ledger.healthz)),
    ]
    handlers, middleware = {HTTPException: _http}, [Middleware(DryRun)]
    return Starlette(routes=routes, lifespan=lifespan, exception_handlers=handlers, middleware=middleware)


def serve(database_url: str, listen: str, business_date: date | None = None) -> int:
    """Answer until SIGTERM or SIGINT; returns the exit code. Raises PortInUse."""
    return serve_app(application(database_url, business_date), listen, event="ledger.listening")


async def _read_anything(connection: AsyncConnection) -> reads.Row:
    await connection.execute("SELECT balance FROM account LIMIT 1")
    return {"status": "ok"}


def _limit(request: Request, limit_max: int) -> int:
    text = request.query_params.get("limit", str(DEFAULT_LIMIT))
    if not (text.isascii() and text.isdigit() and len(text) <= 6 and int(text) > 0):
        raise Refused("format", "The limit is not a whole number above zero.")
    return min(int(text), limit_max)


def _json(body: reads.Row, status: int = 200) -> Response:
    return Response(msgspec.json.encode(body), status, media_type="application/json")


def _guarded(endpoint: Endpoint) -> Endpoint:
    """The endpoint, whose every error is an answer: an error's text may hold values of rows, so it goes nowhere."""

    async def answer(request: Request) -> Response:
        try:
            return await endpoint(request)
        except Refused as refused:
            return problem(refused.code, refused.detail)
        except BodyTooLarge:
            return problem("too_large")
        except ClientDisconnect:
            return problem("format")  # nobody is there to read it
        except Exception as error:  # noqa: BLE001 - the edge of the service
            log.error("ledger.failed", route=request.scope["route"].path, error=type(error).__name__)  # noqa: TRY400
            return problem("internal")

    return answer


async def _http(_: Request, error: Exception) -> Response:
    return problem("method" if isinstance(error, HTTPException) and error.status_code == 405 else "not_found")
