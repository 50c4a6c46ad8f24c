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
PROMPT_SECONDS = 1.0  # while writes are held
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
    is_cut_off: bool = False

    @property
    def is_quiet(self) -> bool:
        """Every worker holds, and no write is on its way any more."""
        return self.is_holding and self.is_acknowledged and self.in_flight == 0


@dataclass(frozen=True)
class Settled:
    """The file that is in force, at how many gateways, and which gateways did not answer."""

    digest: str
    count: int
    silent: tuple[str, ...]

    @property
    def words(self) -> str:
        """As evidence."""
        if not self.silent:
            return f"every gateway on {self.digest[:12]}"
        return (
            f"{self.count} gateway(s) on {self.digest[:12]}; {', '.join(self.silent)} did not answer and refuses these "
            "writes with 503 until it has the new file"
        )


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

    def hold(self, capability: str, seconds: float, run: str, within_seconds: float = TIMEOUT_SECONDS) -> bool:
        """Ask all to hold new writes of the capability, for at most that long; whether none is in flight any more.

        A gateway that hears no more of the run refuses them afterwards: what it knows may be old by then.
        """
        body: dict[str, object] = {"seconds": seconds, "run": run, "quiet_within": within_seconds / 2}
        path = f"/api/holds/{capability}"
        said = self._each(lambda url: _hold(url, self._call("PUT", url, path, body, within_seconds)))
        return all(hold.is_quiet for hold in said)

    def holds(self, capability: str) -> tuple[Hold, ...]:
        """Ask each how it holds."""
        return self._each(lambda url: _hold(url, self._call("GET", url, f"/api/holds/{capability}")))

    def release(self, capability: str, home: str) -> tuple[GatewayUnreachable, ...]:
        """Let held writes go to that home, at every gateway that answers; return those that did not.

        One that reads this late, with a table that has another home, does not follow it. They refuse writes until they
        learn from routes.yaml or from the control database what became of the run.
        """
        path = f"/api/holds/{capability}?home={home}"
        said = self._each(lambda url: self._try("DELETE", url, path))
        return tuple(each for each in said if isinstance(each, GatewayUnreachable))

    def tables_or_silence(self) -> tuple[Table | GatewayUnreachable, ...]:
        """As `tables`, with the error in the place of one that does not answer soon."""

        def one(url: str) -> Table | GatewayUnreachable:
            said = self._try("GET", url, "/api/table")
            return said if isinstance(said, GatewayUnreachable) else _table(url, said)

        return self._each(one)

    def wait_for_those_that_answer(self, digest: Callable[[], str], seconds: float = DIGEST_SECONDS) -> Settled:
        """As `wait_for_digest`, but for those that do not answer: they hold, and refuse what they cannot place."""

        def acknowledged() -> Settled | None:
            wanted, found = digest(), self.tables_or_silence()
            silent = tuple(each.url for each in found if isinstance(each, GatewayUnreachable))
            there = [each for each in found if isinstance(each, Table) and each.has(wanted)]
            return Settled(wanted, len(there), silent) if len(there) + len(silent) == len(found) else None

        return wait_for(acknowledged, "that every gateway uses the new routes.yaml", seconds)

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

    def _try(self, method: str, url: str, path: str) -> dict[str, Any] | GatewayUnreachable:
        try:
            return self._call(method, url, path, within_seconds=PROMPT_SECONDS)
        except GatewayUnreachable as error:
            return error

    def _call(
        self,
        method: str,
        url: str,
        path: str,
        body: dict[str, object] | None = None,
        within_seconds: float = TIMEOUT_SECONDS,
    ) -> dict[str, Any]:
        try:
            answer = self._client.request(method, f"{url}{path}", json=body, timeout=within_seconds)
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
        bool(said.get("cut_off")),
    )
