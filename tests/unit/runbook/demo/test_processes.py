from pathlib import Path

import pytest

from runbook.demo.processes import Processes, ProcessFailed, free_port


def test_a_process_that_ends_by_itself_is_named_with_its_last_words(tmp_path: Path) -> None:
    processes = Processes(tmp_path, {})
    child = processes.start("broken", ["-m", "no_such_module"])
    child.process.wait(20)
    with pytest.raises(ProcessFailed, match=r"'broken' failed.*no_such_module"):
        processes.check()
    processes.stop_all()


def test_stopping_ends_every_process(tmp_path: Path) -> None:
    processes = Processes(tmp_path, {})
    child = processes.start("server", ["-m", "http.server", "--bind", "127.0.0.1", str(port := free_port())])
    processes.wait_for_http("server", f"http://127.0.0.1:{port}/")
    processes.stop_all()
    assert child.process.poll() is not None
    assert processes.children == {}
