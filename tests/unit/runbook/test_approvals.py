from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest
import sqlalchemy as sa

from runbook.approvals import Waiver, decide, decisions_on, give_waiver, same_person, waivers_of
from runbook.control import WAIVER, now
from runbook.people_errors import NeedsTwoPeople, UnknownGate, WaiverTooLong
from tests.support.desk import PLAN, journal_in

TWO_HOURS = timedelta(hours=2)
WANTED = Waiver("accounts", "writers:corebank-batch", "stopped by the fence", "alice", "bob", "")


def test_n_of_m_without_the_one_who_starts(tmp_path: Path) -> None:
    journal = journal_in(tmp_path)
    for person in ("alice", "bob", "bob", " Bob"):
        decide(journal, PLAN, "approve", person)
    assert decisions_on(journal.control, PLAN.hash, "Alice ").approved_by == ("bob",)
    assert not decisions_on(journal.control, PLAN.hash, "alice").suffice(2)
    decide(journal, PLAN, "approve", "carol")
    assert decisions_on(journal.control, PLAN.hash, "alice").suffice(2)


def test_the_last_word_of_a_person_counts_and_one_rejection_stops(tmp_path: Path) -> None:
    journal = journal_in(tmp_path)
    decide(journal, PLAN, "approve", "bob")
    decide(journal, PLAN, "reject", "bob")
    found = decide(journal, PLAN, "approve", "carol")
    assert (found.approved_by, found.rejected_by) == (("carol",), ("bob",))
    assert not found.suffice(1)
    assert decide(journal, PLAN, "approve", "bob").suffice(2)


def test_an_approval_belongs_to_one_plan(tmp_path: Path) -> None:
    journal = journal_in(tmp_path)
    decide(journal, PLAN, "approve", "bob")
    other = replace(PLAN, bindings=replace(PLAN.bindings, routes_digest="d2"))
    assert decisions_on(journal.control, other.hash).approved_by == ()


def test_who_said_it_is_in_the_journal(tmp_path: Path) -> None:
    journal = journal_in(tmp_path)
    decide(journal, PLAN, "approve", "Bob")
    (entry,) = journal.entries()
    assert (entry.type, entry.actor, entry.facts()["plan"]) == ("approval.given", "bob", PLAN.hash)
    with pytest.raises(NeedsTwoPeople):
        decide(journal, PLAN, "approve", "  ")


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


def test_names_are_compared_as_people_mean_them() -> None:
    assert same_person("  Alice  Smith ") == same_person("alice smith")
