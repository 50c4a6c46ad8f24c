"""`strangler replay`: what was recorded goes to both sides at its pace, and never to a side with a write that must not."""

from __future__ import annotations

import base64
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from config.errors import StranglerError
from config.reader import parse_routes
from runbook.cli import app
from runbook.replay import Pace, replay
from shadow.recording import RecordingInvalid, read_recording
from shadow.store import Store
from shadow.vault import vault_of
from tests.support.gateway_process import GatewayProcess, fetch
from tests.support.waiting import wait_until
from tests.support.wire import Upstream, answer, raw, upstream

ROUTES = """
version: 1
upstreams: {{monolith: {{url: "{legacy}"}}, ledger: {{url: "{modern}", timeout: 2s}}}}
capabilities: {{accounts: {{legacy: monolith, modern: ledger, stage: shadow}}}}
routes:
  - {{match: "GET /accounts/{{id}}", capability: accounts, compare: {{ignore: ["$.by"]}}}}
  - {{match: "POST /transfers", capability: accounts, shadow: dry_run, compare: {{headers: [x-shadow-effects]}}}}
  - {{match: "POST /orders", capability: accounts}}
"""
JSON = b"Content-Type: application/json\r\n"
Sides = tuple[Upstream, Upstream]


@pytest.fixture
def sides() -> Iterator[Sides]:
    with upstream() as legacy, upstream() as modern:
        legacy.respond, modern.respond = answer(b'{"a":1,"by":1}', extra=JSON), answer(b'{"a":1,"by":2}', extra=JSON)
        yield legacy, modern


def started(folder: Path, sides: Sides, lines: list[dict[str, Any]], *options: str) -> subprocess.Popen[str]:
    (folder / "routes.yaml").write_text(ROUTES.format(legacy=sides[0].url, modern=sides[1].url))
    (folder / "requests.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines))
    command = [sys.executable, "-m", "runbook.cli", "replay", "requests.jsonl", "--json", *options]
    environ = {**os.environ, "STRANGLER_REDACTION_KEY": "a key of sixteen bytes or more"}
    return subprocess.Popen(command, cwd=folder, env=environ, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


def ended(process: subprocess.Popen[str]) -> tuple[int, dict[str, Any]]:
    out, error = process.communicate(timeout=60)
    assert out, error
    return process.returncode, json.loads(out)


def reads(count: int) -> list[dict[str, Any]]:
    return [{"target": f"/accounts/{number}", "headers": [["Accept", "*/*"]]} for number in range(count)]


def booked(body: bytes, *also: list[str]) -> dict[str, Any]:
    headers = [["Content-Type", "application/json"]]
    recorded = {"status": 200, "headers": [*headers, *also], "body_base64": base64.b64encode(body).decode()}
    return {"method": "POST", "target": "/transfers", "headers": headers, "body_base64": "e30=", "answer": recorded}


def test_reads_go_to_both_and_writes_only_as_their_route_says_at_a_steady_rate(tmp_path: Path, sides: Sides) -> None:
    legacy, modern = sides
    lines = [*reads(5), booked(b'{"a":1,"by":2}'), {"method": "POST", "target": "/orders"}, {"target": "/elsewhere"}]
    began = time.monotonic()
    code, told = ended(started(tmp_path, sides, lines, "--rate", "20"))
    assert time.monotonic() - began >= 7 / 20  # the eighth request is sent after seven intervals
    assert code == 0
    assert (told["requests"], told["interrupted"], told["not_sent"]) == (8, False, {"no_capability": 1})
    routes = {route["route"]: route["accounting"] for route in told["capabilities"]["accounts"]["routes"]}
    assert routes["GET /accounts/{id}"]["verdicts"] == {"equivalent": 5}
    assert routes["POST /transfers"]["verdicts"] == {"equal": 1}
    assert routes["POST /orders"]["skipped"] == {"write_never": 1}
    assert {one.method for one in legacy.requests} == {b"GET"}
    (write,) = [one for one in modern.requests if one.method == b"POST"]
    assert (write.target, write.body, write.all("x-shadow")) == (b"/transfers", b"{}", [b"dry-run"])
    assert [one.all("x-shadow") for one in modern.requests if one.method == b"GET"] == [[b"mirror"]] * 5
    assert all(not one.all("x-shadow") for one in legacy.requests)


def test_differences_are_told_and_a_side_that_does_not_answer_is_counted(tmp_path: Path, sides: Sides) -> None:
    would_send, modern = b'X-Shadow-Effects: call;suppressed;digest="2e"\r\n', sides[1]
    says = answer(b'{"a":2,"by":2}', extra=JSON + would_send)
    closes = raw(b"", close=True)
    modern.respond = lambda received, sock: (closes if received.target == b"/accounts/0" else says)(received, sock)
    recorded = booked(b'{"a":1}', ["X-Shadow-Effects", 'call;suppressed;digest="1f"'])
    code, told = ended(started(tmp_path, sides, [*reads(2), recorded], "--rate", "1000"))
    assert (code, told["differs"]) == (6, True)
    routes = told["capabilities"]["accounts"]["routes"]
    assert {(cluster["path"], cluster["kind"]) for route in routes for cluster in route["clusters"]} == {
        ("$.a", "value"), ("$.by", "extra"), ("header:x-shadow-effects", "value"),
    }  # fmt: skip
    assert [route["accounting"]["errored"] for route in routes] == [{"modern": 1}, {}]


def test_after_an_interrupt_nothing_more_is_sent_and_what_there_was_is_told(tmp_path: Path, sides: Sides) -> None:
    process = started(tmp_path, sides, reads(10_000), "--rate", "50")
    wait_until(lambda: len(sides[0].requests) >= 3, "some were sent", 20)
    process.send_signal(signal.SIGINT)
    code, told = ended(process)
    assert (code, told["interrupted"]) == (130, True)
    accounting = told["capabilities"]["accounts"]["routes"][0]["accounting"]
    assert sum(accounting["verdicts"].values()) == told["requests"] == len(sides[0].requests) < 10_000


def test_a_line_that_is_none_ends_it_and_is_named(tmp_path: Path, sides: Sides) -> None:
    routes = parse_routes(ROUTES.format(legacy=sides[0].url, modern=sides[1].url).encode(), tmp_path / "r.yaml", {})
    (tmp_path / "requests.jsonl").write_text('{"target": "/accounts/1"}\n{"no": "target"}\n')
    with pytest.raises(RecordingInvalid, match="Line 2"):
        replay(routes, read_recording(tmp_path / "requests.jsonl"), Pace(1000))


CAPTURING = """
version: 1
upstreams: {{monolith: {{url: "{legacy}"}}, ledger: {{url: "{modern}"}}}}
capabilities:
  accounts: {{legacy: monolith, modern: ledger, stage: shadow, shadow: {{captures: 3}},
              canary: {{percent: 0, key: "header:X-Customer"}}}}
routes:
  - {{match: "GET|HEAD /accounts/{{id}}", capability: accounts}}
  - {{match: "POST /search", capability: accounts, write: false}}
"""
KEY = "a:" + base64.b64encode(b"k" * 32).decode()


def test_reads_that_the_gateway_kept_are_sent_again_without_what_let_somebody_in(tmp_path: Path, sides: Sides) -> None:
    legacy, modern = sides
    legacy.respond = modern.respond = answer(b'{"a":1}', extra=JSON)
    routes, store = tmp_path / "routes.yaml", tmp_path / ".strangler" / "shadow.db"
    routes.write_text(CAPTURING.format(legacy=legacy.url, modern=modern.url))
    environ = {**os.environ, "STRANGLER_SAMPLE_KEYS": KEY, "TOKEN": "Bearer of today"}
    vault = vault_of(environ)
    assert vault is not None

    def kept() -> int:
        with closing(Store(store)) as one:
            return len(one.captures("accounts", vault))

    with GatewayProcess(routes, environ=environ) as gate:
        for number in range(5):
            headers = {"Accept": "a/b", "X-Customer": f"c{number}", "Authorization": "Bearer secret", "Cookie": "s=1"}
            fetch(gate.url + f"/accounts/{number}?card=4111111111111111", headers=headers)
            fetch(gate.url + "/search", "POST", content=b"{}")
        wait_until(lambda: kept() == 3, "three reads are kept", 20)
    assert not any(b"4111" in file.read_bytes() for file in store.parent.iterdir() if file.is_file())
    asked = set(legacy.targets()) - {b"/search"}
    for side in sides:
        side.requests.clear()

    command = [sys.executable, "-m", "runbook.cli", "replay", "--captures", "accounts", "--json", "--rate", "100"]
    command += ["--header-from", "Authorization:TOKEN"]
    code, told = ended(
        subprocess.Popen(command, cwd=tmp_path, env=environ, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    )
    assert (code, told["requests"]) == (0, 3)
    for side in sides:
        assert len(side.requests) == 3
        assert set(side.targets()) <= asked
        assert {one.get("accept") for one in side.requests} == {b"a/b"}
        assert {one.get("authorization") for one in side.requests} == {b"Bearer of today"}
        assert {one.get("x-customer") for one in side.requests} <= {f"c{number}".encode() for number in range(5)}
        assert all(one.get("cookie") is None and one.method == b"GET" for one in side.requests)


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ([], "give a file, or --captures"),
        (["--captures", "accounts", "--header-from", "A:NOT_SET"], "variable that is set"),
        (["--captures", "accounts"], "shadow: {captures: 100}"),
        (["--captures", "loans"], "'loans'"),
    ],
)
def test_what_cannot_be_replayed_is_refused_with_the_remedy(
    tmp_path: Path, sides: Sides, options: list[str], said: str
) -> None:
    routes = tmp_path / "routes.yaml"
    routes.write_text(CAPTURING.format(legacy=sides[0].url, modern=sides[1].url))
    result = CliRunner().invoke(app, ["replay", *options, "--routes", str(routes)])
    assert result.exit_code == 2 or isinstance(result.exception, StranglerError)
    assert said in result.output + str(result.exception)
