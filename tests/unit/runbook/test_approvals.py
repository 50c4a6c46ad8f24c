from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
import sqlalchemy as sa
from hypothesis import given
from hypothesis import strategies as st

from runbook.approvals import UNBOUND, Vote, Word, author_of, count, decide, decisions_on, note_author
from runbook.basis import Basis
from runbook.control import APPROVAL_BASIS
from runbook.journal import Journal
from runbook.people_errors import NeedsTwoPeople, OwnPlan
from runbook.plan import Plan
from tests.support.desk import PLAN, begun, journal_in

BASIS = Basis({"gate lag": "passes (at most 5 s)"})
WORSE = Basis({"gate lag": "does not pass (at most 5 s)"})
PEOPLE = st.sampled_from(("alice", "bob", "carol", "dave"))
BASES = st.dictionaries(st.sampled_from(("gate lag", "gate verify")), st.sampled_from(("passes", "fails"))).map(Basis)
VOTES = st.lists(st.builds(Vote, PEOPLE, st.sampled_from(("approve", "reject")), st.none() | BASES))


def say(journal: Journal, word: Word, person: str, plan: Plan = PLAN, basis: Basis = BASIS) -> None:
    decide(journal, plan, word, person, basis)


def test_n_of_m_without_the_one_who_starts(tmp_path: Path) -> None:
    journal = journal_in(tmp_path)
    for person in ("alice", "bob", "bob", " Bob"):
        say(journal, "approve", person)
    found = decisions_on(journal.control, PLAN.hash, BASIS, "Alice ")
    assert (found.approved_by, found.suffice(2)) == (("bob",), False)
    say(journal, "approve", "carol")
    assert decisions_on(journal.control, PLAN.hash, BASIS, "alice").suffice(2)


def test_the_last_word_of_a_person_counts_and_one_rejection_stops(tmp_path: Path) -> None:
    journal = journal_in(tmp_path)
    say(journal, "approve", "bob")
    say(journal, "reject", "bob")
    found = decide(journal, PLAN, "approve", "carol", BASIS)
    assert (found.approved_by, found.rejected_by) == (("carol",), ("bob",))
    assert not found.suffice(1)
    assert decide(journal, PLAN, "approve", "bob", BASIS).suffice(2)


def test_an_approval_belongs_to_one_plan(tmp_path: Path) -> None:
    journal = journal_in(tmp_path)
    say(journal, "approve", "bob")
    other = replace(PLAN, bindings=replace(PLAN.bindings, routes_digest="d2"))
    assert decisions_on(journal.control, other.hash, BASIS).approved_by == ()


def test_an_approval_is_void_while_the_evidence_is_another_and_a_rejection_stands(tmp_path: Path) -> None:
    journal = journal_in(tmp_path)
    say(journal, "approve", "bob")
    say(journal, "reject", "carol")
    found = decisions_on(journal.control, PLAN.hash, WORSE)
    assert (found.approved_by, found.rejected_by) == ((), ("carol",))
    (text,) = map(str, found.void)
    assert text == "that of bob is void: gate lag: passes (at most 5 s) then, does not pass (at most 5 s) now"
    assert decisions_on(journal.control, PLAN.hash, BASIS).approved_by == ("bob",)
    say(journal, "approve", "bob", basis=WORSE)
    assert decisions_on(journal.control, PLAN.hash, WORSE).approved_by == ("bob",)


def test_an_approval_of_an_older_version_rests_on_nothing_and_is_void(tmp_path: Path) -> None:
    journal = journal_in(tmp_path)
    say(journal, "approve", "bob")
    with journal.control.writing() as connection:
        connection.execute(sa.delete(APPROVAL_BASIS))
    assert [one.because for one in decisions_on(journal.control, PLAN.hash, BASIS).void] == [(UNBOUND,)]


def test_the_author_of_a_plan_is_who_made_it_first_and_may_only_reject(tmp_path: Path) -> None:
    journal = journal_in(tmp_path)
    assert [note_author(journal, PLAN, one) for one in ("Bob ", "carol")] == ["bob", "bob"], "reading is not making"
    with pytest.raises(OwnPlan, match=f"bob made plan {PLAN.hash[:12]}"):
        say(journal, "approve", " BOB")
    say(journal, "reject", "bob")
    assert decisions_on(journal.control, PLAN.hash, BASIS).rejected_by == ("bob",)


def test_without_that_it_is_who_first_started_a_run_of_it(tmp_path: Path) -> None:
    journal = journal_in(tmp_path)
    assert author_of(journal.control, PLAN.hash) == ""
    say(journal, "approve", "alice")
    begun(journal)
    assert author_of(journal.control, PLAN.hash) == "alice"
    assert decisions_on(journal.control, PLAN.hash, BASIS, "bob").approved_by == (), "nor when another starts it"


def test_who_said_it_on_what_is_in_the_journal(tmp_path: Path) -> None:
    journal = journal_in(tmp_path)
    say(journal, "approve", "Bob")
    (entry,) = journal.entries()
    assert (entry.type, entry.actor, entry.facts()["plan"]) == ("approval.given", "bob", PLAN.hash)
    assert entry.facts()["evidence"] == BASIS.digest
    with pytest.raises(NeedsTwoPeople):
        say(journal, "approve", "  ")


@given(VOTES, BASES, st.frozensets(PEOPLE))
def test_an_approval_counts_if_it_is_the_last_word_of_somebody_else_on_this_very_basis(
    votes: list[Vote], basis: Basis, barred: frozenset[str]
) -> None:
    found, last = count(votes, basis, barred), {vote.who: vote for vote in votes}
    assert set(found.approved_by) == {
        who for who, vote in last.items() if (vote.word, vote.basis) == ("approve", basis) and who not in barred
    }
    assert set(found.rejected_by) == {who for who, vote in last.items() if vote.word == "reject"}
    people = [*found.approved_by, *found.rejected_by, *(one.who for one in found.void)]
    assert len(people) == len(set(people)), "nobody is in two lists"
    assert set(last) - set(people) <= barred
    assert all(one.because for one in found.void)
