from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest
import sqlalchemy as sa

from runbook.control import WAIVER, now
from runbook.people_errors import NeedsTwoPeople, UnknownGate, WaiverTooLong
from runbook.waivers import Waiver, give_waiver, waivers_of
from tests.support.desk import journal_in

TWO_HOURS = timedelta(hours=2)
WANTED = Waiver("accounts", "writers:corebank-batch", "stopped by the fence", "alice", "bob", "")


def test_a_waiver_of_two_people_until_it_expires(tmp_path: Path) -> None:
    journal = journal_in(tmp_path)
    given = give_waiver(journal, WANTED, TWO_HOURS)
    assert given.people == "alice and bob"
    assert waivers_of(journal.control, "accounts") == (given,)
    assert waivers_of(journal.control, "payments") == ()
    with journal.control.writing() as connection:
        connection.execute(sa.update(WAIVER).values(expires_at=now()))
    assert waivers_of(journal.control, "accounts") == ()
    assert journal.entries()[0].facts()["second"] == "bob"


@pytest.mark.parametrize("second", ["alice", " ALICE", "", "   "])
def test_one_person_is_not_two(tmp_path: Path, second: str) -> None:
    with pytest.raises(NeedsTwoPeople):
        give_waiver(journal_in(tmp_path), replace(WANTED, second=second), TWO_HOURS)


def test_a_gate_that_does_not_exist_and_a_time_that_is_none(tmp_path: Path) -> None:
    with pytest.raises(UnknownGate, match="writers"):
        give_waiver(journal_in(tmp_path), replace(WANTED, gate="wirters"), TWO_HOURS)
    for days in (0, -1, 31):
        with pytest.raises(WaiverTooLong, match="at most 30 days"):
            give_waiver(journal_in(tmp_path), WANTED, timedelta(days=days))
