from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest
import sqlalchemy as sa

from runbook import lease
from runbook.control import LEASE, Control
from runbook.errors import LeaseHeld, LeaseLost


@pytest.fixture
def control(tmp_path: Path) -> Control:
    return Control(f"sqlite:///{tmp_path / 'control.db'}", tmp_path / "journal.head")


def held_by(control: Control, **values: object) -> None:
    with control.writing() as connection:
        connection.execute(sa.update(LEASE).values(**values))


def test_one_run_at_a_time(control: Control) -> None:
    lease.acquire(control, "accounts", "alice")
    with pytest.raises(LeaseHeld, match="alice") as caught:
        lease.acquire(control, "accounts", "bob")
    assert caught.value.exit_code == 7


def test_another_capability_is_free(control: Control) -> None:
    lease.acquire(control, "accounts", "alice")
    assert lease.acquire(control, "payments", "bob").generation == 1


def test_given_up_it_is_free_and_the_generation_counts_on(control: Control) -> None:
    first = lease.acquire(control, "accounts", "alice")
    lease.release(control, first)
    assert lease.acquire(control, "accounts", "bob").generation == first.generation + 1


def test_expired_it_is_taken_over_and_the_first_owner_is_refused(control: Control) -> None:
    first = lease.acquire(control, "accounts", "alice", seconds=0)
    second = lease.acquire(control, "accounts", "bob")
    with pytest.raises(LeaseLost), control.writing() as connection:
        lease.renew(connection, first)
    with control.writing() as connection:
        lease.renew(connection, second)
    lease.release(control, first)
    with pytest.raises(LeaseHeld, match="bob"):
        lease.acquire(control, "accounts", "carol")


def test_expired_but_not_taken_it_is_renewed(control: Control) -> None:
    mine = lease.acquire(control, "accounts", "alice", seconds=0)
    with control.writing() as connection:
        lease.renew(connection, mine)
    with pytest.raises(LeaseHeld):
        lease.acquire(control, "accounts", "bob")


def test_a_process_of_this_machine_that_has_died_gives_it_up_at_once(control: Control) -> None:
    child = subprocess.run([sys.executable, "-c", "import os; print(os.getpid())"], capture_output=True, check=True)
    lease.acquire(control, "accounts", "alice")
    held_by(control, process=f"{child.stdout.decode().strip()}:1")
    assert lease.acquire(control, "accounts", "bob").generation == 2


def test_a_reused_pid_is_another_process(control: Control) -> None:
    lease.acquire(control, "accounts", "alice")
    held_by(control, process=f"{os.getpid()}:1")
    assert lease.acquire(control, "accounts", "bob").generation == 2


def test_of_another_machine_nothing_is_known(control: Control) -> None:
    lease.acquire(control, "accounts", "alice")
    held_by(control, machine="elsewhere", process="1:1")
    with pytest.raises(LeaseHeld):
        lease.acquire(control, "accounts", "bob")


def test_a_process_that_lives_is_known_by_pid_and_start() -> None:
    assert lease.process_of(os.getpid()).startswith(f"{os.getpid()}:")
    assert not lease.has_died(lease.machine(), lease.process_of(os.getpid()))
