import subprocess
import sys

import pytest
import structlog

from runbook.logs import configure


def test_logs_need_no_rich_and_leave_it_to_whoever_does() -> None:
    program = "import sys, runbook.logs; assert 'rich' not in sys.modules; import rich.console"
    subprocess.run([sys.executable, "-c", program], check=True)


def test_logs_are_events_on_stderr_and_stdout_stays_clean(capsys: pytest.CaptureFixture[str]) -> None:
    configure()
    structlog.get_logger().info("mirror.dropped", route="account", queued=3)
    captured = capsys.readouterr()
    structlog.reset_defaults()
    assert captured.out == ""
    assert "event=mirror.dropped route=account queued=3" in captured.err
