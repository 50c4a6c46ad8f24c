from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
import sqlalchemy as sa

from config.errors import DatabaseDown
from config.reader import parse_routes
from gateway.lease import Order, RunState, may_still_move, must_stay, state_of
from runbook import lease as runbook_lease
from runbook.control import LEASE, stamp
from tests.support.desk import begun, journal_in

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)
LATER, EARLIER = stamp(NOW + timedelta(seconds=1)), stamp(NOW - timedelta(seconds=1))
ORDER = Order("accounts", 10.0, "r-1", "legacy")


@pytest.mark.parametrize(
    ("state", "home", "expected"),
    [
        (None, "legacy", True),
        (RunState("open", "modern", LATER), "legacy", True),
        (RunState("open", "modern", EARLIER), "legacy", False),
        (RunState("open", "modern", ""), "legacy", False),
        (RunState("committed", "modern", EARLIER), "legacy", True),
        (RunState("undone", "modern", LATER), "legacy", False),
        (RunState("done", "modern", EARLIER), "legacy", True),
        (RunState("done", "modern", EARLIER), "modern", False),
        (RunState("done", "canary", EARLIER), "modern", True),
        (RunState("done", "canary", EARLIER), "legacy", False),
    ],
)
def test_a_run_moves_the_home_until_it_is_known_that_it_cannot(
    state: RunState | None, home: str, expected: bool
) -> None:
    assert may_still_move(state, home, NOW) is expected


def test_a_runs_hold_is_told_to_new_workers_until_a_table_says_another_home() -> None:
    assert not ORDER.is_over(5, {"accounts": "legacy"})
    assert not ORDER.is_over(99, {"accounts": "legacy"})
    assert ORDER.is_over(99, {"accounts": "modern"})
    assert Order("accounts", 10.0).is_over(99, {"accounts": "legacy"})
    assert ORDER.message(99)[1] == {"capability": "accounts", "seconds": 0, "run": "r-1", "home": "legacy"}


def test_the_control_database_is_asked_as_the_runbook_writes_it(tmp_path: Path) -> None:
    routes = parse_routes(b"version: 1\n", tmp_path / "routes.yaml", {})
    journal = journal_in(tmp_path)
    record = begun(journal)
    order = Order("accounts", 0.0, record.run_id, "legacy")
    found = state_of(routes, tmp_path, record.run_id)
    assert found is not None
    assert (found.status, found.to_stage) == ("open", "modern")
    assert must_stay(routes, tmp_path, order)
    with journal.control.writing() as connection:
        connection.execute(sa.update(LEASE).values(expires_at=EARLIER))
    assert not must_stay(routes, tmp_path, order)
    assert state_of(routes, tmp_path, "another") is None
    assert runbook_lease.acquire(journal.control, "accounts", "bob").generation == 2
    journal.control.close()


def test_what_cannot_be_asked_is_not_known(tmp_path: Path) -> None:
    routes = parse_routes(b"version: 1\n", tmp_path / "routes.yaml", {})
    with pytest.raises(DatabaseDown):
        state_of(routes, tmp_path, "r-1")
    assert must_stay(routes, tmp_path, ORDER)
