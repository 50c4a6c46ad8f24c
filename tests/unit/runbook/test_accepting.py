from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import closing
from datetime import UTC, date, datetime
from pathlib import Path

import pytest
from typer.testing import CliRunner

from config.reader import read_routes
from gateway.mirroring.judging import Judge
from runbook.accepting import NoReason, NotProposed, accept
from runbook.cli import app
from runbook.comparison import read_report
from runbook.control import Control
from runbook.journal import Journal
from shadow.noise import READS_MIN
from shadow.observation import Noise
from shadow.redact import KEY_VARIABLE
from shadow.store import Store
from tests.support.answers import answer, pair

TODAY = date(2026, 11, 25)
ROUTES = """\
version: 1
upstreams: {m: {url: "http://127.0.0.1:1"}, l: {url: "http://127.0.0.1:2"}}
capabilities: {accounts: {legacy: m, modern: l, stage: shadow}}
routes:
  - match: "GET /a"   # theirs
    capability: accounts
    compare: {protect: [$.balance]}
  - {match: "GET /b", capability: accounts}
"""


@pytest.fixture
def routes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """Two routes whose answers name the time; legacy was asked twice for both."""
    monkeypatch.setenv(KEY_VARIABLE, "a key for tests only")
    monkeypatch.chdir(tmp_path)
    path = tmp_path / "routes.yaml"
    path.write_text(ROUTES)
    judge = Judge(read_routes(path))
    now = datetime.now(UTC).timestamp()
    told = []
    for number in range(READS_MIN):
        for route in ("GET /a", "GET /b"):
            first, again = answer({"at": number, "balance": 1}), answer({"at": number + 1, "balance": number})
            told.append(judge.judge(Noise(route, "accounts", first, again, now)))
        told.append(judge.judge(pair({"at": 1, "balance": 1}, {"at": 2, "balance": 2}, route="GET /a", at=now)))
    (tmp_path / ".strangler").mkdir()
    with closing(Store(tmp_path / ".strangler" / "shadow.db")) as store:
        store.record(told)
    return path


def test_what_a_person_accepts_is_a_rule_and_an_entry_that_name_the_evidence(routes: Path) -> None:
    given = accept(routes, "accounts", "$.at", actor="Alice ", reason="a clock's time\nof its own", today=TODAY)
    text = routes.read_text()
    assert text == ROUTES.replace("[$.balance]}", f"[$.balance], ignore: [{given.line.removeprefix('- ')}]}}")
    (rule,) = read_routes(routes).routes[0].compare.ignore
    assert rule.until == date(2027, 2, 23)
    assert rule.reason.startswith(
        "a clock's time of its own; noise, seen 2026-11-25: legacy differs from itself in 30 of 30"
    )
    control = Control.of(read_routes(routes))
    with closing(control):
        journal = Journal(control)
        (entry,) = journal.entries()
        assert journal.verify().ok
    assert (entry.type, entry.actor, entry.capability) == ("rule.accepted", "alice", "accounts")
    facts = entry.facts()
    assert {"route": "GET /a", "path": "$.at", "reads": 30, "differing": 30}.items() <= facts.items()
    assert facts["digest"] == read_routes(routes).digest

    judged = Judge(read_routes(routes)).judge(pair({"at": 1, "balance": 1}, {"at": 2, "balance": 1}, route="GET /a"))[1]
    assert judged is not None
    assert (judged.kind, judged.rules) == ("equivalent", ("ignore $.at",))


def test_the_command_says_what_it_wrote(routes: Path) -> None:
    asked = ["accept", "accounts", "$.at", "--reason", "a clock", "--as", "alice", "--json"]
    result = CliRunner().invoke(app, asked, catch_exceptions=False)
    said = json.loads(result.stdout)
    assert (result.exit_code, said["route"], said["actor"]) == (0, "GET /a", "alice")
    assert said["line"].removeprefix("- ") in routes.read_text()
    assert not any(one.is_proposed for one in read_report(routes, "accounts").noise)


@pytest.mark.parametrize(
    ("path", "route", "why"),
    [
        ("$.balance", None, "it is protected"),
        ("$.never", None, "has not been seen to differ"),
        ("$.at", "GET /b", "the sides do not differ there"),
    ],
)
def test_what_is_not_proposed_cannot_be_accepted(routes: Path, path: str, route: str | None, why: str) -> None:
    with pytest.raises(NotProposed) as refused:
        accept(routes, "accounts", path, route=route, actor="alice", reason="why not")
    assert why in str(refused.value)
    assert "$.at of GET /a" in str(refused.value)
    assert routes.read_text() == ROUTES


def test_it_is_accepted_once_and_never_without_a_reason(routes: Path) -> None:
    with pytest.raises(NoReason):
        accept(routes, "accounts", "$.at", actor="alice", reason=" . ")
    accept(routes, "accounts", "$.at", actor="alice", reason="a clock")
    with pytest.raises(NotProposed, match=r"compare\.ignore has it already"):
        accept(routes, "accounts", "$.at", route="GET /a", actor="bob", reason="a clock")
