from __future__ import annotations

from pathlib import Path

from runbook.durations import Durations, keep, last
from tests.support.desk import journal_in


def test_a_rehearsal_takes_the_place_of_the_one_before_and_is_in_the_journal(tmp_path: Path) -> None:
    journal = journal_in(tmp_path)
    keep(journal, "accounts", [Durations("advance", {"hold": 0.01, "gone": 1.0}, 0.2)], "ann")
    keep(
        journal,
        "accounts",
        [Durations("advance", {"hold": 0.02}, 0.1), Durations("back", {"hold": 0.03}, 0.3)],
        "ann",
    )
    found = last(journal.control, "accounts", "advance")
    assert found is not None
    assert (found.steps, found.pause_seconds) == ({"hold": 0.02}, 0.1)
    assert last(journal.control, "accounts", "abandon") is None
    assert last(journal.control, "cards", "advance") is None
    newest = journal.entries()[-1]
    assert (newest.type, newest.facts()) == ("rehearsed", {"advance": "pause 100 ms", "back": "pause 300 ms"})
    journal.control.close()
