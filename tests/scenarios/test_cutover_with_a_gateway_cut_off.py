"""A gateway that is cut off in a cutover answers 503 to its writes, sends none to the old home, and comes back."""

from __future__ import annotations

import json
import signal
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path

import pytest

from runbook.advance import Outcome, advance, back, waive
from runbook.board import read_boards
from runbook.demo.processes import free_port
from runbook.execute import Event
from runbook.screen_run import board_screen
from tests.support.gateway_process import GatewayProcess
from tests.support.screen import printed
from tests.support.waiting import wait_until
from tests.support.wire import Client, Upstream, upstream

HOLD_SECONDS = 2.0
TEXT = """
version: 1
gateway: {instances: ["http://127.0.0.1:NEAR", "http://127.0.0.1:FAR"]}
databases:
  control: {url: "sqlite:///CONTROL"}
upstreams:
  monolith: {url: "LEGACY"}
  ledger: {url: "MODERN"}
capabilities:
  accounts: {legacy: monolith, modern: ledger, stage: canary, canary: {percent: 5, key: "header:X-Customer-Id"}}
routes:
  - {match: "POST /accounts/{id}/transfers", capability: accounts}
"""


@dataclass(frozen=True)
class Field:
    """Two gateways, each with a routes.yaml of its own: the far one's is brought to it by somebody else, later."""

    near: GatewayProcess
    far: GatewayProcess
    routes: Path
    far_routes: Path
    legacy: Upstream
    modern: Upstream

    def cut_off(self) -> None:
        """Its supervisor hears nothing more, and its worker goes on serving clients."""
        self.far.signal(signal.SIGSTOP)

    def bring(self) -> None:
        """From now on the far gateway has the same file."""
        link = self.far_routes.with_suffix(".link")
        link.symlink_to(self.routes)
        link.replace(self.far_routes)

    def reached(self) -> tuple[int, int]:
        """How many writes legacy and modern have got."""
        return len(self.legacy.requests), len(self.modern.requests)


@pytest.fixture
def field(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Field]:
    monkeypatch.setattr("runbook.ground.HOLD_BUDGET_SECONDS", HOLD_SECONDS)
    monkeypatch.setenv("STRANGLER_RUN", str(tmp_path / "run"))
    ports = {"NEAR": free_port(), "FAR": free_port()}
    with ExitStack() as stack:
        legacy, modern = stack.enter_context(upstream()), stack.enter_context(upstream())
        text = TEXT.replace("CONTROL", str(tmp_path / "control.db"))
        for name, value in {"LEGACY": legacy.url, "MODERN": modern.url, **ports}.items():
            text = text.replace(name, str(value))
        gateways = []
        for name, port in ports.items():
            path = tmp_path / name / "routes.yaml"
            path.parent.mkdir()
            path.write_text(text)
            environ = {"STRANGLER_RUN": str(path.parent / "run")}
            gateways.append(GatewayProcess(path, admin=f"127.0.0.1:{port}", environ=environ))
        near, far = (stack.enter_context(gateway) for gateway in gateways)
        routes, far_routes = (gateway.log_path.parent / "routes.yaml" for gateway in gateways)
        waive(routes, "accounts", "comparison", lasting=timedelta(hours=1), reason="a test", actor="ann", second="bob")
        yield Field(near, far, routes, far_routes, legacy, modern)
        far.signal(signal.SIGCONT)


def write(gateway: GatewayProcess) -> tuple[int, str]:
    """What a write gets there: its status and, from the gateway itself, the kind of problem."""
    with Client(int(gateway.url.rpartition(":")[2])) as http:
        found = http.post("/accounts/1/transfers", b"x")
    if found.status == 200:
        return 200, ""
    assert found.get("retry-after") == b"1"
    body = json.loads(found.body)
    assert len(body["error_id"]) == 16
    return found.status, f"{body['type'].rpartition(':')[2]}, {body['outcome']}"


def run(field: Field) -> Outcome:
    """Cut the far gateway off when both hold."""

    def watch(event: Event) -> None:
        if (event.step, event.result) == ("hold", "done"):
            field.cut_off()

    return advance(field.routes, "accounts", actor="ann", progress=watch)


def test_the_cutover_goes_through_and_the_late_gateway_serves_no_stale_write(field: Field) -> None:
    assert [write(field.near), write(field.far)] == [(200, "")] * 2
    outcome = run(field)
    assert "did not answer and refuses" in next(
        e.text for e in outcome.events if (e.step, e.result) == ("stage", "done")
    )
    assert write(field.near) == (200, "")
    assert write(field.far) == (503, "home_unknown, not sent")  # it waited for the hold's end
    assert field.reached() == (2, 1)
    field.far.signal(signal.SIGCONT)
    # What the run said has waited for it; and it asks. But its own file is old, so it goes on refusing.
    wait_until(lambda: field.far.events("hold.kept"), "the release arrives late")
    assert write(field.far) == (503, "home_unknown, not sent")
    boards = read_boards(field.routes, "accounts")
    assert [gateway.is_cut_off for gateway in boards[0].gateways] == [False, True]
    assert "REFUSES writes" in printed(board_screen(boards))
    field.bring()
    wait_until(lambda: write(field.far) == (200, ""), "the far gateway has the new file")
    assert field.reached() == (2, 2)
    assert back(field.routes, "accounts", actor="ann").transition.to_stage == "canary"


def test_what_was_undone_without_it_is_learned_from_the_control_database(field: Field) -> None:
    def watch(event: Event) -> None:
        if (event.step, event.result) == ("hold", "done"):
            field.cut_off()
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        advance(field.routes, "accounts", actor="ann", progress=watch)
    assert write(field.near) == (200, "")
    assert write(field.far) == (503, "home_unknown, not sent")
    field.far.signal(signal.SIGCONT)
    wait_until(lambda: write(field.far) == (200, ""), "it has asked")
    assert field.reached() == (2, 0)
