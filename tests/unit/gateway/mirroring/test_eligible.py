from __future__ import annotations

import signal
import subprocess
import sys
from contextlib import suppress
from pathlib import Path

from gateway.mirroring.eligible import ROUTES_MAX, Eligible, left_by, workers_in

COUNTS_AND_IS_KILLED = """
import os, signal, sys
from pathlib import Path
from gateway.mirroring.eligible import Eligible
eligible = Eligible(Path(sys.argv[1]), "w1")
for number in range(1000):
    eligible.count("accounts", f"GET /{number % 3}")
os.kill(os.getpid(), signal.SIGKILL)
"""


def test_what_a_killed_worker_counted_is_there_to_the_last_request(tmp_path: Path) -> None:
    killed = subprocess.run([sys.executable, "-c", COUNTS_AND_IS_KILLED, str(tmp_path)], check=False)
    assert killed.returncode == -signal.SIGKILL
    assert workers_in(tmp_path) == ["w1"]
    with left_by(tmp_path, "w1") as found:
        assert found == {("accounts", "GET /0"): 334, ("accounts", "GET /1"): 333, ("accounts", "GET /2"): 333}
    assert workers_in(tmp_path) == []


def test_a_worker_that_lives_is_left_alone_and_one_that_ends_by_itself_waits_for_nobody(tmp_path: Path) -> None:
    eligible = Eligible(tmp_path, "w1")
    assert workers_in(tmp_path) == [], "nothing is counted yet"
    eligible.count("accounts", "GET /a")
    with left_by(tmp_path, "w1") as found:
        assert found is None
    assert workers_in(tmp_path) == ["w1"]
    eligible.close()
    eligible.count("accounts", "GET /a")
    with left_by(tmp_path, "w1") as found:
        assert found == {("accounts", "GET /a"): 1}


def test_what_could_not_be_settled_stays(tmp_path: Path) -> None:
    eligible = Eligible(tmp_path, "w1")
    eligible.count("accounts", "GET /a")
    eligible.close()
    with suppress(ZeroDivisionError), left_by(tmp_path, "w1"):
        _ = 1 / 0
    assert workers_in(tmp_path) == ["w1"]
    with left_by(tmp_path, "another") as found:
        assert found == {}


def test_a_route_that_moves_to_another_capability_is_counted_anew_and_routes_are_bounded(tmp_path: Path) -> None:
    eligible = Eligible(tmp_path, "w1")
    for capability in ("a", "b", "a"):
        eligible.count(capability, "GET /x")
    for number in range(ROUTES_MAX):
        eligible.count("c", f"GET /{number}")
    eligible.count("c", "GET /" + "x" * 1000)
    eligible.close()
    with left_by(tmp_path, "w1") as found:
        assert found is not None
        assert (found["a", "GET /x"], found["b", "GET /x"], len(found)) == (2, 1, ROUTES_MAX)


def test_without_a_folder_to_write_to_the_worker_goes_on(tmp_path: Path) -> None:
    Eligible(None, "w1").count("accounts", "GET /a")
    gone = Eligible(tmp_path / "gone", "w1")
    gone.count("accounts", "GET /a")
    gone.count("accounts", "GET /b")
    gone.close()
    assert list(tmp_path.iterdir()) == []
