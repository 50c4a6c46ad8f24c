"""The admin API of every gateway instance: holds, digests, readiness."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass
from typing import Any, TypeVar

import httpx

from config.model import Routes
from runbook.errors import GatewayUnreachable
from runbook.waiting import wait_for

TOKEN = "STRANGLER_ADMIN_TOKEN"  # noqa: S105  # the variable's name, not a token
TIMEOUT_SECONDS = 5.0
DIGEST_SECONDS = 15.0

T = TypeVar("T")


@dataclass(frozen=True)
class Table:
    """What one gateway has in force: the digest of each worker's table, and why the last file was refused."""

    url: str
    digest: str
    worker_digests: tuple[str, ...]
    refused: tuple[str, ...]

    def has(self, digest: str) -> bool:
        """Whether every worker uses the file with that digest."""
        return self.digest == digest and bool(self.worker_digests) and set(self.worker_digests) == {digest}


@dataclass(frozen=True)
class Hold:
    """How one gateway holds the writes of a capability."""

    url: str
    is_holding: bool
    held: int
    in_flight: int
    is_acknowledged: bool
    expires_in_seconds: float

    @property
    def is_quiet(self) -> bool:
        """Every worker holds, and no write is on its way any more."""
        return self.is_holding and self.is_acknowledged and self.in_flight == 0


class Gateways:
    """All instances of routes.yaml, asked at once; raises GatewayUnreachable for the first that does not answer."""

    def __init__(self, urls: Iterable[str], token: str | None = None) -> None:
        self.urls = tuple(url.rstrip("/") for url in urls)
        headers = {"Authorization": f"Bearer {token}"} if token else {}
        limits = httpx.Limits(max_keepalive_connections=4 * len(self.urls))
        self._client = httpx.Client(headers=headers, timeout=TIMEOUT_SECONDS, limits=limits, trust_env=False)
        self._threads = ThreadPoolExecutor(max_workers=max(1, min(32, len(self.urls))), thread_name_prefix="gateways")

    @classmethod
    def of(cls, routes: Routes) -> Gateways:
        """Those under `gateway.instances`, else the one at the admin address."""
        urls = routes.gateway.instances or (f"http://{routes.gateway.admin}",)
        return cls(urls, os.environ.get(TOKEN))

    def close(self) -> None:
        """Close the connections."""
        self._threads.shutdown(wait=False, cancel_futures=True)
        self._client.close()

    def tables(self) -> tuple[Table, ...]:
        """Ask which file each has in force."""
        return self._each(lambda url: _table(url, self._call("GET", url, "/api/table")))

    def capability(self, name: str) -> tuple[dict[str, Any], ...]:
        """Ask each for the traffic of a capability; empty where a gateway does not know it."""
        return self._each(lambda url: dict(self._call("GET", url, "/api/capabilities").get(name, {})))

    def foresee(self, content: bytes) -> None:
        """Show all what routes.yaml will be in a moment. One that does not understand is only slower afterwards."""

        def one(url: str) -> None:
            with suppress(httpx.HTTPError):
                self._client.put(f"{url}/api/table/next", content=content)

        self._each(one)

    def hold(self, capability: str, seconds: float) -> None:
        """Ask all to hold new writes of the capability, for at most that long."""
        self._each(lambda url: self._call("PUT", url, f"/api/holds/{capability}", {"seconds": seconds}))

    def holds(self, capability: str) -> tuple[Hold, ...]:
        """Ask each how it holds."""
        return self._each(lambda url: _hold(url, self._call("GET", url, f"/api/holds/{capability}")))

    def release(self, capability: str) -> None:
        """Let held writes go, at every gateway that answers; then raise if one did not (its hold ends by itself)."""
        failures: list[GatewayUnreachable] = []

        def one(url: str) -> None:
            try:
                self._call("DELETE", url, f"/api/holds/{capability}")
            except GatewayUnreachable as error:
                failures.append(error)

        self._each(one)
        if failures:
            raise failures[0]

    def wait_for_digest(self, digest: Callable[[], str], seconds: float = DIGEST_SECONDS) -> str:
        """Wait until every worker everywhere has the file; `digest` is asked each time, for it may change meanwhile."""

        def acknowledged() -> str | None:
            wanted = digest()
            return wanted if all(table.has(wanted) for table in self.tables()) else None

        return wait_for(acknowledged, "that every gateway uses the new routes.yaml", seconds)

    def _each(self, ask: Callable[[str], T]) -> tuple[T, ...]:
        if len(self.urls) == 1:
            return (ask(self.urls[0]),)
        return tuple(self._threads.map(ask, self.urls))

    def _call(self, method: str, url: str, path: str, body: dict[str, object] | None = None) -> dict[str, Any]:
        try:
            answer = self._client.request(method, f"{url}{path}", json=body)
        except httpx.HTTPError as error:
            raise GatewayUnreachable(url, str(error) or type(error).__name__) from error
        if answer.status_code >= 400:
            raise GatewayUnreachable(url, f"{method} {path} was answered with {answer.status_code}")
        loaded = answer.json() if answer.content else {}
        return loaded if isinstance(loaded, dict) else {}


def _table(url: str, said: dict[str, Any]) -> Table:
    workers = tuple(str(worker.get("digest")) for worker in said.get("workers", ()))
    return Table(url, str(said.get("digest")), workers, tuple(str(line) for line in said.get("refused") or ()))


def _hold(url: str, said: dict[str, Any]) -> Hold:
    return Hold(
        url,
        bool(said.get("holding")),
        int(said.get("held") or 0),
        int(said.get("in_flight") or 0),
        bool(said.get("acknowledged")),
        float(said.get("expires_in") or 0.0),
    )
