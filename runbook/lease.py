"""One run of a capability at a time: a row with an owner, an expiry and a generation that is the fencing token."""

from __future__ import annotations

import os
import socket
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import cache
from pathlib import Path

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from runbook.control import LEASE, Control, now, stamp
from runbook.errors import LeaseHeld, LeaseLost

LEASE_SECONDS = 60.0


@dataclass(frozen=True)
class Lease:
    """What a run holds while it works; every step renews it, and one that cannot renew it does nothing more."""

    capability: str
    owner: str
    generation: int


def acquire(control: Control, capability: str, owner: str, seconds: float = LEASE_SECONDS) -> Lease:
    """Take the lease, or raise LeaseHeld. An expired one, or one whose process on this machine has died, is taken over.

    The generation counts up with each owner, so what an earlier owner still tries is recognised and refused.
    """
    with control.writing() as connection:
        row = connection.execute(sa.select(LEASE).where(LEASE.c.capability == capability)).first()
        if row and row.expires_at > now() and not has_died(row.machine, row.process):
            raise LeaseHeld(capability, row.owner, row.expires_at)
        values = {
            "owner": owner,
            "machine": machine(),
            "process": process_of(os.getpid()),
            "generation": row.generation + 1 if row else 1,
            "expires_at": _expiry(seconds),
        }
        if row:
            connection.execute(sa.update(LEASE).where(LEASE.c.capability == capability).values(**values))
        else:
            connection.execute(sa.insert(LEASE).values(capability=capability, **values))
        return Lease(capability, owner, int(values["generation"]))


def renew(connection: Connection, lease: Lease, seconds: float = LEASE_SECONDS) -> None:
    """Push the expiry on, in the caller's transaction. Raises LeaseLost if the generation is no longer ours."""
    mine = (LEASE.c.capability == lease.capability) & (LEASE.c.generation == lease.generation)
    changed = connection.execute(sa.update(LEASE).where(mine).values(expires_at=_expiry(seconds)))
    if changed.rowcount != 1:
        raise LeaseLost(lease.capability, lease.generation)


def release(control: Control, lease: Lease) -> None:
    """Give it up; nothing happens when it is another's by now."""
    mine = (LEASE.c.capability == lease.capability) & (LEASE.c.generation == lease.generation)
    with control.writing() as connection:
        connection.execute(sa.update(LEASE).where(mine).values(expires_at=_expiry(0)))


def has_died(on_machine: str, process: str) -> bool:
    """Whether that process is gone for certain: only this machine's (and this container's) processes can be known."""
    if on_machine != machine():
        return False
    return process_of(int(process.partition(":")[0])) != process


@cache
def machine() -> str:
    """Return what tells this machine, this boot and this process namespace from every other."""
    parts = [socket.gethostname()]
    for path in ("/proc/sys/kernel/random/boot_id", "/proc/self/ns/pid"):
        file = Path(path)
        if file.is_symlink():
            parts.append(str(file.readlink()))
        elif file.exists():
            parts.append(file.read_text().strip())
    return "/".join(parts)


def process_of(pid: int) -> str:
    """Return `pid:start time`, so that a reused pid is another process; empty when there is none."""
    try:
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except (FileNotFoundError, ProcessLookupError):
        return _process_without_proc(pid)
    state, started = fields[0], fields[19]
    return "" if state in "ZX" else f"{pid}:{started}"


def _process_without_proc(pid: int) -> str:
    if Path("/proc/self").exists():
        return ""
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return ""
    except PermissionError:
        pass
    return f"{pid}:0"


def _expiry(seconds: float) -> str:
    return stamp(datetime.now(UTC) + timedelta(seconds=seconds))
