"""A gateway under the hands of its operators: killed, reloaded, held, drained; with real workers and real sockets."""

from __future__ import annotations

import os
import signal
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import httpx
import pytest

from tests.support.gateway_process import GatewayProcess, fetch
from tests.support.waiting import wait_until

TEXT = """
version: 1
upstreams:
  monolith: {url: "LEGACY"}
  ledger: {url: "MODERN"}
default: monolith
capabilities:
  accounts: {legacy: monolith, modern: ledger, stage: legacy}
routes:
  - {match: "GET /accounts/{id}", capability: accounts}
  - {match: "POST /accounts/{id}/transfers", capability: accounts}
"""


class Bank(ThreadingHTTPServer):
    """An upstream that says its name; a request for /slow waits until it is let go."""

    daemon_threads = True
    request_queue_size = 128

    def __init__(self, name: str) -> None:
        super().__init__(("127.0.0.1", 0), Answer)
        self.name = name
        self.arrived, self.let_go = threading.Event(), threading.Event()
        self.served: list[str] = []
        threading.Thread(target=self.serve_forever, args=(0.01,), daemon=True).start()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_port}"


class Answer(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: Bank

    def do_GET(self) -> None:
        self.rfile.read(int(self.headers.get("Content-Length", 0)))
        if self.path == "/slow":
            self.server.arrived.set()
            self.server.let_go.wait(20)
        self.server.served.append(f"{self.command} {self.path}")
        body = self.server.name.encode()
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    do_POST = do_GET  # noqa: N815 - the names that http.server calls

    def log_message(self, *_: object) -> None:
        pass


@pytest.fixture
def legacy() -> Iterator[Bank]:
    with Bank("legacy") as bank:
        yield bank
        bank.let_go.set()
        bank.shutdown()


@pytest.fixture
def modern() -> Iterator[Bank]:
    with Bank("modern") as bank:
        yield bank
        bank.shutdown()


@pytest.fixture
def routes(tmp_path: Path, legacy: Bank, modern: Bank) -> Path:
    path = tmp_path / "routes.yaml"
    path.write_text(TEXT.replace("LEGACY", legacy.url).replace("MODERN", modern.url))
    return path


def _edit(path: Path, before: str, after: str) -> None:
    """As editors do: a new file under a temporary name that then takes the place of the old one."""
    beside = path.with_name(".routes.yaml.swp")
    beside.write_text(path.read_text().replace(before, after))
    beside.replace(path)


def test_a_killed_worker_is_replaced_and_the_service_is_whole_again(routes: Path) -> None:
    with GatewayProcess(routes, workers=2) as gateway:
        before = gateway.worker_pids()
        os.kill(before[0], signal.SIGKILL)
        wait_until(lambda: gateway.events("child.lost"), "the loss is noticed")
        assert fetch(f"{gateway.url}/accounts/1").text == "legacy", "the other worker goes on"
        wait_until(lambda: fetch(f"{gateway.admin_url}/readyz").is_success, "the gateway is whole again")
        after = gateway.worker_pids()
        assert len(after) == 2
        assert before[1] in after
        assert before[0] not in after
        answers = {fetch(f"{gateway.url}/accounts/{n}").text for n in range(20)}
        assert answers == {"legacy"}
        assert "strangler_worker_restarts_total 1.0" in fetch(f"{gateway.admin_url}/metrics").text


def test_a_worker_that_is_replaced_reads_the_table_in_force_even_while_the_file_is_broken(routes: Path) -> None:
    with GatewayProcess(routes) as gateway:
        digest = gateway.admin("/api/table")["digest"]
        routes.write_text("version: 1\nroutes: [")
        assert gateway.admin("/api/table")["refused"]
        (pid,) = gateway.worker_pids()
        os.kill(pid, signal.SIGKILL)
        wait_until(lambda: gateway.events("child.lost"), "the loss is noticed")
        wait_until(lambda: fetch(f"{gateway.admin_url}/readyz").is_success, "the gateway is whole again")
        assert fetch(f"{gateway.url}/accounts/1").text == "legacy"
        assert gateway.admin("/api/table")["workers"][0]["digest"] == digest


def test_a_comparer_is_there_once_something_is_mirrored_and_is_replaced_when_it_is_killed(routes: Path) -> None:
    with GatewayProcess(routes) as gateway:
        assert "nothing to do for it" in fetch(f"{gateway.admin_url}/api/shadow/accounts").text
        _edit(routes, "stage: legacy", "stage: shadow")
        wait_until(lambda: fetch(f"{gateway.admin_url}/api/shadow/accounts").is_success, "the comparer answers")
        children = Path(f"/proc/{gateway.pid}/task/{gateway.pid}/children").read_text().split()
        (comparer,) = [int(pid) for pid in children if "gateway.comparer" in Path(f"/proc/{pid}/cmdline").read_text()]
        os.kill(comparer, signal.SIGKILL)
        wait_until(lambda: gateway.events("child.lost"), "the loss is noticed")
        assert fetch(f"{gateway.url}/accounts/1").text == "legacy"
        wait_until(lambda: fetch(f"{gateway.admin_url}/api/shadow/accounts").is_success, "it is back")


@pytest.mark.parametrize("told_by", ["the folder", "SIGHUP", "a look at the table"])
def test_a_change_of_routes_yaml_applies_without_a_restart(routes: Path, told_by: str) -> None:
    with GatewayProcess(routes, workers=2) as gateway, httpx.Client(verify=False) as client:
        assert client.get(f"{gateway.url}/accounts/1").text == "legacy"
        before = gateway.admin("/api/table")
        if told_by == "the folder":  # also once the file that was there at first has been replaced
            _edit(routes, "version: 1", "version: 1  # twice")
            wait_until(lambda: len(gateway.events("table.in_force")) == 1, "the first change is seen")
        _edit(routes, "stage: legacy", "stage: modern")
        if told_by == "SIGHUP":
            gateway.signal(signal.SIGHUP)
        if told_by == "a look at the table":
            assert gateway.admin("/api/table")["digest"] != before["digest"]
            assert client.get(f"{gateway.url}/accounts/1").text == "modern"
        changes = 2 if told_by == "the folder" else 1
        wait_until(lambda: len(gateway.events("table.in_force")) == changes, "the table is swapped")
        after = gateway.admin("/api/table")
        assert {worker["digest"] for worker in after["workers"]} == {after["digest"]} != {before["digest"]}
        assert [w["pid"] for w in after["workers"]] == [w["pid"] for w in before["workers"]]
        assert client.get(f"{gateway.url}/accounts/1").text == "modern"
        assert gateway.admin("/api/capabilities")["accounts"]["stage"] == "modern"


def test_a_table_that_was_foreseen_is_in_force_only_once_the_file_has_it(routes: Path) -> None:
    with GatewayProcess(routes, workers=2) as gateway:
        before = fetch(f"{gateway.admin_url}/api/table").json()["digest"]
        text = routes.read_text().replace("stage: legacy", "stage: modern")
        told = fetch(f"{gateway.admin_url}/api/table/next", "PUT", content=text)
        assert told.status_code == 200
        table = fetch(f"{gateway.admin_url}/api/table").json()
        assert {worker["digest"] for worker in table["workers"]} == {table["digest"]} == {before}
        assert fetch(f"{gateway.url}/accounts/1").text == "legacy"
        routes.write_text(text)
        table = fetch(f"{gateway.admin_url}/api/table").json()
        assert {worker["digest"] for worker in table["workers"]} == {told.json()["digest"]} == {table["digest"]}
        assert fetch(f"{gateway.url}/accounts/1").text == "modern"
        assert fetch(f"{gateway.admin_url}/api/table/next", "PUT", content="version: 2").status_code == 422


def test_a_broken_routes_yaml_is_refused_and_the_old_table_stays(routes: Path) -> None:
    with GatewayProcess(routes) as gateway:
        before = gateway.admin("/api/table")
        assert before["refused"] == []
        _edit(routes, "stage: legacy", "stage: mordern")
        wait_until(lambda: gateway.events("table.refused"), "the file is refused")
        after = gateway.admin("/api/table")
        assert (after["digest"], after["workers"]) == (before["digest"], before["workers"])
        assert any("capabilities.accounts.stage" in problem for problem in after["refused"])
        assert "strangler_table_refused 1.0" in fetch(f"{gateway.admin_url}/metrics").text
        assert fetch(f"{gateway.url}/accounts/1").text == "legacy"
        _edit(routes, "stage: mordern", "stage: modern")
        wait_until(lambda: gateway.admin("/api/table")["refused"] == [], "the mended file is accepted")
        assert fetch(f"{gateway.url}/accounts/1").text == "modern"


def test_a_hold_is_acknowledged_by_every_worker_and_releases_what_it_held(routes: Path, legacy: Bank) -> None:
    with GatewayProcess(routes, workers=2) as gateway, ThreadPoolExecutor(8) as pool:
        state = gateway.admin("/api/holds/accounts", "PUT", json={"seconds": 20})
        assert state["acknowledged"]
        writes = [pool.submit(fetch, f"{gateway.url}/accounts/{n}/transfers", "POST") for n in range(8)]
        wait_until(lambda: gateway.admin("/api/holds/accounts")["held"] == 8, "all writes are held")
        assert fetch(f"{gateway.url}/accounts/1").text == "legacy", "reads go on"
        assert legacy.served == ["GET /accounts/1"]
        assert gateway.admin("/api/holds/accounts")["in_flight"] == 0
        assert not gateway.admin("/api/holds/accounts", "DELETE")["holding"]
        assert {write.result().text for write in writes} == {"legacy"}
        assert len(legacy.served) == 9


def test_a_hold_survives_the_death_of_a_worker(routes: Path) -> None:
    with GatewayProcess(routes) as gateway, ThreadPoolExecutor(1) as pool:
        gateway.admin("/api/holds/accounts", "PUT", json={"seconds": 20})
        (pid,) = gateway.worker_pids()
        os.kill(pid, signal.SIGKILL)
        wait_until(lambda: gateway.events("child.lost"), "the loss is noticed")
        wait_until(lambda: gateway.admin("/api/holds/accounts")["acknowledged"], "the new worker holds as well")
        write = pool.submit(fetch, f"{gateway.url}/accounts/1/transfers", "POST")
        wait_until(lambda: gateway.admin("/api/holds/accounts")["held"] == 1, "the write is held")
        gateway.admin("/api/holds/accounts", "DELETE")
        assert write.result().text == "legacy"


def test_a_hold_ends_by_itself(routes: Path) -> None:
    with GatewayProcess(routes) as gateway:
        gateway.admin("/api/holds/accounts", "PUT", json={"seconds": 0.2})
        assert fetch(f"{gateway.url}/accounts/1/transfers", "POST").text == "legacy"
        assert not gateway.admin("/api/holds/accounts")["holding"]


def test_reloads_under_load_drop_no_request_and_no_connection(routes: Path) -> None:
    ends = threading.Event()

    def one_client(said: list[str]) -> None:
        with httpx.Client(verify=False, trust_env=False, timeout=20) as client:
            while not ends.is_set():
                said.append(client.get(f"{gateway.url}/accounts/1").raise_for_status().text)
                connections.add(id(client._transport._pool.connections[0]))  # type: ignore[attr-defined]

    connections: set[int] = set()
    heard: list[list[str]] = [[], [], [], []]
    with GatewayProcess(routes, workers=2) as gateway, ThreadPoolExecutor(4) as pool:
        clients = [pool.submit(one_client, said) for said in heard]
        try:
            wait_until(lambda: all(heard), "every client has begun")
            for turn in range(6):
                before, after = ("legacy", "modern") if turn % 2 == 0 else ("modern", "legacy")
                _edit(routes, f"stage: {before}", f"stage: {after}")
                gateway.signal(signal.SIGHUP)
                wait_until(lambda: {said[-1] for said in heard} == {after}, "every client hears the new side")  # noqa: B023
        finally:
            ends.set()
        for client in clients:
            client.result()
    assert len(connections) == 4, "nobody had to connect again"


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_drain_finishes_what_is_in_flight_and_exits_with_0(
    routes: Path, legacy: Bank, number: signal.Signals
) -> None:
    with GatewayProcess(routes, workers=2) as gateway, ThreadPoolExecutor(1) as pool:
        children = gateway.worker_pids()
        slow = pool.submit(fetch, f"{gateway.url}/slow")
        assert legacy.arrived.wait(10)
        gateway.signal(number)
        wait_until(lambda: gateway.events("gateway.draining"), "the drain begins")
        assert not fetch(f"{gateway.admin_url}/readyz").is_success
        wait_until(lambda: not _accepts(gateway.url), "nothing new is accepted")
        assert not slow.done()
        legacy.let_go.set()
        assert slow.result().text == "legacy"
        assert gateway.wait() == 0
        assert gateway.events("gateway.ended")[0]["clean"]
        assert not any(Path(f"/proc/{pid}").exists() for pid in children)


def test_children_of_a_killed_gateway_finish_and_go_and_the_next_gateway_starts_at_once(
    routes: Path, legacy: Bank
) -> None:
    with GatewayProcess(routes) as gateway, ThreadPoolExecutor(1) as pool:
        children = gateway.worker_pids()
        slow = pool.submit(fetch, f"{gateway.url}/slow")
        assert legacy.arrived.wait(10)
        gateway.kill()
        address = gateway.url.removeprefix("http://")
        with GatewayProcess(routes, listen=address) as successor:
            assert fetch(f"{successor.url}/accounts/1").text == "legacy"
            legacy.let_go.set()
            assert slow.result().text == "legacy", "what was in flight is finished by the orphan"
            wait_until(lambda: not any(Path(f"/proc/{pid}").exists() for pid in children), "no orphan stays")


def test_a_second_gateway_on_the_same_port_or_directory_is_refused_with_one_sentence(
    routes: Path, tmp_path: Path
) -> None:
    with GatewayProcess(routes) as gateway:
        elsewhere = tmp_path / "elsewhere"
        elsewhere.mkdir()
        (elsewhere / "routes.yaml").write_text(routes.read_text())
        same_port = GatewayProcess(elsewhere / "routes.yaml", listen=gateway.url.removeprefix("http://"))
        assert same_port.wait() == 1
        assert same_port.log_path.read_text().count("\n") == 1
        assert "is in use by another process" in same_port.log_path.read_text()
        same_directory = GatewayProcess(
            elsewhere / "routes.yaml", environ={"STRANGLER_RUN": str(routes.parent / ".strangler")}
        )
        assert same_directory.wait() == 1
        assert f"process {gateway.pid}" in same_directory.log_path.read_text()
        assert fetch(f"{gateway.url}/accounts/1").text == "legacy"


def _accepts(url: str) -> bool:
    try:
        fetch(f"{url}/accounts/1")
    except httpx.TransportError:
        return False
    return True
