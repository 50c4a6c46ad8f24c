import os
from pathlib import Path

import pytest

from config.reader import read_routes
from gateway.mirroring import tripwire
from gateway.mirroring.judging import Judge
from gateway.mirroring.tripwire import Tripwire
from shadow.gate import evidence_of, judge
from shadow.store import Store
from tests.support.answers import pair

TEXT = """
version: 1
upstreams: {monolith: {url: "http://127.0.0.1:1"}, ledger: {url: "http://127.0.0.1:2"}}
capabilities:
  accounts: {legacy: monolith, modern: ledger, stage: canary, canary: {percent: 25, key: client}}   # on its way
routes: [{match: "GET /x", name: x, capability: accounts, compare: {ignore: ["$"], identity: ["$..owner"]}}]
"""


@pytest.fixture
def routes(tmp_path: Path) -> Path:
    path = tmp_path / "routes.yaml"
    path.write_text(TEXT)
    return path


def percent(routes: Path) -> float:
    return read_routes(routes).capabilities["accounts"].canary_percent


def look(routes: Path, theirs: dict[str, object], stage: str = "canary", wire: Tripwire | None = None) -> None:
    judged = Judge(read_routes(routes)).judge(pair({"owner": "A", "n": 1}, theirs, route="x", stage=stage))
    (wire or Tripwire(routes)).look(judged)


def test_an_answer_about_someone_else_takes_the_capability_off_modern(routes: Path) -> None:
    look(routes, {"owner": "B", "n": 1})
    assert percent(routes) == 0
    assert "# on its way" in routes.read_text()


def test_other_differences_and_a_field_that_is_missing_do_not(routes: Path) -> None:
    look(routes, {"owner": "A", "n": 2})
    look(routes, {"n": 1})
    assert percent(routes) == 25


def test_in_shadow_no_client_got_it_so_the_file_stays(routes: Path) -> None:
    look(routes, {"owner": "B"}, stage="shadow")
    assert percent(routes) == 25


def test_who_raises_the_percentage_again_is_not_overruled_until_the_table_changes(routes: Path) -> None:
    wire = Tripwire(routes)
    look(routes, {"owner": "B"}, wire=wire)
    routes.write_text(TEXT)
    look(routes, {"owner": "B"}, wire=wire)
    assert percent(routes) == 25
    wire.forget()
    look(routes, {"owner": "B"}, wire=wire)
    assert percent(routes) == 0


def test_a_file_that_cannot_be_written_is_told_and_ends_nothing(routes: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object) -> str:
        raise OSError(13, os.strerror(13))

    monkeypatch.setattr(tripwire, "set_percent", refuse)
    look(routes, {"owner": "B"})
    assert percent(routes) == 25


def test_the_gate_fails_until_the_run_begins_anew(routes: Path, tmp_path: Path) -> None:
    store = Store(tmp_path / "shadow.db")
    read = read_routes(routes)
    one = pair({"owner": "A"}, {"owner": "B"}, route="x")
    store.record([Judge(read).judge(one)])
    gates = read.capabilities["accounts"].gates
    verdict = judge(evidence_of(store.summary("accounts")), gates)
    assert verdict.answer == "fail"
    assert verdict.reasons[0].condition == "identity"
    store.reset("accounts", 1.0)
    assert not any(r.condition == "identity" for r in judge(evidence_of(store.summary("accounts")), gates).reasons)
    store.close()
