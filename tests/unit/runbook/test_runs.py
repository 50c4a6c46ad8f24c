from __future__ import annotations

from pathlib import Path

import pytest
import sqlalchemy as sa

from runbook import lease, runs
from runbook.control import LEASE
from runbook.errors import LeaseLost
from runbook.gates import BY_NAME
from tests.support.desk import PLAN, begun, journal_in


def test_a_run_from_its_begin_to_its_end(tmp_path: Path) -> None:
    journal = journal_in(tmp_path)
    record = begun(journal)
    left = runs.interrupted(journal.control, "accounts")
    assert left is not None
    assert (left.id, left.status, left.transition) == (record.run_id, "open", PLAN.transition)
    record.attempt("hold", "done", "held", 0.01)
    assert not record.is_committed()
    record.commit("ok")
    assert record.is_committed()
    record.pause_seconds = 0.125
    record.end("done")
    assert runs.interrupted(journal.control, "accounts") is None
    assert runs.completed_runs(journal.control, "accounts") == 1
    (last,) = runs.last_runs(journal.control, "accounts")
    assert (last.status, last.pause_seconds) == ("done", 0.125)
    assert [entry.type for entry in journal.entries()] == ["run.begun", "step", "run.committed", "run.done"]
    assert journal.verify().ok


def test_an_undone_run_leaves_the_plan_as_it_was(tmp_path: Path) -> None:
    journal = journal_in(tmp_path)
    begun(journal).end("undone")
    assert runs.completed_runs(journal.control, "accounts") == 0
    assert runs.interrupted(journal.control, "accounts") is None


@pytest.mark.parametrize("what", ["attempt", "commit", "end", "gates"])
def test_without_the_lease_nothing_is_written(tmp_path: Path, what: str) -> None:
    journal = journal_in(tmp_path)
    record = begun(journal)
    with journal.control.writing() as connection:
        connection.execute(sa.update(LEASE).values(generation=LEASE.c.generation + 1))
    arguments: dict[str, tuple[object, ...]] = {
        "attempt": ("hold", "done", "", 0.0),
        "commit": ("",),
        "end": ("done",),
        "gates": ((),),
    }
    with pytest.raises(LeaseLost):
        getattr(record, what)(*arguments[what])
    assert [entry.type for entry in journal.entries()] == ["run.begun"]
    assert not record.is_committed()


def test_a_run_renews_its_lease(tmp_path: Path) -> None:
    journal = journal_in(tmp_path)
    mine = lease.acquire(journal.control, "accounts", "alice", seconds=0)
    runs.begin(journal, mine, PLAN, "alice")
    with journal.control.reading() as connection:
        assert connection.execute(sa.select(LEASE.c.expires_at)).scalar_one() > journal.entries()[0].at


def test_what_the_gates_said_is_kept_with_the_evidence(tmp_path: Path) -> None:
    journal = journal_in(tmp_path)
    record = begun(journal)
    record.gates((BY_NAME["lag"].finding(False, "9 s", "2 s"), BY_NAME["verify"].finding(True, "equal", "equal")))
    found = runs.last_findings(journal.control, "accounts")
    assert [(gate, ok, evidence) for gate, ok, evidence, _ in found] == [
        ("lag", False, "9 s"),
        ("verify", True, "equal"),
    ]
    assert journal.entries()[-1].facts() == {"passed": ["verify"], "waived": {}, "blocked": ["lag"]}
