from __future__ import annotations

import asyncio
from collections.abc import Callable
from decimal import Decimal

import httpx
import pytest

from config.errors import UpstreamDown
from legacy_adapter import wire
from legacy_adapter.ledger_client import LedgerClient, OutcomeUnknown, Problem

ORDER = wire.TransferOrder("r1", "2000000001", "2000000002", Decimal(5), None)
BOOKED = {"debtorBalance": {"currency": "GBP", "amount": "95.00"}}

Answer = Callable[[httpx.Request], httpx.Response]


def _post(*answers: Answer, shadow: str | None = None) -> tuple[Decimal | Problem, list[httpx.Request]]:
    sent: list[httpx.Request] = []

    def answer(request: httpx.Request) -> httpx.Response:
        sent.append(request)
        return answers[len(sent) - 1](request)

    async def ask() -> Decimal | Problem:
        client = LedgerClient("http://ledger", httpx.MockTransport(answer))
        try:
            return await client.post_transfer(ORDER, shadow)
        finally:
            await client.close()

    return asyncio.run(ask()), sent


def _fails(error: type[httpx.TransportError]) -> Answer:
    def answer(_: httpx.Request) -> httpx.Response:
        raise error("as asked")

    return answer


def _booked(_: httpx.Request) -> httpx.Response:
    return httpx.Response(201, json=BOOKED)


def test_the_balance_comes_back_and_the_shadow_header_goes_on() -> None:
    balance, sent = _post(_booked, shadow="dry-run")
    assert balance == Decimal("95.00")
    assert sent[0].headers["X-Shadow"] == "dry-run"
    assert "X-Shadow" not in _post(_booked)[1][0].headers


def test_a_lost_answer_is_asked_for_once_more() -> None:
    balance, sent = _post(_fails(httpx.RemoteProtocolError), _booked)
    assert (balance, len(sent)) == (Decimal("95.00"), 2)
    assert sent[0].content == sent[1].content


def test_what_was_never_sent_is_told_from_what_nobody_knows() -> None:
    with pytest.raises(UpstreamDown, match="ConnectError"):
        _post(_fails(httpx.ConnectError))
    with pytest.raises(OutcomeUnknown):
        _post(_fails(httpx.ReadTimeout))
    with pytest.raises(OutcomeUnknown):
        _post(_fails(httpx.ReadError), _fails(httpx.ConnectError))
    with pytest.raises(OutcomeUnknown):
        _post(_fails(httpx.ReadError), _fails(httpx.ReadError))


@pytest.mark.parametrize(
    ("body", "rc"),
    [
        ({"code": "funds", "legacyCode": "51"}, wire.NO_FUNDS),
        ({"code": "fenced"}, wire.UNAVAILABLE),
        ({"code": "database_down"}, wire.OUTCOME_UNKNOWN),
    ],
)
def test_a_refusal_has_the_monoliths_return_code(body: dict[str, str], rc: str) -> None:
    assert _post(lambda _: httpx.Response(503, json=body))[0] == Problem(503, rc)


def test_a_read_that_was_lost_is_asked_once_more() -> None:
    sent: list[httpx.Request] = []

    def answer(request: httpx.Request) -> httpx.Response:
        sent.append(request)
        if len(sent) == 1:
            raise httpx.RemoteProtocolError("as asked")
        return httpx.Response(200, json={"a": 1})

    async def ask() -> object:
        return await LedgerClient("http://ledger", httpx.MockTransport(answer)).read("accounts", "1")

    assert asyncio.run(ask()) == {"a": 1}


def test_what_is_no_answer_of_the_ledger_is_an_error() -> None:
    with pytest.raises(UpstreamDown, match="502"):
        _post(lambda _: httpx.Response(502, text="bad gateway"))


def test_a_path_is_built_of_segments_whatever_they_hold() -> None:
    seen: list[bytes] = []

    def answer(request: httpx.Request) -> httpx.Response:
        seen.append(request.url.raw_path)
        return httpx.Response(200, json={})

    async def ask() -> None:
        client = LedgerClient("http://ledger", httpx.MockTransport(answer))
        await client.read("transfers", "../a b?ü%")
        await client.read("accounts", "1", "transactions", limit=5)
        assert await client.is_healthy()
        await client.close()

    asyncio.run(ask())
    assert seen == [
        b"/v1/transfers/%2E%2E%2Fa%20b%3F%C3%BC%25",
        b"/v1/accounts/1/transactions?limit=5",
        b"/healthz",
    ]
