from __future__ import annotations

from pathlib import Path

from config.model import Capability
from runbook.evidence import judge_comparison
from shadow.compare import Verdict
from shadow.observation import Observation, Pair
from shadow.store import Store

CAPABILITY = Capability(legacy="monolith", modern="ledger")


def pair(number: int) -> Pair:
    def side(name: str) -> Observation:
        return Observation(200, (("content-type", "application/json"),), b'{"a":1}', 0.01, name)  # type: ignore[arg-type]

    return Pair(
        route="GET /accounts/{id}",
        capability="accounts",
        key=f"key {number}",
        method="GET",
        control=side("legacy"),
        candidate=side("modern"),
        candidate_first=bool(number % 2),
        stage="shadow",
        at=1000.0 + number,
        again=None,
    )


def recorded(path: Path, verdict: str, count: int) -> dict[str, bool]:
    store = Store(path)
    store.record([(pair(number), Verdict(verdict, None, (), False)) for number in range(count)])  # type: ignore[arg-type]
    store.close()
    return {finding.gate: finding.ok for finding in judge_comparison(path, "accounts", CAPABILITY)}


def test_without_a_comparison_nothing_passes(tmp_path: Path) -> None:
    (found,) = judge_comparison(tmp_path / "shadow.db", "accounts", CAPABILITY)
    assert not found.ok
    assert not (tmp_path / "shadow.db").exists()


def test_enough_agreeing_keys_pass_each_condition(tmp_path: Path) -> None:
    found = recorded(tmp_path / "shadow.db", "equal", 6000)
    assert found == {
        "comparison:identity": True,
        "comparison:mismatches": True,
        "comparison:coverage": True,
        "comparison:latency": True,
        "comparison:accounting": True,
    }


def test_too_few_say_how_many_more(tmp_path: Path) -> None:
    recorded(tmp_path / "shadow.db", "equal", 10)
    found = {f.gate: f for f in judge_comparison(tmp_path / "shadow.db", "accounts", CAPABILITY)}
    assert not found["comparison:mismatches"].ok
    assert "more agreeing keys are needed" in found["comparison:mismatches"].evidence
    assert found["comparison:mismatches"].remedy


def test_differing_keys_block(tmp_path: Path) -> None:
    assert not recorded(tmp_path / "shadow.db", "different", 100)["comparison:mismatches"]
