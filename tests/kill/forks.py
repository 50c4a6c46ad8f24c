"""Commands and services of a world: each a process of its own, forked from one that has the program in memory."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from time import monotonic, sleep
from typing import Any

import msgspec

from runbook.demo.workspace import note_process
from tests.kill.crash import Orders

START_SECONDS, FORK_SECONDS = 60.0, 15.0


class Fork:
    """One process; `status` is None while it runs, and negative after a signal."""

    def __init__(self, forks: Forks, number: int, out: Path) -> None:
        self._forks, self.number, self.out = forks, number, out
        self.pid, self.status = 0, None  # type: tuple[int, int | None]

    @property
    def output(self) -> str:
        """What it wrote so far."""
        return self.out.read_text(errors="replace") if self.out.exists() else ""

    def poll(self) -> int | None:
        """Its exit status, or None while it runs."""
        self._forks.hear()
        return self.status

    def wait(self, seconds: float) -> int:
        """Wait for its end. Raises TimeoutError."""
        deadline = monotonic() + seconds
        while (status := self.poll()) is None:
            if monotonic() > deadline:
                raise TimeoutError(f"process {self.number} does not end")
            sleep(0.004)
        return status

    def send_signal(self, number: signal.Signals) -> None:
        """Signal it, unless it has ended: the process that forked it reaps it and says so, so its pid may be gone."""
        if self.poll() is None:
            os.kill(self.pid, number)

    def kill(self) -> None:
        """End it at once."""
        self.send_signal(signal.SIGKILL)


class Forks:
    """The process from which all of one world are forked, and what it says of them."""

    def __init__(self, folder: Path, environ: Mapping[str, str]) -> None:
        self._folder = folder
        with (folder / "zygote.log").open("ab") as log:
            self._zygote = subprocess.Popen(
                [sys.executable, "-m", "tests.kill.zygote"],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=log,
                env={**os.environ, **environ},
                cwd=folder,
                start_new_session=True,
            )
        note_process(folder, self._zygote.pid)
        assert self._zygote.stdout
        os.set_blocking(self._zygote.stdout.fileno(), False)
        self._running: dict[int, Fork] = {}
        self._buffer = b""
        self._number = 0

    def wait_ready(self) -> None:
        """Wait until it has the program in memory."""
        deadline = monotonic() + START_SECONDS
        while not self.hear():
            if self._zygote.poll() is not None or monotonic() > deadline:
                words = (self._folder / "zygote.log").read_text(errors="replace")[-1500:]
                raise TimeoutError(f"the process that starts the others does not start: {words}")
            sleep(0.01)

    def start(
        self,
        argv: tuple[str, ...],
        out: Path,
        environ: Mapping[str, str] | None = None,
        orders: Orders | None = None,
    ) -> Fork:
        """Run `strangler ARGV` in a new process that appends to `out`; `orders` says at which moment it dies."""
        self._number += 1
        fork = self._running[self._number] = Fork(self, self._number, out)
        asked = {"id": fork.number, "argv": argv, "out": str(out), "environ": environ or {}, "orders": orders}
        assert self._zygote.stdin
        self._zygote.stdin.write(msgspec.json.encode(asked) + b"\n")
        self._zygote.stdin.flush()
        deadline = monotonic() + FORK_SECONDS
        while not fork.pid:
            if monotonic() > deadline:
                raise TimeoutError(f"{argv[0]} was not forked")
            self.hear() or sleep(0.001)
        note_process(self._folder, fork.pid)
        return fork

    def hear(self) -> bool:
        """Take in what the zygote said since; whether it said anything."""
        assert self._zygote.stdout
        self._buffer += self._zygote.stdout.read() or b""
        *lines, self._buffer = self._buffer.split(b"\n")
        for line in lines:
            said: dict[str, Any] = msgspec.json.decode(line)
            if "pid" in said:
                self._running[said["id"]].pid = said["pid"]
            if "status" in said:
                self._running.pop(said["id"]).status = said["status"]
        return bool(lines)

    def close(self) -> None:
        """End it, and whatever still runs of its children."""
        running = list(self._running.values())
        for fork in running:
            fork.kill()
        for fork in running:
            fork.wait(10)
        assert self._zygote.stdin
        assert self._zygote.stdout
        self._zygote.stdin.close()
        self._zygote.wait(10)
        self._zygote.stdout.close()
