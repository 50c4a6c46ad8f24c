"""One real worker process of the gateway, and a comparer that only records."""

from __future__ import annotations

import contextlib
import json
import os
import socket
import subprocess
import sys
import tempfile
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from gateway.mirroring.backlog import HELLO_BYTES, NAME_BYTES, NUMBER_BYTES
from shadow.observation import Event, Pair, decode

CALL_SECONDS = 15.0


class Comparer:
    """Takes frames on a unix socket and keeps them."""

    def __init__(self, path: Path) -> None:
        self.events: list[Event] = []
        self.told = 0
        self._open: list[socket.socket] = []
        self._listener = socket.socket(socket.AF_UNIX)
        self._listener.bind(str(path))
        self._listener.listen()
        threading.Thread(target=self._accept, daemon=True).start()

    @property
    def pairs(self) -> list[Pair]:
        return [event for event in self.events if isinstance(event, Pair)]

    def counted(self, kind: type) -> int:
        """How many requests of that kind were told since `events` was cleared, pairs each counting one."""
        return sum(getattr(event, "count", 1) for event in tuple(self.events) if isinstance(event, kind))

    def _accept(self) -> None:
        with contextlib.suppress(OSError):
            while True:
                sock, _ = self._listener.accept()
                self._open.append(sock)
                threading.Thread(target=self._read, args=(sock,), daemon=True).start()

    def _read(self, sock: socket.socket) -> None:
        with contextlib.suppress(OSError), sock, sock.makefile("rb") as stream:
            stored = int.from_bytes(stream.read(HELLO_BYTES)[NAME_BYTES:], "big")
            sock.sendall(stored.to_bytes(NUMBER_BYTES, "big"))
            while length := stream.read(4):
                event = decode(stream.read(int.from_bytes(length, "big")))
                self.events.append(event)
                self.told += getattr(event, "count", 1)
                stored += 1
                sock.sendall(stored.to_bytes(NUMBER_BYTES, "big"))

    def close(self) -> None:
        for sock in (self._listener, *self._open):
            with contextlib.suppress(OSError):
                sock.shutdown(socket.SHUT_RDWR)
            sock.close()


class Gateway:
    """A worker process with its control channel."""

    def __init__(self, directory: Path, comparer: bool, limits: dict[str, Any]) -> None:
        self.directory = directory
        self.comparer_path = directory / "comparer.sock"
        self.comparer = Comparer(self.comparer_path) if comparer else None
        self._limits = limits
        self._number = 0
        self._versions = 0
        self._lock = threading.Lock()
        ours, theirs = socket.socketpair()
        with theirs:
            command = [sys.executable, "-m", "gateway.worker", "--control-fd", str(theirs.fileno())]
            self.log = (directory / "worker.log").open("ab")
            self.process = subprocess.Popen(command, pass_fds=[theirs.fileno()], stdout=self.log, stderr=self.log)
        ours.settimeout(CALL_SECONDS)
        self._control = ours
        self._lines = ours.makefile("rb")
        self.port = 0

    def start(self, routes: str) -> None:
        reply = self.call(
            "start",
            routes=str(self.write(routes)),
            listen="127.0.0.1:0",
            run=str(self.directory),
            comparer=str(self.comparer_path) if self.comparer else None,
            freshness=None,
            index=0,
            limits=self._limits,
        )
        self.port = reply["port"]

    def write(self, routes: str) -> Path:
        self._versions += 1
        path = self.directory / f"routes-{self._versions}.yaml"
        path.write_text(routes)
        return path

    def use(self, routes: str) -> None:
        """Put another table in force."""
        self.call("table", path=str(self.write(routes)))

    def call(self, do: str, **fields: Any) -> dict[str, Any]:
        """Ask over the control channel; fails the test if the worker refuses."""
        reply = self.try_call(do, **fields)
        assert reply["ok"], reply
        return reply

    def try_call(self, do: str, **fields: Any) -> dict[str, Any]:
        with self._lock:
            self._number += 1
            self._control.sendall(json.dumps({"id": self._number, "do": do, **fields}).encode() + b"\n")
            reply: dict[str, Any] = json.loads(self._lines.readline())
            assert reply["id"] == self._number
            return reply

    def metrics(self) -> dict[str, Any]:
        found: dict[str, Any] = self.call("metrics")["metrics"]
        return found

    def mirror_counts(self) -> dict[str, int]:
        """Outcomes of mirrored requests over all routes."""
        counts: dict[str, int] = {}
        for row in self.metrics()["mirror"]:
            counts[row["outcome"]] = counts.get(row["outcome"], 0) + row["count"]
        return counts

    def hold(self, capability: str) -> dict[str, Any]:
        found: dict[str, Any] = self.call("holds")["holds"].get(capability, {})
        return found

    def memory_mib(self) -> float:
        status = Path(f"/proc/{self.process.pid}/status").read_text()
        return int(status.split("VmRSS:")[1].split()[0]) / 1024

    def close(self) -> None:
        self._lines.close()
        self._control.close()
        if self.comparer is not None:
            self.comparer.close()
        try:
            self.process.wait(CALL_SECONDS)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
        self.log.close()


@contextlib.contextmanager
def gateway(routes: str, *, comparer: bool = False, **limits: Any) -> Iterator[Gateway]:
    """A running worker; its directory lies where a socket's path may be long enough."""
    with tempfile.TemporaryDirectory(prefix="gateway-", dir=os.environ.get("TMPDIR", "/tmp")) as directory:
        one = Gateway(Path(directory), comparer, limits)
        try:
            one.start(routes)
            yield one
        finally:
            one.close()
