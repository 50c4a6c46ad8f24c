"""Read-your-writes: the last write per key, shared by the workers, against what has arrived in the modern database.

One file, mapped by the supervisor and every worker. Each capability has a block in it: the time up to which all
writes have arrived (`fresh_until`), a floor below which nothing is known, and per worker the time of its last write
and 65,536 slots. A write stores its time at the slot of its key's hash; a key is fresh while no slot of it is later
than `fresh_until`. Two keys in one slot only make one another staler, never fresher.

A worker writes only its own slots, so no store of one can undo a later one of another; a reader looks at all of them.
Times are CLOCK_MONOTONIC nanoseconds, which all processes of one boot share.

    worker     wrote(accounts, K, 100)   slot 100
    watcher    begins a round at 120     ... the target has reached what the source had then: fresh_until 120
    worker     is_fresh(K)               100 <= 120: modern may answer
    worker     wrote(accounts, K, 130)   130 > 120: legacy answers until the next round is done
"""

from __future__ import annotations

import fcntl
import mmap
import os
from collections.abc import Sequence
from dataclasses import dataclass
from hashlib import blake2b
from pathlib import Path
from typing import Protocol
from zlib import crc32

from config.errors import StranglerError

SLOTS = 1 << 16
WRITERS_MAX = 256
CAPABILITIES_MAX = 1000
ALWAYS = (1 << 64) - 1

_WORD = 8
_MAGIC = b"strfrsh1"
_BOOT_AT, _BOOT_BYTES = 8, 40
_WRITERS_AT, _COUNT_AT, _NAMES_AT = 48, 56, 64
_NAME_BYTES = 16
_HEADER_BYTES = 16384
_UNTIL, _FLOOR, _LAST = 0, 1, 2
_SOURCE_UNTIL, _SOURCE_OFFSET = 300, 301  # behind the last writes of 256 workers
_FACTS_WORDS = 512
_MASK = SLOTS - 1


@dataclass(eq=False)
class FreshnessUnusable(StranglerError):
    """The shared file is not one of ours, or holds too many capabilities."""

    path: Path
    reason: str

    @property
    def sentence(self) -> str:
        """The file and what is wrong with it."""
        return f"{self.path} cannot be used to share the last writes: {self.reason}."

    @property
    def hint(self) -> str:
        """The supervisor makes it anew."""
        return "Stop the gateway, delete the file and start the gateway again."


class ReadYourWrites(Protocol):
    """`Freshness`, as the data plane uses it; the index is the capability's place in routes.yaml."""

    def wrote(self, capability_index: int, key: bytes, now_ns: int) -> None:
        """A write of that key was sent, or answered."""

    def is_fresh(self, capability_index: int, key: bytes) -> bool:
        """Whether modern has seen everything that the key wrote."""

    def arrived_until(self, capability_index: int) -> int:
        """The time of the source up to which everything has arrived in modern."""

    def source_time(self, capability_index: int, now_ns: int) -> int:
        """A time of the source that is not before now."""

    def cover(self, capabilities: Sequence[str]) -> None:
        """Index these capabilities from now on."""


class AlwaysFresh:
    """Where there is no file to share: nothing is known to be missing in modern."""

    def wrote(self, capability_index: int, key: bytes, now_ns: int) -> None:
        """Not noted."""

    def is_fresh(self, capability_index: int, key: bytes) -> bool:  # noqa: ARG002
        """Always."""
        return True

    def arrived_until(self, capability_index: int) -> int:  # noqa: ARG002
        """For ever."""
        return ALWAYS

    def source_time(self, capability_index: int, now_ns: int) -> int:  # noqa: ARG002
        """None."""
        return 0

    def cover(self, capabilities: Sequence[str]) -> None:
        """Nothing to index."""


class Freshness:
    """The shared file as one process sees it. Capabilities are named once and then used by their index."""

    def __init__(
        self, path: Path, capabilities: Sequence[str], create: bool = False, *, writer: int = 0, writers: int = 1
    ) -> None:
        """Map the file; `create` (the supervisor) keeps one of this boot and `writers` workers, else makes it anew.

        `writer` is the worker's index. Raises FreshnessUnusable; FileNotFoundError if there is none to open.
        """
        self._path = path
        if create:
            _prepare(path, min(writers, WRITERS_MAX))
        self._file = os.open(path, os.O_RDWR | os.O_CLOEXEC)
        header = os.pread(self._file, _HEADER_BYTES, 0)
        if len(header) < _HEADER_BYTES or not header.startswith(_MAGIC):
            os.close(self._file)
            raise FreshnessUnusable(path, "it is of another kind or version")
        self._writers = int.from_bytes(header[_WRITERS_AT:_COUNT_AT], "little")
        self._writer = writer % self._writers
        self._map: mmap.mmap | None = None
        self.cover(capabilities)

    def cover(self, capabilities: Sequence[str]) -> None:
        """Index these capabilities from now on, by position; a name that is new to the file gets a block, not fresh."""
        fcntl.flock(self._file, fcntl.LOCK_EX)
        try:
            places = [self._place(name) for name in capabilities]
        finally:
            fcntl.flock(self._file, fcntl.LOCK_UN)
        self._remap()
        self._blocks = [(_HEADER_BYTES + place * self._block_bytes) // _WORD for place in places]

    def wrote(self, capability_index: int, key: bytes, now_ns: int) -> None:
        """Note a write: when it is dispatched, and again before the last byte of its answer goes to the client."""
        words = self._words
        block = self._blocks[capability_index]
        slot = block + _FACTS_WORDS + self._writer * SLOTS + (crc32(key) & _MASK)
        if words[slot] < now_ns:
            words[slot] = now_ns
        last = block + _LAST + self._writer
        if words[last] < now_ns:
            words[last] = now_ns

    def is_fresh(self, capability_index: int, key: bytes) -> bool:
        """Whether every write of that key that was noted has arrived in the modern database."""
        words = self._words
        block = self._blocks[capability_index]
        until = words[block]
        if words[block + _FLOOR] > until:
            return False
        slot = block + _FACTS_WORDS + (crc32(key) & _MASK)
        if words[slot] > until:
            return False
        return all(words[slot + writer * SLOTS] <= until for writer in range(1, self._writers))

    def has_unseen_writes(self, capability_index: int) -> bool:
        """Whether a write, or the floor, is later than what is known to have arrived."""
        words, block = self._words, self._blocks[capability_index]
        until = words[block + _UNTIL]
        return any(words[block + fact] > until for fact in range(_FLOOR, _LAST + self._writers))

    def arrived_until(self, capability_index: int) -> int:
        """The time of the source up to which everything that was committed there has arrived."""
        return int(self._words[self._blocks[capability_index] + _SOURCE_UNTIL])

    def source_time(self, capability_index: int, now_ns: int) -> int:
        """A time of the source that is not before now; ALWAYS where the source has not been asked yet."""
        offset = self._words[self._blocks[capability_index] + _SOURCE_OFFSET]
        return now_ns + offset if offset else ALWAYS

    def know_source(self, capability_index: int, offset_ns: int) -> None:
        """What is to be added to our time to be not before the source's."""
        self._words[self._blocks[capability_index] + _SOURCE_OFFSET] = offset_ns

    def advance(self, capability_index: int, until_ns: int, source_ns: int = 0) -> None:
        """All writes noted up to that time have arrived, and all that were committed up to that time of the source."""
        self._words[self._blocks[capability_index] + _UNTIL] = until_ns
        if source_ns:
            self._words[self._blocks[capability_index] + _SOURCE_UNTIL] = source_ns

    def doubt(self, capability_index: int, now_ns: int) -> None:
        """Nothing is fresh until a round that begins after now is done."""
        words, block = self._words, self._blocks[capability_index]
        words[block + _FLOOR] = now_ns
        words[block + _UNTIL] = words[block + _SOURCE_UNTIL] = 0

    def trust(self, capability_index: int) -> None:
        """Everything is fresh: the capability has no stream to wait for."""
        block = self._blocks[capability_index]
        self._words[block + _UNTIL] = self._words[block + _SOURCE_UNTIL] = ALWAYS

    def close(self) -> None:
        """Let go of the file; what was noted stays in it for the others."""
        self._unmap()
        os.close(self._file)

    @property
    def _block_bytes(self) -> int:
        return (_FACTS_WORDS + self._writers * SLOTS) * _WORD

    def _place(self, name: str) -> int:
        """The number of the block of that capability, made if there is none. Called under the lock."""
        names = os.pread(self._file, _HEADER_BYTES - _NAMES_AT, _NAMES_AT)
        count = int.from_bytes(os.pread(self._file, _WORD, _COUNT_AT), "little")
        digest = blake2b(name.encode(), digest_size=_NAME_BYTES).digest()
        for place in range(count):
            if names[place * _NAME_BYTES : (place + 1) * _NAME_BYTES] == digest:
                return place
        if count == CAPABILITIES_MAX:
            raise FreshnessUnusable(self._path, f"it holds {CAPABILITIES_MAX} capabilities already")
        start = _HEADER_BYTES + count * self._block_bytes
        os.ftruncate(self._file, start + self._block_bytes)
        os.pwrite(self._file, (1).to_bytes(_WORD, "little"), start + _FLOOR * _WORD)
        os.pwrite(self._file, digest, _NAMES_AT + count * _NAME_BYTES)
        os.pwrite(self._file, (count + 1).to_bytes(_WORD, "little"), _COUNT_AT)
        return count

    def _remap(self) -> None:
        size = os.fstat(self._file).st_size
        if self._map is not None and len(self._map) == size:
            return
        self._unmap()
        self._map = mmap.mmap(self._file, size)
        self._bytes = memoryview(self._map)
        self._words = self._bytes.cast("Q")

    def _unmap(self) -> None:
        if self._map is not None:
            self._words.release()
            self._bytes.release()
            self._map.close()
            self._map = None


def _prepare(path: Path, writers: int) -> None:
    """Leave a file of this boot with room for that many writers; one that is there already keeps its writes.

    Workers of a gateway that was killed may still be finishing requests, and note them in the file that they have.
    """
    boot = _boot_id()
    wanted = _MAGIC + boot.ljust(_BOOT_BYTES, b"\0") + writers.to_bytes(_WORD, "little")
    try:
        with path.open("rb") as file:
            if file.read(len(wanted)) == wanted and boot:
                return
    except FileNotFoundError:
        pass
    beside = path.with_name(path.name + ".next")
    beside.unlink(missing_ok=True)
    with os.fdopen(os.open(beside, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as file:
        file.write(wanted.ljust(_HEADER_BYTES, b"\0"))
    beside.replace(path)


def _boot_id() -> bytes:
    try:
        return Path("/proc/sys/kernel/random/boot_id").read_bytes().strip()[:_BOOT_BYTES]
    except OSError:
        return b""
