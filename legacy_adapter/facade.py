"""The monolith's own interfaces (E04 and E02) over the ledger: old clients never change.

Forms are checked here with the monolith's own rules, so that what the ledger would refuse in its words is refused in
the monolith's before it is asked. Absorbed: only 200 is answered (Q09), lists are cut at 20 (Q17), a reference is
unique in the ledger (Q13).
"""

from __future__ import annotations

import re
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from decimal import Decimal

import msgspec
import structlog
from starlette.applications import Starlette
from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response
from starlette.routing import Route

from config.errors import UpstreamDown
from legacy_adapter import blocks, facade_translate, serving, wire
from legacy_adapter.ledger_client import DRY_RUN_HEADER, LedgerClient, OutcomeUnknown, Problem, Resource
from legacy_adapter.serving import BodyTooLarge, read_body

BLOCK_BYTES_MAX = 4096
DOWN = {
    "type": "urn:problem:ledger_down",
    "title": "The ledger does not answer. Nothing was written.",
    "status": 503,
    "code": "ledger_down",
}

_ACCOUNT_NUMBER, _CUSTOMER_NUMBER = re.compile(r"[0-9]{10}"), re.compile(r"[0-9]{8}")
log = structlog.get_logger()
Endpoint = Callable[[Request], Awaitable[Response]]


class Facade:
    """The endpoints, over one client of the ledger."""

    def __init__(self, client: LedgerClient) -> None:
        self._client = client

    async def account(self, request: Request) -> Response:
        """GET /accounts/{no}."""
        number = request.path_params["no"]
        if not _ACCOUNT_NUMBER.fullmatch(number):
            return _json(wire.not_found())
        found = await self._client.read("accounts", number)
        return _shown(found, facade_translate.account_answer, wire.MESSAGES[wire.NOT_FOUND])

    async def statement(self, request: Request) -> Response:
        """GET /accounts/{no}/statement."""
        number = request.path_params["no"]
        if not _ACCOUNT_NUMBER.fullmatch(number):
            return _json(wire.not_found())
        limit = wire.statement_limit(request.query_params.get("limit"))
        found = await self._client.read("accounts", number, "transactions", limit=limit)
        return _shown(found, facade_translate.statement_answer, wire.MESSAGES[wire.NOT_FOUND])

    async def customer_accounts(self, request: Request) -> Response:
        """GET /customers/{no}/accounts."""
        number = request.path_params["no"]
        if not _CUSTOMER_NUMBER.fullmatch(number):
            return _json(wire.not_found(wire.CUSTOMER_NOT_FOUND))
        found = await self._client.read("customers", number, "accounts", limit=wire.ITEMS_MAX)
        return _shown(found, facade_translate.customer_answer, wire.CUSTOMER_NOT_FOUND)

    async def transfer(self, request: Request) -> Response:
        """GET /transfers/{ref}."""
        reference = request.path_params["ref"]
        if not wire.is_reference(reference):
            return _json(wire.not_found(wire.TRANSFER_NOT_FOUND))
        found = await self._client.read("transfers", reference)
        return _shown(found, facade_translate.transfer_answer, wire.TRANSFER_NOT_FOUND)

    async def post_transfer(self, request: Request) -> Response:
        """POST /accounts/{no}/transfers."""
        try:
            order = wire.read_order(request.path_params["no"], await read_body(request, wire.BODY_BYTES_MAX))
        except BodyTooLarge:
            order = wire.Refused(wire.BAD_FORMAT, "")
        if isinstance(order, wire.Refused):
            return _json(wire.refusal(order.rc, order.reference))
        rc, posted = await self._post(request, order)
        if posted is None:
            return _json(facade_translate.refused_answer(rc, order.reference))
        return _json(facade_translate.posted_answer(order.reference, posted))

    async def block(self, request: Request) -> Response:
        """POST /cics: INQA and XFER in EBCDIC, by the copybooks."""
        try:
            asked = blocks.read_block(await read_body(request, BLOCK_BYTES_MAX))
        except BodyTooLarge:
            asked = blocks.Unreadable("")
        if isinstance(asked, blocks.Inquiry):
            reply = await self._inquire(asked.account)
        elif isinstance(asked, wire.TransferOrder):
            rc, posted = await self._post(request, asked)
            reply = blocks.transfer_reply(rc, asked.reference, posted)
        else:
            reply = blocks.unreadable_reply(asked)
        return Response(reply, media_type="application/octet-stream")

    async def healthz(self, _: Request) -> Response:
        """GET /healthz: the ledger's health."""
        return Response(status_code=200 if await self._client.is_healthy() else 503)

    async def close(self) -> None:
        """Close the client."""
        await self._client.close()

    async def _post(self, request: Request, order: wire.TransferOrder) -> tuple[str, Decimal | None]:
        """The return code, and the payer's balance if the transfer was posted."""
        if not (_ACCOUNT_NUMBER.fullmatch(order.payer) and _ACCOUNT_NUMBER.fullmatch(order.payee)):
            return wire.NOT_FOUND, None
        try:
            posted = await self._client.post_transfer(order, request.headers.get(DRY_RUN_HEADER))
        except OutcomeUnknown:
            return wire.OUTCOME_UNKNOWN, None
        return (posted.rc, None) if isinstance(posted, Problem) else (wire.OK, posted)

    async def _inquire(self, number: str) -> bytes:
        if not _ACCOUNT_NUMBER.fullmatch(number):
            return blocks.inquiry_reply(wire.NOT_FOUND, number)
        found = await self._client.read("accounts", number)
        if isinstance(found, Problem):
            return blocks.inquiry_reply(found.rc, number)
        return blocks.inquiry_reply(wire.OK, number, facade_translate.account_record(found))


def application(client: LedgerClient) -> Starlette:
    """The facade as a Starlette application; it closes the client at its end."""
    facade = Facade(client)

    @asynccontextmanager
    async def lifespan(_: Starlette) -> AsyncIterator[None]:
        yield
        await facade.close()

    routes = [
        Route("/accounts/{no}", _guarded(facade.account)),
        Route("/accounts/{no}/statement", _guarded(facade.statement)),
        Route("/accounts/{no}/transfers", _guarded(facade.post_transfer), methods=["POST"]),
        Route("/customers/{no}/accounts", _guarded(facade.customer_accounts)),
        Route("/transfers/{ref}", _guarded(facade.transfer)),
        Route("/cics", _guarded(facade.block), methods=["POST"]),
        Route("/healthz", _guarded(facade.healthz)),
    ]
    return Starlette(routes=routes, lifespan=lifespan)


def serve(ledger_url: str, listen: str) -> int:
    """Answer until SIGTERM or SIGINT; returns the exit code. Raises PortInUse."""
    app = application(LedgerClient(ledger_url))
    return serving.serve(app, listen, event="facade.listening", headers={"Server": wire.SERVER})


def _shown(found: Resource | Problem, answer: Callable[[Resource], Resource], not_found: str) -> Response:
    if not isinstance(found, Problem):
        return _json(answer(found))
    return _json(wire.not_found(not_found) if found.rc == wire.NOT_FOUND else wire.unavailable())


def _guarded(endpoint: Endpoint) -> Endpoint:
    """The endpoint, which answers 503 with a problem (RFC 9457) where the ledger does not answer."""

    async def answer(request: Request) -> Response:
        try:
            return await endpoint(request)
        except UpstreamDown as down:
            log.warning("facade.ledger_down", reason=down.reason)
            return Response(msgspec.json.encode(DOWN), 503, media_type="application/problem+json")
        except ClientDisconnect:
            return Response(status_code=400)  # nobody is there to read it

    return answer


def _json(answer: Resource) -> Response:
    return Response(wire.to_json(answer), media_type="application/json")
