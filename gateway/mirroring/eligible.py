"""How many requests a worker has found eligible, by route, in a file that outlives it.

A worker that is killed takes with it what it was about to tell the comparer. So it counts in a mapped file, which the
kernel keeps when the process is gone; the comparer knows how many of its requests are stored, and what is missing was
lost. A lock on the file says whether the worker lives. Each route has a record: a counter, and its name.
"""

from __future__ import annotations

import fcntl
import mmap
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

import structlog

RECORD_BYTES: Final = 512
ROUTES_MAX: Final = 1024
_WORD: Final = 8
_WORDS: Final = RECORD_BYTES // _WORD
_NAME_BYTES_MAX: Final = RECORD_BYTES - _WORD
_PREFIX: Final = "eligible-"

Place = tuple[str, str]
"""A capability and a route."""

_log = structlog.get_logger()


class Eligible:
    """One worker's counts; the file is made with the first of them. Without a folder nothing is kept."""

    def __init__(self, folder: Path | None, worker: str) -> None:
        self._folder, self._worker = folder, worker
        self._slots: dict[str, tuple[str, int]] = {}
        self._map: mmap.mmap | None = None
        self._counters: memoryview | None = None
        self._file = -1

    def count(self, capability: str, route: str) -> None:
        """One more."""
        slot = self._slots.get(route)
        if slot is None or slot[0] != capability:
            slot = self._slots[route] = capability, self._slot_of(capability, route)
        if slot[1] >= 0 and self._counters is not None:
            self._counters[slot[1]] += 1

    def close(self) -> None:
        """The worker ends by itself: whoever reads the file need not wait for that."""
        if self._counters is not None:
            self._counters.release()
            self._counters = None
        if self._map is not None:
            self._map.close()
            self._map = None
            os.close(self._file)
        self._folder = None

    def _slot_of(self, capability: str, route: str) -> int:
        """The index of a route's counter; -1 if it has none."""
        if self._map is None and not self._made():
            return -1
        name = f"{capability}\0{route}".encode()
        if self._map is None or len(name) > _NAME_BYTES_MAX:
            return -1
        for number in range(ROUTES_MAX):
            at = number * RECORD_BYTES + _WORD
            known = self._map[at : at + _NAME_BYTES_MAX].rstrip(b"\0")
            if known in (b"", name):
                self._map[at : at + len(name)] = name
                return number * _WORDS
        return -1

    def _made(self) -> bool:
        if self._folder is None:
            return False
        hidden = self._folder / f".{_PREFIX}{self._worker}"
        try:
            self._file = os.open(hidden, os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
            fcntl.flock(self._file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            os.posix_fallocate(self._file, 0, ROUTES_MAX * RECORD_BYTES)  # a full disk is no SIGBUS later
            hidden.rename(self._folder / f"{_PREFIX}{self._worker}")  # locked before anybody sees it
        except OSError as error:
            _log.error("mirror.eligible_not_kept", reason=error.strerror)
            self._folder = None
            return False
        self._map = mmap.mmap(self._file, ROUTES_MAX * RECORD_BYTES)
        self._counters = memoryview(self._map).cast("Q")
        return True


def workers_in(folder: Path) -> list[str]:
    """The workers, alive or not, whose files are there."""
    return [path.name.removeprefix(_PREFIX) for path in folder.glob(f"{_PREFIX}*")]


@contextmanager
def left_by(folder: Path, worker: str) -> Iterator[dict[Place, int] | None]:
    """What a worker that is gone had found eligible; None while it lives. The file goes with the end of the block, if
    nothing is raised in it."""
    path = folder / f"{_PREFIX}{worker}"
    try:
        file = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    except FileNotFoundError:
        yield {}
        return
    try:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            yield None
            return
        yield _counted(os.pread(file, ROUTES_MAX * RECORD_BYTES, 0))
        path.unlink(missing_ok=True)
    finally:
        os.close(file)


def _counted(data: bytes) -> dict[Place, int]:
    found: dict[Place, int] = {}
    for at in range(0, len(data), RECORD_BYTES):
        name = data[at + _WORD : at + RECORD_BYTES].rstrip(b"\0").decode("utf-8", "replace")
        if not name:
            break
        capability, _, route = name.partition("\0")
        found[capability, route] = int.from_bytes(data[at : at + _WORD], sys.byteorder)
    return found
