from __future__ import annotations

from pathlib import Path

import pytest

from runbook import pauses
from runbook.people_errors import Paused
from tests.support.desk import journal_in


def test_a_paused_capability_is_refused_with_who_and_why_until_it_is_resumed(tmp_path: Path) -> None:
    journal = journal_in(tmp_path)
    pauses.must_not_be_paused(journal.control, "accounts")
    pauses.pause(journal, "accounts", " Alice ", "month end")
    with pytest.raises(Paused, match=r"paused by alice .*month end") as caught:
        pauses.must_not_be_paused(journal.control, "accounts")
    assert caught.value.exit_code == 3
    pauses.must_not_be_paused(journal.control, "cards")
    found = pauses.resume(journal, "accounts", "bob")
    assert found is not None
    assert found.actor == "alice"
    pauses.must_not_be_paused(journal.control, "accounts")
    assert [entry.type for entry in journal.entries()] == ["capability.paused", "capability.resumed"]


def test_what_was_not_paused_leaves_no_trace_when_it_is_resumed(tmp_path: Path) -> None:
    journal = journal_in(tmp_path)
    assert pauses.resume(journal, "accounts", "bob") is None
    assert journal.entries() == ()
