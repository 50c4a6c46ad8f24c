"""A throw-away folder that knows its owner, so that what a killed run left behind is found and cleared away.

The owner holds a lock on `owner.lock` for as long as it lives; the kernel lets go of it however the owner ends. A
folder whose lock is free therefore belongs to nobody: its processes are ended and it is removed. Every process that
is started for the folder is noted in `processes` with its start time, so that a reused process id is never mistaken
for it.
"""

from __future__ import annotations

import fcntl
import os
import shutil
import signal
import tempfile
from pathlib import Path

import psutil

PREFIX = "strangler-"
LOCK, PROCESSES = "owner.lock", "processes"
STOP_SECONDS = 10.0


class Workspace:
    """One run's folder; a context manager that ends what was started in it and removes it."""

    def __init__(self, purpose: str, base: Path | None = None) -> None:
        base = base or Path(tempfile.gettempdir())
        clear_abandoned(base)
        self.path = Path(tempfile.mkdtemp(prefix=f"{PREFIX}{purpose}-", dir=base))
        self.path.chmod(0o711)  # an unprivileged PostgreSQL passes through to its own folder, and lists nothing
        self._lock = os.open(self.path / LOCK, os.O_RDWR | os.O_CREAT, 0o600)
        fcntl.flock(self._lock, fcntl.LOCK_EX)

    def note(self, pid: int) -> None:
        """Write down that this process belongs to the folder."""
        note_process(self.path, pid)

    def keep(self) -> None:
        """Let the folder and its processes outlive this process, as `--keep` asks; a later run clears nothing of it."""
        (self.path / "keep").touch()

    def close(self) -> None:
        """End every process of the folder and remove it."""
        clear(self.path)
        os.close(self._lock)

    def __enter__(self) -> Workspace:
        return self

    def __exit__(self, *exc: object) -> None:
        self.close()


def note_process(folder: Path, pid: int) -> None:
    """Append a process with its start time to the folder's list."""
    try:
        started = psutil.Process(pid).create_time()
    except psutil.NoSuchProcess:
        return
    with (folder / PROCESSES).open("a") as file:
        file.write(f"{pid} {started}\n")


def clear_abandoned(base: Path) -> tuple[Path, ...]:
    """Clear every folder whose owner is gone; returns those that were cleared."""
    return tuple(folder for folder in base.glob(f"{PREFIX}*") if _is_abandoned(folder) and clear(folder))


def _is_abandoned(folder: Path) -> bool:
    try:
        if folder.stat().st_uid != os.getuid() or (folder / "keep").exists():
            return False
        descriptor = os.open(folder / LOCK, os.O_RDWR)
    except OSError:
        return False
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        return False
    finally:
        os.close(descriptor)
    return True


def clear(folder: Path) -> bool:
    """End the processes that were noted for the folder, newest first, and remove it."""
    processes = list(reversed(_processes(folder)))
    for process in processes:
        _ask_to_end(process)
    _, alive = psutil.wait_procs(processes, timeout=STOP_SECONDS)
    for process in alive:
        _signal(process, signal.SIGKILL)
    psutil.wait_procs(alive, timeout=STOP_SECONDS)
    shutil.rmtree(folder, ignore_errors=True)
    return True


def _processes(folder: Path) -> list[psutil.Process]:
    found = []
    try:
        lines = (folder / PROCESSES).read_text().splitlines()
    except FileNotFoundError:
        return []
    for line in lines:
        pid, started = line.split()
        try:
            process = psutil.Process(int(pid))
            if process.create_time() == float(started) and process.status() != psutil.STATUS_ZOMBIE:
                found.append(process)
        except psutil.NoSuchProcess:
            continue
    return found


def _ask_to_end(process: psutil.Process) -> None:
    try:
        process.send_signal(signal.SIGINT if process.name() == "postgres" else signal.SIGTERM)
    except psutil.NoSuchProcess:
        return


def _signal(process: psutil.Process, number: signal.Signals) -> None:
    try:
        process.send_signal(number)
    except psutil.NoSuchProcess:
        return
