"""The demo's processes: each started with its own log, awaited until it serves, ended in the order of need."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from time import monotonic, sleep

import httpx

from config.errors import StranglerError
from runbook.demo.workspace import note_process

START_SECONDS, STOP_SECONDS = 30.0, 10.0


@dataclass(eq=False)
class ProcessFailed(StranglerError):
    """A process of the demo ended, or never came to serve."""

    name: str
    log: Path
    last_words: str

    @property
    def sentence(self) -> str:
        """Which process, and what it said last."""
        return f"The process {self.name!r} failed: {self.last_words or 'it said nothing'}"

    @property
    def hint(self) -> str:
        """Where the rest of its log is."""
        return f"Its log: {self.log}"


@dataclass
class Child:
    """One running process and its log."""

    name: str
    process: subprocess.Popen[bytes]
    log: Path

    def failure(self) -> ProcessFailed:
        """The error that says what the process said last."""
        lines = self.log.read_text(errors="replace").strip().splitlines()
        return ProcessFailed(self.name, self.log, " / ".join(lines[-3:])[-600:])

    def check(self) -> None:
        """Raise ProcessFailed if the process has ended."""
        if self.process.poll() is not None:
            raise self.failure()

    def stop(self) -> int:
        """Ask it to end and wait; returns its exit status."""
        if self.process.poll() is None:
            self.process.terminate()
        try:
            return self.process.wait(STOP_SECONDS)
        except subprocess.TimeoutExpired:
            self.process.kill()
            return self.process.wait(STOP_SECONDS)


@dataclass
class Processes:
    """Every child of one workspace."""

    folder: Path
    environ: dict[str, str]
    children: dict[str, Child] = field(default_factory=dict)

    @property
    def full_environ(self) -> dict[str, str]:
        """What a child's environment is."""
        return os.environ | self.environ

    def start(self, name: str, arguments: Sequence[str], *, pipe: bool = False) -> Child:
        """Start `python -m runbook.cli ARGUMENTS`, or a module given as `-m NAME`, in a session of its own."""
        command = [sys.executable, *(arguments if arguments[0] == "-m" else ["-m", "runbook.cli", *arguments])]
        log = self.folder / f"{name}.log"
        with log.open("ab") as sink:
            process = subprocess.Popen(
                command,
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE if pipe else sink,
                stderr=sink,
                env=self.full_environ,
                cwd=self.folder,
                start_new_session=True,  # Ctrl-C reaches the demo alone, which then ends everything in order
            )
        note_process(self.folder, process.pid)
        child = self.children[name] = Child(name, process, log)
        return child

    def wait_for_http(self, name: str, url: str) -> None:
        """Wait until the URL answers 200. Raises ProcessFailed when the process ends first, or takes too long."""
        self.wait_for(name, lambda: _answers(url))

    def wait_for(self, name: str, condition: Callable[[], bool]) -> None:
        """Wait for a condition for as long as the process lives, 30 s at the most."""
        child, deadline = self.children[name], monotonic() + START_SECONDS
        while not condition():
            child.check()
            if monotonic() > deadline:
                raise child.failure()
            sleep(0.03)

    def check(self) -> None:
        """Raise ProcessFailed if any process has ended by itself."""
        for child in self.children.values():
            child.check()

    def stop(self, *names: str) -> None:
        """End these processes, all at once, and forget them."""
        chosen = [self.children.pop(name) for name in names if name in self.children]
        for child in chosen:
            if child.process.poll() is None:
                child.process.send_signal(signal.SIGTERM)
        for child in chosen:
            child.stop()

    def stop_all(self) -> None:
        """End everything, those that were started last first."""
        for name in reversed(list(self.children)):
            self.stop(name)


def _answers(url: str) -> bool:
    try:
        return httpx.get(url, timeout=1.0, trust_env=False).status_code == 200
    except httpx.HTTPError:
        return False


def free_port() -> int:
    """A port on loopback that nobody has now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
