from __future__ import annotations

from dataclasses import replace

import pytest

from runbook.census import Writer
from runbook.gates import (
    GATES,
    Finding,
    gates_for,
    with_waivers,
)
from runbook.judging import (
    judge_lag,
    judge_writers,
)
from runbook.stages import Transition

CUTOVER = Transition("advance", "canary", "modern")


BACK = Transition("back", "modern", "canary")


BATCH = Writer("corebank-batch", "core", ("public.trnhist",), "2026-11-02 10:00")


def names(transition: Transition, *, has_sync: bool = True) -> list[str]:
    return [gate.name for gate in gates_for(transition, has_sync=has_sync)]


def test_a_cutover_asks_every_gate_and_the_way_back_those_of_the_data() -> None:
    assert names(CUTOVER) == [gate.name for gate in GATES]
    assert set(names(CUTOVER)) - set(names(BACK)) == {"reversible", "calendar", "schema", "verify", "comparison"}


@pytest.mark.parametrize(
    ("transition", "expected"),
    [
        (Transition("advance", "legacy", "shadow"), ["gateways", "stream", "lag"]),
        (
            Transition("advance", "shadow", "canary"),
            ["gateways", "reversible", "schema", "stream", "lag", "verify", "comparison"],
        ),
        (
            Transition("advance", "canary", "canary"),
            ["gateways", "reversible", "schema", "stream", "lag", "verify", "comparison"],
        ),
        (Transition("back", "canary", "shadow"), ["gateways"]),
        (Transition("back", "shadow", "legacy"), ["gateways"]),
    ],
)
def test_simple_transitions_ask_few(transition: Transition, expected: list[str]) -> None:
    assert names(transition) == expected


def test_without_sync_only_what_needs_no_database() -> None:
    assert names(CUTOVER, has_sync=False) == ["gateways", "calendar", "comparison"]


def test_a_waiver_covers_its_gate_and_a_bare_name_all_of_it() -> None:
    found = (*judge_writers(True, [BATCH, replace(BATCH, application_name="psql")]), judge_lag(9, 9, 1))
    one = with_waivers(found, {"writers:psql": "alice and bob"})
    assert [f.blocks for f in one] == [True, False, True]
    every = with_waivers(found, {"writers": "alice and bob"})
    assert [f.waived_by for f in every] == ["alice and bob", "alice and bob", ""]


def test_a_gate_that_passes_is_not_marked_as_waived() -> None:
    (found,) = with_waivers((judge_lag(0, 0, 1),), {"lag": "alice and bob"})
    assert isinstance(found, Finding)
    assert not found.waived_by
