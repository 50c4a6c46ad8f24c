from __future__ import annotations

import pytest

from config.errors import StranglerError
from runbook import people_errors as errors

EVERY = [
    errors.Paused("accounts", "alice", "2026-11-25T12:00:00", "month end"),
    errors.PromotionStopped("accounts", "shadow", "undecided"),
    errors.StreamsRun("accounts", "legacy"),
    errors.WaiverTooLong("40 days", "30 days"),
    errors.NeedsTwoPeople("A waiver"),
    errors.UnknownGate("lagg", ("lag",)),
]


@pytest.mark.parametrize("error", EVERY, ids=lambda error: type(error).__name__)
def test_each_names_what_it_is_about_in_a_sentence(error: StranglerError) -> None:
    assert error.sentence.endswith(".")
    assert error.exit_code in (1, 2, 3)
