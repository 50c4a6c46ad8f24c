"""Writes routes.yaml: one value in place, comments and order kept, atomically, and only if nobody else changed it."""

from __future__ import annotations

import fcntl
import os
import re
import stat
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ruamel.yaml import YAML

from config.errors import RoutesChanged, UnknownCapability
from config.reader import digest_of, parse_routes

SCALAR = re.compile(rb"[^\s,}\]#]+")


def set_stage(path: Path, capability: str, stage: str, expected_digest: str) -> str:
    """Set a capability's stage and return the new digest. Raises RoutesChanged unless the file has the digest."""
    return _set(path, (capability,), "stage", stage, expected_digest)


def set_percent(path: Path, capability: str, percent: float, expected_digest: str) -> str:
    """Set a capability's canary percentage and return the new digest. Raises RoutesChanged as `set_stage` does."""
    return _set(path, (capability, "canary"), "percent", f"{percent:g}", expected_digest)


@dataclass(frozen=True)
class Change:
    """The whole next content of a file, validated before, and the digest of the content that it replaces."""

    path: Path
    content: bytes
    replaces: str

    @property
    def digest(self) -> str:
        """The digest that the file will have."""
        return digest_of(self.content)


def prepare_stage(path: Path, capability: str, stage: str, percent: float | None, expected_digest: str) -> Change:
    """Make a new stage, and perhaps percentage, ready for `write`. Raises RoutesChanged, RoutesInvalid."""
    path = path.resolve()
    raw = path.read_bytes()
    if digest_of(raw) != expected_digest:
        raise RoutesChanged(path)
    changed = _replaced(raw, (capability,), "stage", stage)
    if percent is not None:
        changed = _replaced(changed, (capability, "canary"), "percent", f"{percent:g}")
    parse_routes(changed, path, os.environ)
    return Change(path, changed, expected_digest)


def write(change: Change) -> str:
    """Write a change, all of it at once, and return the new digest. Raises RoutesChanged if the file is another."""
    with _locked(change.path):
        if digest_of(change.path.read_bytes()) != change.replaces:
            raise RoutesChanged(change.path)
        _replace_file(change.path, change.content)
    return change.digest


def _set(path: Path, below: tuple[str, ...], key: str, value: str, expected_digest: str) -> str:
    path = path.resolve()
    with _locked(path):
        raw = path.read_bytes()
        if digest_of(raw) != expected_digest:
            raise RoutesChanged(path)
        changed = _replaced(raw, below, key, value)
        parse_routes(changed, path, os.environ)  # a file that does not validate is never written
        _replace_file(path, changed)
    return digest_of(changed)


@contextmanager
def _locked(path: Path) -> Iterator[None]:
    """Hold the folder's lock, so that two writers of ours cannot both pass the comparison of digests."""
    descriptor = os.open(path.parent, os.O_RDONLY)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield
    finally:
        os.close(descriptor)


def _replaced(raw: bytes, below: tuple[str, ...], key: str, value: str) -> bytes:
    """The file's bytes with one scalar exchanged, found by the YAML parser's own marks; nothing else moves."""
    document: Any = YAML(typ="rt").load(raw.decode("utf-8"))
    node = document.get("capabilities", {})
    for name in below:
        if name not in node:
            raise UnknownCapability(below[0], tuple(document.get("capabilities", {})))
        node = node[name]
    if key not in node:
        return _inserted(raw, node, key, value)
    line, column = node.lc.value(key)
    lines = raw.splitlines(keepends=True)
    start = sum(map(len, lines[:line])) + len(lines[line].decode("utf-8")[:column].encode("utf-8"))
    found = SCALAR.match(raw, start)
    if found is None:
        raise UnknownCapability(below[0], tuple(document["capabilities"]))
    return raw[:start] + value.encode() + raw[found.end() :]


def _inserted(raw: bytes, node: Any, key: str, value: str) -> bytes:
    """The same where the file left the key at its default: before the node's first key, in the node's own style."""
    first = next(iter(node))
    line, column = node.lc.key(first)
    lines = raw.splitlines(keepends=True)
    start = sum(map(len, lines[:line])) + len(lines[line].decode("utf-8")[:column].encode("utf-8"))
    separator = b", " if node.fa.flow_style() else b"\n" + b" " * column
    return raw[:start] + f"{key}: {value}".encode() + separator + raw[start:]


def _replace_file(path: Path, content: bytes) -> None:
    """Write beside, make durable, then rename: a reader sees the old file or the new one, never half."""
    mode = stat.S_IMODE(path.stat().st_mode)
    descriptor, name = tempfile.mkstemp(prefix=f".{path.name}.", dir=path.parent)
    try:
        with os.fdopen(descriptor, "wb") as file:
            os.fchmod(file.fileno(), mode)
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        Path(name).replace(path)
    except BaseException:
        Path(name).unlink(missing_ok=True)
        raise
    folder = os.open(path.parent, os.O_RDONLY)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)
