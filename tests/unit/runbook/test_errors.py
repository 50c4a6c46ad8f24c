from __future__ import annotations

from pathlib import Path

import pytest

from config.errors import StranglerError
from runbook import errors
from runbook.gates import BY_NAME

EVERY = [
    errors.BlockedByGate("accounts", (BY_NAME["lag"].finding(False, "9 s", "2 s"),)),
    errors.WaitingForApproval("accounts", "abcdef0123456789", 2, ("bob",), ("carol",)),
    errors.PlanStale("accounts", "abcdef", "012345"),
    errors.LeaseHeld("accounts", "alice", "noon"),
    errors.LeaseLost("accounts", 4),
    errors.NoSuchTransition("accounts", "it is retired"),
    errors.StepFailed("fence", "no."),
    errors.UndoFailed("fence", "no.", "hold: no."),
    errors.Unfinished("stage", "no."),
    errors.Undecided("r-1", "no."),
    errors.BudgetExceeded("it", 3.0),
    errors.GatewayUnreachable("http://x", "refused"),
    errors.JournalBroken(Path("journal.head"), "entry 3 is missing"),
    errors.SpotDifference(("account: counts differ",)),
    errors.SequenceTooSmall("posting_sequence", 10, 9),
]


@pytest.mark.parametrize("error", EVERY, ids=lambda error: type(error).__name__)
def test_every_error_is_a_sentence_with_its_facts(error: StranglerError) -> None:
    assert len(error.sentence) > 10
    assert str(error).startswith(error.sentence)


def test_exit_codes_are_the_design_s() -> None:
    codes = {type(error).__name__: error.exit_code for error in EVERY}
    assert codes["BlockedByGate"] == 3
    assert codes["WaitingForApproval"] == 4
    assert codes["PlanStale"] == 5
    assert codes["SpotDifference"] == 6
    assert codes["LeaseHeld"] == 7
    assert codes["StepFailed"] == codes["Unfinished"] == 1
    assert codes["NoSuchTransition"] == 2


def test_a_blocked_run_says_what_clears_it() -> None:
    assert "9 s (needs 2 s)" in str(EVERY[0])
    assert BY_NAME["lag"].remedy in str(EVERY[0])
