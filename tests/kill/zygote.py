"""Starts commands by fork, so that a hundred of them do not import the program a hundred times.

Each is a process of its own, in a session of its own, that runs the command line from its first word to its exit code.
One JSON object a line: {"id", "argv", "orders", "out"} in; {"id", "pid"} and then {"id", "status"} out.
"""

from __future__ import annotations

import os
import select
import sys
from pathlib import Path
from typing import Any, NoReturn

import msgspec

from tests.kill import crash


def main() -> None:
    """Serve until stdin ends."""
    _import_everything()
    children: dict[int, int] = {}
    buffer = b""
    _say({"ready": True})
    while True:
        ready, _, _ = select.select([0], [], [], 0.005 if children else 1.0)
        if ready:
            data = os.read(0, 1 << 16)
            if not data:
                return
            *lines, buffer = (buffer + data).split(b"\n")
            for line in lines:
                asked = msgspec.json.decode(line)
                pid = os.fork()
                if pid == 0:
                    _command(asked)
                children[pid] = asked["id"]
                _say({"id": asked["id"], "pid": pid})
        while children:
            pid, status = os.waitpid(-1, os.WNOHANG)
            if not pid:
                break
            _say({"id": children.pop(pid), "status": os.waitstatus_to_exitcode(status)})


def _import_everything() -> None:
    import cdc.verification.verify
    import migrations.lint
    import runbook.advance
    import runbook.cli
    import runbook.screen_run
    import runbook.screen_sync
    import shadow.store

    assert cdc.verification.verify, (migrations.lint, shadow.store)
    assert runbook.advance, (runbook.cli, runbook.screen_run, runbook.screen_sync)


def _command(asked: dict[str, Any]) -> NoReturn:
    os.setsid()
    out = os.open(asked["out"], os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
    null = os.open("/dev/null", os.O_RDONLY)
    os.dup2(null, 0)
    os.dup2(out, 1)
    os.dup2(out, 2)
    code = 70
    try:
        crash.install(msgspec.convert(asked["orders"], crash.Orders))
        sys.argv = ["strangler", *asked["argv"]]
        from runbook.cli import main as strangler

        strangler()
        code = 0
    except SystemExit as ended:
        code = ended.code if isinstance(ended.code, int) else 1
    except BaseException:  # noqa: BLE001  # whatever it is, it goes into the output, and the exit code says so
        import traceback

        traceback.print_exc()
    finally:
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(code)


def _say(what: dict[str, Any]) -> None:
    os.write(1, msgspec.json.encode(what) + b"\n")


if __name__ == "__main__":
    Path(__file__)
    main()
