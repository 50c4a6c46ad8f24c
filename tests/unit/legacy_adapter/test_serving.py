from __future__ import annotations

import asyncio
import socket

import pytest
from starlette.applications import Starlette
from starlette.requests import Request

from config.errors import PortInUse
from legacy_adapter.serving import BodyTooLarge, read_body, serve


def test_a_port_that_is_taken_is_named() -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        address = f"127.0.0.1:{taken.getsockname()[1]}"
        with pytest.raises(PortInUse, match=address):
            serve(Starlette(), address, event="test.listening")


def _read(parts: list[bytes], bytes_max: int) -> bytes:
    async def receive() -> dict[str, object]:
        body = parts.pop(0)
        return {"type": "http.request", "body": body, "more_body": bool(parts)}

    request = Request({"type": "http", "method": "POST", "headers": []}, receive)  # type: ignore[arg-type]
    return asyncio.run(read_body(request, bytes_max))


def test_a_body_is_read_up_to_its_bound() -> None:
    assert _read([b"ab", b"", b"cd"], 4) == b"abcd"
    unread = [b"ab", b"cde", b"never read"]
    with pytest.raises(BodyTooLarge):
        _read(unread, 4)
    assert unread == [b"never read"]
