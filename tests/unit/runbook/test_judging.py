from __future__ import annotations

from dataclasses import dataclass, replace

import pytest

from runbook.census import Writer
from runbook.errors import GatewayUnreachable
from runbook.gates import (
    with_waivers,
)
from runbook.gateways import Table
from runbook.judging import (
    judge_fences,
    judge_gateways,
    judge_lag,
    judge_privileges,
    judge_reversible,
    judge_sentinel,
    judge_sequences,
    judge_stream,
    judge_transactions,
    judge_verify,
    judge_way_back,
    judge_writers,
)
from runbook.stages import Transition

CUTOVER = Transition("advance", "canary", "modern")


BACK = Transition("back", "modern", "canary")


BATCH = Writer("corebank-batch", "core", ("public.trnhist",), "2026-11-02 10:00")


@dataclass(frozen=True)
class Row:
    state: str = "streaming"
    mode: str = "apply"
    error: str | None = None
    alarms: int = 0
    last_alarm: str | None = None


@pytest.mark.parametrize(
    ("row", "age", "ok"),
    [
        (Row(), 1.0, True),
        (Row(state="backfill"), 1.0, False),
        (Row(state="stopped"), 1.0, False),
        (Row(mode="skip"), 1.0, False),
        (Row(error="broken"), 1.0, False),
        (Row(), 60.0, False),
        (Row(), None, False),
        (None, None, False),
    ],
)
def test_stream(row: Row | None, age: float | None, ok: bool) -> None:
    assert judge_stream("accounts:forward", row, age).ok is ok


@pytest.mark.parametrize(
    ("row", "age", "ok"),
    [
        (Row(mode="skip"), 1.0, True),
        (Row(mode="skip", alarms=1, last_alarm="posting by psql"), 1.0, False),
        (Row(mode="apply"), 1.0, False),
        (Row(mode="skip", state="stopped"), 1.0, False),
        (Row(mode="skip"), 99.0, False),
        (None, None, False),
    ],
)
def test_way_back(row: Row | None, age: float | None, ok: bool) -> None:
    found = judge_way_back("accounts:reverse", row, age)
    assert found.ok is ok
    assert row is None or not row.alarms or "posting by psql" in found.evidence


def test_measured_against_a_threshold() -> None:
    assert judge_lag(2.0, 10, 2.0).ok
    assert not judge_lag(2.1, 10, 2.0).ok
    assert judge_verify(True, 10, 60.0).ok
    assert not judge_verify(True, 10, 3601.0).ok
    assert not judge_verify(False, 10, 60.0).ok
    assert not judge_verify(None, 0, None).ok
    assert not judge_verify(True, 10, 60.0, known=1).ok
    assert "1 rows that differ" in judge_verify(True, 10, 60.0, known=1).evidence
    assert judge_sentinel(0.4).ok
    assert not judge_sentinel(None, "it did not arrive").ok


def test_lists_that_must_be_empty() -> None:
    assert judge_transactions([], 3.0).ok
    assert "pid 5" in judge_transactions(["pid 5 (psql), open for 9 s"], 3.0).evidence
    assert not judge_privileges(["ownership of posting in ledger"]).ok
    assert not judge_sequences(["a", "b"], ["b"]).ok
    assert "to be raised: a" in judge_sequences(["a"], []).evidence


@pytest.mark.parametrize(("home", "other", "ok"), [(False, True, True), (False, False, False), (True, True, False)])
def test_exactly_one_side_accepts_writes(home: bool, other: bool, ok: bool) -> None:
    assert judge_fences("legacy", home, other).ok is ok


def test_every_gateway_has_the_same_file() -> None:
    good, behind = Table("http://a", "d", ("d",), ()), Table("http://b", "c", ("c",), ("stage: not a stage",))
    assert judge_gateways([good], "d").ok
    gone = judge_gateways([good, GatewayUnreachable("http://b", "timed out")], "d")
    assert (gone.ok, gone.evidence) == (False, "http://b does not answer (timed out)")
    assert "gateway.instances" in gone.remedy
    found = judge_gateways([good, behind], "d")
    assert not found.ok
    assert "http://b" in found.evidence
    assert "stage: not a stage" in found.evidence


def test_each_stranger_is_a_finding_of_its_own() -> None:
    assert [f.ok for f in judge_writers(True, [])] == [True]
    found = judge_writers(True, [BATCH, replace(BATCH, application_name="", role="dba")])
    assert [f.gate for f in found] == ["writers:corebank-batch", "writers:dba"]
    assert not judge_writers(False, [])[0].ok


def test_each_mapping_without_a_way_back_blocks_by_its_own_name() -> None:
    (fine,) = judge_reversible(3, [])
    assert (fine.ok, fine.evidence) == (True, "3 of 3 mappings have one")
    found = judge_reversible(3, [("customer", "name: it is opaque: it mixes first, last"), ("account", "WHERE: ...")])
    assert [(one.gate, one.blocks) for one in found] == [("reversible:customer", True), ("reversible:account", True)]
    assert "it mixes first, last" in found[0].evidence
    assert "-- reverse:" in found[0].remedy
    waived = with_waivers(found, {"reversible:customer": "ada and bob"})
    assert [one.blocks for one in waived] == [False, True]
