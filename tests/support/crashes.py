"""Processes that kill themselves at named moments of a stream."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from config.model import Routes
from tests.support.streams import CHECKOUT, RUN
from tests.support.waiting import wait_until

Hits = tuple[tuple[str, int], ...]  # the moments at which one process after the other dies, and at which hit

IS_WHOLE = os.environ.get("CRASH_POINTS") == "all"  # `make crash-points`
HOOK = """
import os, sys, threading
from cdc import crash_points
hits = [int(sys.argv[4])]
def kill(point):
    # The reverse stream passes the same moments; what is tested here is the forward one, or the setup.
    if point == sys.argv[3] and "reverse" not in threading.current_thread().name:
        hits[0] -= 1
        if hits[0] == 0:
            os.kill(os.getpid(), 9)
crash_points.hook = kill
"""


def show(hits: Hits) -> str:
    """A case as the list of results names it."""
    return " then ".join(f"{point}#{hit}" for point, hit in hits)


def dies_at(routes: Routes, point: str, hit: int, meanwhile: Callable[[], object]) -> None:
    """Run both streams as a process until it kills itself at that moment; `meanwhile` is done again and again."""
    with _process(routes, point, hit) as process:
        wait_until(lambda: meanwhile() is None and process.poll() is not None, f"it dies at {point}", 30)
        assert process.returncode == -signal.SIGKILL, f"it ended with {process.returncode} before {point}"


@contextmanager
def _process(routes: Routes, point: str, hit: int) -> Iterator[subprocess.Popen[bytes]]:
    arguments = [sys.executable, "-c", HOOK + RUN, str(routes.path), "accounts", point, str(hit)]
    environment = {**os.environ, "PYTHONPATH": str(CHECKOUT)}
    process = subprocess.Popen(arguments, env=environment, stderr=subprocess.DEVNULL)
    try:
        yield process
    finally:
        process.kill()
        process.wait()
