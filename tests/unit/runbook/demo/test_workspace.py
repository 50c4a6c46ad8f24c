import os
import signal
import subprocess
import sys
from pathlib import Path

import psutil

from runbook.demo.workspace import Workspace, clear_abandoned
from tests.support.waiting import wait_until

OWNER = """
import subprocess, sys, time
from pathlib import Path
from runbook.demo.workspace import Workspace
workspace = Workspace("owner", Path(sys.argv[1]))
child = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(600)"], start_new_session=True)
workspace.note(child.pid)
print(child.pid, flush=True)
time.sleep(600)
"""


def test_a_workspace_is_gone_when_it_is_closed(tmp_path: Path) -> None:
    with Workspace("one", tmp_path) as workspace:
        assert workspace.path.exists()
    assert list(tmp_path.iterdir()) == []


def test_a_living_owners_workspace_is_left_alone(tmp_path: Path) -> None:
    with Workspace("one", tmp_path) as workspace:
        assert clear_abandoned(tmp_path) == ()
        assert workspace.path.exists()


def test_what_a_killed_owner_left_is_ended_and_removed(tmp_path: Path) -> None:
    owner = subprocess.Popen([sys.executable, "-c", OWNER, str(tmp_path)], stdout=subprocess.PIPE, text=True)
    assert owner.stdout is not None
    child = psutil.Process(int(owner.stdout.readline()))
    os.kill(owner.pid, signal.SIGKILL)
    owner.wait()
    owner.stdout.close()
    assert len(clear_abandoned(tmp_path)) == 1
    wait_until(lambda: not child.is_running(), "the child of the killed owner ends")
    assert list(tmp_path.iterdir()) == []


def test_a_process_that_got_a_noted_number_later_is_not_ended(tmp_path: Path) -> None:
    bystander = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(600)"])
    try:
        with Workspace("one", tmp_path) as workspace:
            (workspace.path / "processes").write_text(f"{bystander.pid} 12345.0\n")
        assert bystander.poll() is None
    finally:
        bystander.kill()
        bystander.wait()


def test_a_workspace_that_is_kept_outlives_its_owner(tmp_path: Path) -> None:
    workspace = Workspace("one", tmp_path)
    workspace.keep()
    assert clear_abandoned(tmp_path) == ()
    workspace.close()
