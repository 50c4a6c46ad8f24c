from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from runbook.plan import Action, Bindings, Plan, is_stale, mappings_digest
from runbook.stages import Transition

PLAN = Plan(
    Transition("advance", "canary", "modern", from_percent=5.0),
    Bindings("accounts", "d1", "m1", 3),
    (Action("hold", "new writes"), Action("journal", "POINT OF NO RETURN", is_final=True)),
    approvals_needed=2,
)


@pytest.mark.parametrize(
    "changed",
    [
        replace(PLAN, bindings=replace(PLAN.bindings, routes_digest="d2")),
        replace(PLAN, bindings=replace(PLAN.bindings, mappings_digest="m2")),
        replace(PLAN, bindings=replace(PLAN.bindings, capability="payments")),
        replace(PLAN, bindings=replace(PLAN.bindings, completed_runs=4)),
        replace(PLAN, transition=replace(PLAN.transition, from_percent=25.0)),
        replace(PLAN, transition=Transition("back", "canary", "shadow", from_percent=5.0)),
        replace(PLAN, actions=PLAN.actions[1:]),
        replace(PLAN, actions=(Action("hold", "other writes"), PLAN.actions[1])),
    ],
)
def test_whatever_the_plan_relies_on_changes_its_hash(changed: Plan) -> None:
    assert changed.hash != PLAN.hash
    assert is_stale(PLAN.hash, changed.hash)


def test_who_approved_does_not() -> None:
    assert replace(PLAN, approved_by=("bob",), interrupted="r-1").hash == PLAN.hash


@given(st.integers(0, 64))
def test_a_part_of_the_hash_that_is_long_enough_is_the_plan(length: int) -> None:
    assert is_stale(PLAN.hash[:length], PLAN.hash) == (length < 8)
    assert is_stale(PLAN.hash[:length].upper(), PLAN.hash) == (length < 8)


def test_a_mapping_that_changed_is_another_digest(tmp_path: Path) -> None:
    (tmp_path / "account.sql").write_text("SELECT 1")
    before = mappings_digest(tmp_path)
    (tmp_path / "note.txt").write_text("no mapping")
    assert mappings_digest(tmp_path) == before
    (tmp_path / "account.sql").write_text("SELECT 2")
    changed = mappings_digest(tmp_path)
    (tmp_path / "account.sql").rename(tmp_path / "other.sql")
    assert len({before, changed, mappings_digest(tmp_path), mappings_digest(None)}) == 4
