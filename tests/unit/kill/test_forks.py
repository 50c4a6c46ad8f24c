"""A fork is a process of its own: it says how it ended, and may be killed."""

from __future__ import annotations

import signal
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.kill.forks import Forks

ROOT = str(Path(__file__).resolve().parents[3])


@pytest.fixture
def forks(tmp_path: Path) -> Iterator[Forks]:
    forks = Forks(tmp_path, {"PYTHONPATH": ROOT})
    try:
        forks.wait_ready()
        yield forks
    finally:
        forks.close()


def test_commands_and_services_end_as_they_are_ended(forks: Forks, tmp_path: Path) -> None:
    version = forks.start(("--version",), tmp_path / "version")
    wrong = forks.start(("no-such-command",), tmp_path / "wrong")
    server = forks.start(("service", "facade", "--listen", "127.0.0.1:0"), tmp_path / "server")
    assert (version.wait(20), wrong.wait(20)) == (0, 2)
    assert version.output.startswith("strangler ")
    assert "no-such-command" in wrong.output
    assert len({version.pid, wrong.pid, server.pid}) == 3
    assert server.poll() is None
    server.kill()
    assert server.wait(10) == -signal.SIGKILL
    server.kill()  # of one that has ended: its pid may be another's by now
    with pytest.raises(TimeoutError):
        forks.start(("service", "facade", "--listen", "127.0.0.1:0"), tmp_path / "server").wait(0)


def test_one_that_cannot_start_says_why(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    program = tmp_path / "python"
    program.write_text("#!/bin/sh\necho it is broken >&2\nexit 1\n")
    program.chmod(0o755)
    monkeypatch.setattr(sys, "executable", str(program))
    forks = Forks(tmp_path, {})
    with pytest.raises(TimeoutError, match="it is broken"):
        forks.wait_ready()
    forks.close()
