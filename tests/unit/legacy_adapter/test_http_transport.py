from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable

import httpx
import pytest

from legacy_adapter.http_transport import ANSWER_BYTES_MAX, PlainTransport

OK = b"HTTP/1.1 200 OK\r\nX-One: 1\r\nContent-Length: 2\r\n\r\nok"
Asking = Callable[[httpx.AsyncClient], Awaitable[None]]


def _with_server(answers: list[bytes | None], asking: Asking, *, connections: int = 2) -> list[list[bytes]]:
    """Ask a server that gives these answers in turn, None for hanging up; returns what each connection sent."""
    seen: list[list[bytes]] = []

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        requests: list[bytes] = []
        seen.append(requests)
        while answers and (head := await reader.read(65536)):
            requests.append(head)
            answer = answers.pop(0)
            if answer is None:
                break
            writer.write(answer)
            await writer.drain()
        writer.close()

    async def run() -> None:
        server = await asyncio.start_server(serve, "127.0.0.1", 0)
        port = server.sockets[0].getsockname()[1]
        url = f"http://127.0.0.1:{port}"
        async with httpx.AsyncClient(transport=PlainTransport(url, connections), base_url=url, timeout=1) as client:
            await asking(client)
        server.close()
        await server.wait_closed()

    asyncio.run(run())
    return seen


def test_a_connection_is_kept_and_the_request_is_written_whole() -> None:
    async def ask(client: httpx.AsyncClient) -> None:
        first = await client.post("/a?b=c", content=b"body", headers={"X-Shadow": "dry-run"})
        assert (first.status_code, first.content, first.headers["x-one"]) == (200, b"ok", "1")
        assert (await client.get("/second")).content == b"chunks"

    chunked = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nchu\r\n3\r\nnks\r\n0\r\n\r\n"
    ((first, second),) = _with_server([b"HTTP/1.1 100 Continue\r\n\r\n" + OK, chunked], ask)
    assert first.startswith(b"POST /a?b=c HTTP/1.1\r\n")
    assert first.endswith(b"\r\n\r\nbody")
    assert b"X-Shadow: dry-run\r\n" in first
    assert b"Content-Length: 4\r\n" in first
    assert second.startswith(b"GET /second HTTP/1.1\r\n")


def test_a_connection_that_was_closed_is_not_used_again() -> None:
    async def ask(client: httpx.AsyncClient) -> None:
        assert (await client.get("/")).content == b""
        assert (await client.get("/")).content == b"ok"

    closing = b"HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 0\r\n\r\n"
    assert [len(requests) for requests in _with_server([closing, OK], ask)] == [1, 1]


@pytest.mark.parametrize(
    ("answer", "error"),
    [
        (None, httpx.RemoteProtocolError),
        (b"nonsense\r\n\r\n", httpx.RemoteProtocolError),
        (b"HTTP/1.1 200 OK\r\nContent-Length: 9999999\r\n\r\n" + b"x" * ANSWER_BYTES_MAX, httpx.RemoteProtocolError),
        (b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\no", httpx.ReadTimeout),
    ],
)
def test_an_answer_that_does_not_come_is_told_by_its_reason(
    answer: bytes | None, error: type[httpx.TransportError]
) -> None:
    async def ask(client: httpx.AsyncClient) -> None:
        with pytest.raises(error):
            await client.get("/", timeout=0.3)
        assert (await client.get("/")).content == b"ok"

    _with_server([answer, OK], ask)


def test_a_full_house_and_a_server_that_is_away_are_told_apart() -> None:
    async def ask(client: httpx.AsyncClient) -> None:
        async with asyncio.TaskGroup() as tasks:
            held = tasks.create_task(client.get("/"))
            await asyncio.sleep(0)  # it has taken the only connection
            with pytest.raises(httpx.PoolTimeout):
                await client.get("/", timeout=httpx.Timeout(1, pool=0))
            assert (await held).status_code == 200
        async with httpx.AsyncClient(transport=PlainTransport("http://127.0.0.1:1", 1)) as other:
            with pytest.raises(httpx.ConnectError):
                await other.get("http://127.0.0.1:1/")
            with pytest.raises(httpx.UnsupportedProtocol):
                await other.get("http://127.0.0.1:2/")

    _with_server([OK], ask, connections=1)


def test_a_header_that_would_become_two_is_refused() -> None:
    async def ask(client: httpx.AsyncClient) -> None:
        with pytest.raises(httpx.LocalProtocolError):
            await client.get("/", headers={"X-Shadow": "a\r\nX-Other: b"})

    assert _with_server([], ask) == []
