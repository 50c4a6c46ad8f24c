"""Where each side assigns its own ids, pairs of answers teach which belong together, and later copies carry modern's."""

from __future__ import annotations

import json
import os
import re
import signal
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager, suppress
from pathlib import Path
from urllib.parse import unquote

import httpx

from shadow.accounting import problems
from shadow.store import Store
from shadow.summary import RouteSummary
from tests.scenarios.test_comparison_accounts_for_everything import (
    as_outcomes,
    at_the_workers,
    comparer_of,
    in_the_store,
    is_settled,
)
from tests.support.gateway_process import GatewayProcess, fetch
from tests.support.waiting import wait_until
from tests.support.wire import Received, Upstream, answer, upstream

ROUTES = """
version: 1
upstreams:
  monolith: {{url: "{legacy}"}}
  ledger: {{url: "{modern}"}}
capabilities:
  accounts: {{legacy: monolith, modern: ledger, stage: shadow, shadow: {{noise: 0%}}}}
routes:
  - match: "GET /accounts/{{account_id}}/transfers"
    capability: accounts
    compare: {{rules: [{{path: "$[*].transfer_id", id: {{name: transfer, carried: [{carried}]}}, reason: each its own}}]}}
  - match: "GET /transfers/{{transfer_id}}"
    capability: accounts
    compare: {{rules: [{{path: $.transfer_id, id: transfer, reason: each its own}}]}}
  - {{match: "POST /search", capability: accounts, write: false}}
"""
CARRIED = '"path:transfer_id", "query:after", "body:$.reverses"'
IDS = {"4711": "t-first-of-modern", "4712": "t-second-of-modern"}
JSON = b"Content-Type: application/json\r\n"


class Bank:
    """One side: its transfers under its own ids."""

    def __init__(self, ids: list[str | int]) -> None:
        self.ids = ids

    def respond(self, received: Received, sock: object) -> None:
        path = unquote(received.target.decode().partition("?")[0])
        transfers = [{"transfer_id": one, "amount": f"{number}.00"} for number, one in enumerate(self.ids)]
        found: object = transfers if path.startswith("/accounts/") else {"found": True}
        if one := re.fullmatch(r"/transfers/(.+)", path):
            found = next((each for each in transfers if str(each["transfer_id"]) == one[1]), None)
        status = b"404 Not Found" if found is None else b"200 OK"
        answer(json.dumps(found).encode(), status, JSON)(received, sock)  # type: ignore[arg-type]


@contextmanager
def both_banks() -> Iterator[tuple[Upstream, Upstream, Bank]]:
    with upstream() as legacy, upstream() as modern:
        bank = Bank([*IDS.values()])
        legacy.respond, modern.respond = Bank([*map(int, IDS)]).respond, bank.respond
        yield legacy, modern, bank


def ask(gate: GatewayProcess, target: str, body: bytes | None = None) -> bool:
    """Whether there was an answer; a worker that was killed gives none."""
    method, fields = ("GET", {}) if body is None else ("POST", {"content-type": "application/json"})
    with suppress(httpx.TransportError):
        return fetch(gate.url + target, method, content=body, headers=fields).status_code == 200
    return False


def asks_until(gate: GatewayProcess, target: str, reached: Callable[[], bool], what: str) -> None:
    def asked() -> bool:
        ask(gate, target)
        return reached()

    wait_until(asked, what, 20)


def skips(gate: GatewayProcess) -> int:
    """How many of eight requests, over connections of their own, carry an id that their worker does not know."""
    before = at_the_workers(gate)["skipped_id_unknown"]
    for _ in range(8):
        ask(gate, "/transfers/4711")
    return at_the_workers(gate)["skipped_id_unknown"] - before


def test_later_copies_carry_moderns_ids_in_every_worker_and_after_every_restart(tmp_path: Path) -> None:
    with both_banks() as (legacy, modern, bank):
        routes = tmp_path / "routes.yaml"
        routes.write_text(ROUTES.format(legacy=legacy.url, modern=modern.url, carried=CARRIED))
        with GatewayProcess(routes, workers=2) as gate:
            store = tmp_path / ".strangler" / "shadow.db"
            wait_until(lambda: skips(gate), "nobody knows the id", 20)
            assert modern.requests == []

            ask(gate, "/accounts/1/transfers")
            wait_until(lambda: not skips(gate), "every worker knows the id", 20)
            assert b"/transfers/t-first-of-modern" in modern.targets()
            assert b"/transfers/4711" not in modern.targets()

            modern.requests.clear()
            body = b'{"reverses": 4711, "amount": 10.50}'
            ask(gate, "/search?after=4712&limit=2", body)
            wait_until(lambda: b"/search?after=t-second-of-modern&limit=2" in modern.targets(), "the copy has arrived")
            (copy,) = (one for one in modern.requests if one.method == b"POST")
            assert copy.body == b'{"reverses":"t-first-of-modern","amount":10.50}'
            assert legacy.requests[-1].body == body

            bank.ids[0] = "t-another"
            ask(gate, "/accounts/1/transfers")
            wait_until(lambda: is_settled(at_the_workers(gate), in_the_store(store)), "every request has ended", 20)
            found, accounting = at_the_workers(gate), in_the_store(store)
            assert +found == as_outcomes(accounting)
            assert not problems(accounting, found["eligible"])
            assert accounting.skipped["id_unknown"] >= 8
            differing = [(one.route, cluster.path) for one in routes_of(store) for cluster in one.clusters]
            assert ("GET /accounts/{account_id}/transfers", "$[*].transfer_id") in differing

            modern.requests.clear()
            lost = {member["pid"] for member in fetch(gate.admin_url + "/api/table").json()["workers"]}
            for pid in (comparer_of(gate).pid, *lost):
                os.kill(pid, signal.SIGKILL)
            asked = b"/transfers/t-second-of-modern"
            asks_until(gate, "/transfers/4712", lambda: asked in modern.targets(), "their successors know it too")
            assert modern.problems == legacy.problems == []
        files = [file.read_bytes() for file in (tmp_path / ".strangler").iterdir() if file.is_file()]
        seen = (*files, gate.log_path.read_bytes())
        assert not any(modern_id.encode() in data for data in seen for modern_id in IDS.values())


def routes_of(path: Path) -> tuple[RouteSummary, ...]:
    with closing(Store(path)) as store:
        return store.summary("accounts").routes
