from __future__ import annotations

import asyncio
import hashlib
from collections.abc import AsyncIterator, Iterator

import httpx
import pytest

from services.dry_run.effects import DIGEST_DIGITS, Effects, recording
from services.dry_run.outgoing import AsyncOutgoing, Calls, Outgoing

URL, BODY = "https://fraud.example:8443/v1/checks/GB29NWBK60161331926819?name=alice", b'{"amount": "10.00"}'
RECORD = (
    'call;suppressed;method="POST";host="fraud.example:8443";path="/v1/checks/{}";'
    f'digest="{hashlib.sha256(BODY).hexdigest()[:DIGEST_DIGITS]}"'
)


class _Server:
    """The other server, on both kinds of transport."""

    def __init__(self) -> None:
        self.seen: list[httpx.Request] = []

    def answer(self, request: httpx.Request) -> httpx.Response:
        self.seen.append(request)
        return httpx.Response(200, json={"score": 7})

    def client(self, calls: Calls | None = None) -> httpx.Client:
        return httpx.Client(transport=Outgoing(httpx.MockTransport(self.answer), calls))

    def async_client(self, calls: Calls | None = None) -> httpx.AsyncClient:
        return httpx.AsyncClient(transport=AsyncOutgoing(httpx.MockTransport(self.answer), calls))


def test_a_call_is_sent_outside_a_dry_run() -> None:
    server = _Server()
    with server.client() as client:
        assert client.post(URL, content=BODY).json() == {"score": 7}
    assert [request.content for request in server.seen] == [BODY]


@pytest.mark.parametrize("in_parts", [False, True])
def test_a_call_is_recorded_without_values_and_not_sent_in_a_dry_run(in_parts: bool) -> None:
    server, effects = _Server(), Effects()

    def parts() -> Iterator[bytes]:
        yield from (BODY[:5], BODY[5:])

    with server.client() as client, recording(effects):
        answer = client.post(URL, content=parts() if in_parts else BODY)
    assert (answer.status_code, server.seen, effects.header()) == (202, [], RECORD)


@pytest.mark.parametrize("in_parts", [False, True])
def test_it_is_the_same_on_the_loop(in_parts: bool) -> None:
    server, effects = _Server(), Effects()

    async def parts() -> AsyncIterator[bytes]:
        yield BODY[:5]
        yield BODY[5:]

    async def ask() -> httpx.Response:
        async with server.async_client() as client:
            await client.get(URL)
            with recording(effects):
                return (await asyncio.gather(client.post(URL, content=parts() if in_parts else BODY)))[0]

    assert (asyncio.run(ask()).status_code, effects.header()) == (202, RECORD)
    assert [request.method for request in server.seen] == ["GET"]


def test_the_service_says_what_a_suppressed_call_is_answered_and_what_is_sent_all_the_same() -> None:
    def answer(_: httpx.Request) -> httpx.Response:
        return httpx.Response(201, json={"score": 0})

    server, effects = _Server(), Effects()
    calls = Calls(answer, passes=frozenset({"GET"}))
    with server.client(calls) as client, recording(effects):
        assert client.get(URL).json() == {"score": 7}
        assert client.post(URL, content=BODY).json() == {"score": 0}
    assert [request.method for request in server.seen] == ["GET"]
    passed = 'call;passed;method="GET";host="fraud.example:8443";path="/v1/checks/{}"'
    assert effects.header() == f"{passed}, {RECORD}"


@pytest.mark.parametrize(
    ("path", "pattern"),
    [
        ("/customers/alice/notes", "/customers/{name}/notes"),  # as it is declared
        ("/v2/transfers/r-1", "/v2/transfers/{}"),
        ("/Accounts/10000001/a b", "/{}/{}/{}"),
        ("/", "/"),
    ],
)
def test_a_path_keeps_what_every_request_has_in_it(path: str, pattern: str) -> None:
    assert Calls(patterns=("/customers/{name}/notes",)).pattern_of(path) == pattern
