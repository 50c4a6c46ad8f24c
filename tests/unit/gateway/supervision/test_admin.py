from __future__ import annotations

import asyncio
from dataclasses import dataclass, field
from types import SimpleNamespace
from typing import Any, cast

import httpx
import pytest

from config.errors import UnknownCapability
from gateway.metrics import merge
from gateway.supervision.admin import application
from gateway.supervision.operations import ComparerDown, Operations


@dataclass
class FakeOperations:
    """What the endpoints call; the real one is tested by itself and in the scenarios."""

    is_ready: bool = True
    is_draining: bool = False
    calls: list[Any] = field(default_factory=list)
    table_in_force: Any = field(default_factory=lambda: SimpleNamespace(digest="abc", refused=()))
    workers: Any = field(default_factory=lambda: SimpleNamespace(restarts=0))
    comparer: Any = field(default_factory=lambda: SimpleNamespace(restarts=0, is_whole=True))
    certificates: Any = None
    healthy: Any = dict

    async def metrics(self) -> dict[str, Any]:
        return merge(())

    async def table(self) -> dict[str, Any]:
        return {"digest": "abc"}

    async def capabilities(self) -> dict[str, Any]:
        return {"accounts": {}}

    async def hold(self, capability: str, seconds: float, run: str, quiet_within: float) -> dict[str, Any]:
        self.calls.append((capability, seconds, run if not quiet_within else f"{run} {quiet_within}"))
        return {"holding": True}

    async def release(self, capability: str, home: str) -> dict[str, Any]:
        self.calls.append((capability, None, home))
        return {"holding": False}

    async def hold_state(self, capability: str) -> dict[str, Any]:
        raise UnknownCapability(capability, ("accounts",))

    async def shadow(self, capability: str) -> dict[str, Any]:
        raise ComparerDown("it is being replaced")


def _ask(
    operations: FakeOperations, method: str, path: str, token: str | None = None, **request: Any
) -> httpx.Response:
    async def ask() -> httpx.Response:
        transport = httpx.ASGITransport(application(cast("Operations", operations), token))
        async with httpx.AsyncClient(transport=transport, base_url="http://127.0.0.1") as client:
            return await client.request(method, path, **request)

    return asyncio.run(ask())


@pytest.mark.parametrize("path", ["/healthz", "/readyz", "/metrics", "/api/table", "/api/capabilities"])
def test_every_page_answers(path: str) -> None:
    assert _ask(FakeOperations(), "GET", path).status_code == 200


def test_the_scrape_is_prometheus_text() -> None:
    answer = _ask(FakeOperations(), "GET", "/metrics")
    assert answer.headers["content-type"].startswith("text/plain; version=0.0.4")
    assert 'strangler_table_info{digest="abc"} 1.0' in answer.text


@pytest.mark.parametrize("state", [{"is_ready": False}, {"is_ready": False, "is_draining": True}])
def test_a_gateway_that_is_not_ready_says_so(state: dict[str, bool]) -> None:
    assert _ask(FakeOperations(**state), "GET", "/readyz").status_code == 503  # type: ignore[arg-type]


def test_a_hold_is_passed_on() -> None:
    operations = FakeOperations()
    assert _ask(operations, "PUT", "/api/holds/accounts", json={"seconds": 2.5}).json() == {"holding": True}
    assert _ask(operations, "DELETE", "/api/holds/accounts").json() == {"holding": False}
    _ask(operations, "PUT", "/api/holds/accounts", json={"seconds": 1, "run": "r-1", "quiet_within": 0.5})
    _ask(operations, "DELETE", "/api/holds/accounts?home=modern")
    assert _ask(operations, "DELETE", "/api/holds/accounts?home=nowhere").status_code == 422
    assert operations.calls == [
        ("accounts", 2.5, ""),
        ("accounts", None, ""),
        ("accounts", 1, "r-1 0.5"),
        ("accounts", None, "modern"),
    ]


@pytest.mark.parametrize(
    ("body", "status"),
    [
        (b'{"seconds": 0}', 422),
        (b'{"seconds": 61}', 422),
        (b'{"seconds": true}', 422),
        (b'{"seconds": NaN}', 422),
        (b"[3]", 422),
        (b'{"seconds": 1, "run": 7}', 422),
        (b'{"seconds": 1, "run": "%s"}' % (b"r" * 65), 422),
        (b"seconds=3", 400),
        (b"", 400),
        (b"x" * 5000, 413),
    ],
)
def test_a_hold_is_bounded_and_well_formed(body: bytes, status: int) -> None:
    operations = FakeOperations()
    answer = _ask(operations, "PUT", "/api/holds/accounts", content=body)
    assert answer.status_code == status
    assert answer.headers["content-type"] == "application/problem+json"
    assert operations.calls == []


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [
        ("GET", "/api/holds/loans", 404),
        ("GET", "/api/shadow/accounts", 503),
        ("GET", "/nothing", 404),
        ("POST", "/api/table", 405),
    ],
)
def test_problems_are_rfc_9457(method: str, path: str, status: int) -> None:
    answer = _ask(FakeOperations(), method, path)
    assert answer.status_code == status
    assert answer.headers["content-type"] == "application/problem+json"
    assert answer.json()["status"] == status
    assert answer.json()["detail"]


@pytest.mark.parametrize("shown", [{}, {"Authorization": "Bearer wrong"}, {"Authorization": "Basic secret"}])
def test_with_a_token_nobody_gets_further_without_it(shown: dict[str, str]) -> None:
    answer = _ask(FakeOperations(), "GET", "/api/table", "secret", headers=shown)
    assert answer.status_code == 401
    assert answer.headers["www-authenticate"] == "Bearer"
    assert "abc" not in answer.text


def test_who_shows_the_token_is_let_in() -> None:
    shown = {"Authorization": "Bearer secret"}
    assert _ask(FakeOperations(), "GET", "/api/table", "secret", headers=shown).status_code == 200
    assert _ask(FakeOperations(), "GET", "/healthz", "secret").status_code == 200
