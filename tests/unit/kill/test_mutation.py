from __future__ import annotations

import pytest

from tests.kill.crash import CALLS, NAMES, UNDO_CALLS
from tests.kill.mutation import battery, main
from tests.kill.nemesis import FAULTS
from tests.kill.run import Spec


def test_a_bug_that_does_not_exist_is_refused_with_the_names_of_those_that_do(
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert main(["no such bug"]) == 2
    assert "there is no bug no such bug; there are: (no bug), acknowledge before commit" in capsys.readouterr().err


def test_every_run_of_the_battery_names_points_and_faults_that_exist() -> None:
    specs = [run for run in battery(3) if isinstance(run, Spec)]
    assert {spec.fault for spec in specs} - {""} <= set(FAULTS)
    assert {spec.orders.at for spec in specs} - {""} <= set(NAMES)
    assert {spec.orders.crash.partition("#")[0] for spec in specs} - {""} <= set(NAMES)
    assert {spec.orders.fail for spec in specs} - {""} <= set(CALLS | UNDO_CALLS)


def test_the_same_seed_makes_the_same_runs() -> None:
    first, second = ([run.seed for run in battery(3) if isinstance(run, Spec)] for _ in range(2))
    assert first == second
    assert len(set(first)) == len(first)
