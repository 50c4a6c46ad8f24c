from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import pytest

from runbook import lease, runs
from runbook.control import LEASE, Control
from tests.kill.crash import shorten_leases


def test_a_lease_ends_as_soon_as_was_ordered(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for function in (lease.acquire, lease.renew):
        monkeypatch.setattr(function, "__defaults__", function.__defaults__)  # so that it is put back
    monkeypatch.setattr(runs, "LEASE_SECONDS", runs.LEASE_SECONDS)
    shorten_leases(0.5)
    control = Control(f"sqlite:///{tmp_path / 'control.db'}", tmp_path / "head")
    mine = lease.acquire(control, "accounts", "olivia")
    with control.writing() as connection:
        lease.renew(connection, mine)
        ends = datetime.fromisoformat(connection.execute(LEASE.select()).one().expires_at)
    assert (ends - datetime.now(UTC)).total_seconds() <= 0.5
