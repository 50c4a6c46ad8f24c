"""The runtime directory of one gateway: its paths, and the lock that keeps a second gateway out of it."""

from __future__ import annotations

import contextlib
import fcntl
import os
import shutil
import socket
import tempfile
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from config.errors import StranglerError

# sockaddr_un.sun_path is 108 bytes on Linux and 104 on macOS, with a NUL at its end.
SOCKET_PATH_BYTES_MAX = 103
SOCKET_BACKLOG = 256


@dataclass(eq=False)
class RunDirectoryTaken(StranglerError):
    """Another gateway works in the same runtime directory."""

    directory: Path
    pid: str

    @property
    def sentence(self) -> str:
        """The directory and the process that has it."""
        return f"{self.directory} belongs to a gateway that is running (process {self.pid or 'unknown'})."

    @property
    def hint(self) -> str:
        """End it, or go elsewhere."""
        return "Stop that gateway, or set STRANGLER_RUN to another directory."


@dataclass(eq=False)
class RunDirectoryUnusable(StranglerError):
    """The runtime directory cannot be made or written."""

    directory: Path
    reason: str

    @property
    def sentence(self) -> str:
        """The directory and what the system said."""
        return f"{self.directory} cannot be used as the runtime directory: {self.reason}."

    @property
    def hint(self) -> str:
        """Go elsewhere."""
        return "Set STRANGLER_RUN to a directory that this user may write."


def run_directory(routes_path: Path, environ: Mapping[str, str] = os.environ) -> Path:
    """Where a gateway for that routes.yaml keeps its run-time files: $STRANGLER_RUN, or .strangler beside the file."""
    named = environ.get("STRANGLER_RUN")
    return Path(named).absolute() if named else routes_path.absolute().parent / ".strangler"


@dataclass(frozen=True)
class RunDirectory:
    """The paths of one gateway, and the socket on which its comparer listens.

    `socket_path` may lie elsewhere, because socket paths have a length limit. The socket is there before the first
    comparer and outlives each of them, so that workers always find it.
    """

    path: Path
    socket_path: Path
    socket: socket.socket

    @property
    def freshness_path(self) -> Path:
        """The last writes, shared by the workers (gateway/freshness.py)."""
        return self.path / "freshness"

    @property
    def store_path(self) -> Path:
        """The verdicts (shadow/store.py)."""
        return self.path / "shadow.db"

    @property
    def table_path(self) -> Path:
        """The copy of routes.yaml that is in force: what a replaced worker reads, whatever the original is by now."""
        return self.path / "table.yaml"

    def put_table(self, raw: bytes) -> None:
        """Replace the copy, atomically; it may hold secrets, so only this user can read it."""
        beside = self.path / "table.yaml.next"
        beside.unlink(missing_ok=True)
        with os.fdopen(os.open(beside, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as file:
            file.write(raw)
        beside.replace(self.table_path)


@contextlib.contextmanager
def claim(path: Path) -> Iterator[RunDirectory]:
    """Make the directory and hold its lock for as long as the context lasts. Raises RunDirectoryTaken."""
    try:
        path.mkdir(mode=0o700, parents=True, exist_ok=True)
        lock = os.open(path / "gateway.lock", os.O_RDWR | os.O_CREAT, 0o600)
    except OSError as error:
        raise RunDirectoryUnusable(path, error.strerror or str(error)) from error
    try:
        _lock(lock, path)
        with _room_for_a_socket(path) as folder:
            socket_path = folder / "comparer.sock"
            socket_path.unlink(missing_ok=True)
            with socket.socket(socket.AF_UNIX) as listener:
                listener.bind(str(socket_path))
                listener.listen(SOCKET_BACKLOG)
                yield RunDirectory(path, socket_path, listener)
            socket_path.unlink(missing_ok=True)
    finally:
        os.close(lock)


def _lock(lock: int, path: Path) -> None:
    # The kernel drops a flock with its process, so a killed gateway leaves nothing to clean up.
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError as error:
        raise RunDirectoryTaken(path, os.pread(lock, 20, 0).decode("ascii", "replace").strip()) from error
    os.ftruncate(lock, 0)
    os.pwrite(lock, f"{os.getpid()}\n".encode(), 0)


@contextlib.contextmanager
def _room_for_a_socket(path: Path) -> Iterator[Path]:
    if len(os.fsencode(path / "comparer.sock")) <= SOCKET_PATH_BYTES_MAX:
        yield path
        return
    elsewhere = Path(tempfile.mkdtemp(prefix="strangler-"))
    try:
        yield elsewhere
    finally:
        shutil.rmtree(elsewhere, ignore_errors=True)
