"""Calls the ledger's REST interface: one client, bounded connections, a short wait, and three kinds of failure."""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal
from typing import Any
from urllib.parse import quote

import httpx
import msgspec

from config.errors import UpstreamDown
from legacy_adapter import wire
from legacy_adapter.facade_translate import transfer_request
from legacy_adapter.http_transport import PlainTransport

NAME = "ledger"
CONNECTIONS, TIMEOUT_SECONDS, SENDS = 64, 2.0, 2
DRY_RUN_HEADER = "X-Shadow"
# What can only happen before the request is on its way: nothing was done.
NOT_SENT = (httpx.ConnectError, httpx.ConnectTimeout, httpx.PoolTimeout)
# What happens to a kept connection when the server closes it at the same moment.
LOST = (httpx.ReadError, httpx.WriteError, httpx.RemoteProtocolError)

Resource = dict[str, Any]


class OutcomeUnknown(Exception):
    """The transfer was sent and no answer came; whoever asks for its reference later will know."""


@dataclass(frozen=True)
class Problem:
    """The ledger refused. `rc` is the monolith's return code for the reason."""

    status: int
    rc: str


class LedgerClient:
    """The ledger at `url`; one instance for the whole process, closed at its end."""

    def __init__(self, url: str, transport: httpx.AsyncBaseTransport | None = None) -> None:
        limits = httpx.Limits(max_connections=CONNECTIONS, max_keepalive_connections=CONNECTIONS)
        if transport is None and url.startswith("http://"):
            transport = PlainTransport(url, CONNECTIONS)
        self._url = url
        self._client = httpx.AsyncClient(
            base_url=url, timeout=TIMEOUT_SECONDS, limits=limits, transport=transport, trust_env=False
        )

    async def close(self) -> None:
        """Close the connections."""
        await self._client.aclose()

    async def read(self, *segments: str, limit: int | None = None) -> Resource | Problem:
        """GET /v1/<segments>. Raises UpstreamDown."""
        query = "" if limit is None else f"?limit={limit}"
        path = "/v1/" + "/".join(map(_segment, segments)) + query
        try:
            try:
                answer = await self._client.get(path)
            except LOST:
                answer = await self._client.get(path)
        except httpx.TransportError as error:
            raise self._down(error) from error
        return self._resource(answer)

    async def post_transfer(self, order: wire.TransferOrder, shadow: str | None) -> Decimal | Problem:
        """The payer's balance after the transfer. `shadow` is the value of X-Shadow, passed on as it is.

        The ledger books a reference once, so a transfer that was lost on the way may be sent once more. Raises
        UpstreamDown when nothing was done, OutcomeUnknown when nobody can tell.
        """
        headers = {"Content-Type": "application/json"}
        if shadow is not None:
            headers[DRY_RUN_HEADER] = shadow
        body = msgspec.json.encode(transfer_request(order))
        for attempt in range(1, SENDS + 1):
            try:
                answer = await self._client.post("/v1/transfers", content=body, headers=headers)
            except NOT_SENT as error:
                if attempt > 1:
                    raise OutcomeUnknown from error
                raise self._down(error) from error
            except httpx.TransportError as error:
                if attempt == SENDS or not isinstance(error, LOST):
                    raise OutcomeUnknown from error
            else:
                resource = self._resource(answer)
                return resource if isinstance(resource, Problem) else Decimal(resource["debtorBalance"]["amount"])
        raise OutcomeUnknown

    async def is_healthy(self) -> bool:
        """Whether the ledger reads its books."""
        try:
            return (await self._client.get("/healthz")).status_code == 200
        except httpx.TransportError:
            return False

    def _resource(self, answer: httpx.Response) -> Resource | Problem:
        try:
            body: Resource = msgspec.json.decode(answer.content)
        except msgspec.DecodeError as error:
            raise UpstreamDown(NAME, self._url, f"it answered {answer.status_code} without JSON") from error
        if answer.status_code < 400:
            return body
        if body.get("code") == "database_down" and answer.request.method == "POST":
            return Problem(answer.status_code, wire.OUTCOME_UNKNOWN)
        return Problem(answer.status_code, str(body.get("legacyCode", wire.UNAVAILABLE)))

    def _down(self, error: httpx.TransportError) -> UpstreamDown:
        return UpstreamDown(NAME, self._url, type(error).__name__)


def _segment(text: str) -> str:
    """One segment of a path, dots included: `..` is a reference like any other, not a way up."""
    return quote(text, safe="").replace(".", "%2E")
