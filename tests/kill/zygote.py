"""Starts commands and services by fork, so that hundreds of them do not import the program hundreds of times.

Each is a process of its own, in a session of its own, that runs the command line from its first word to its exit code.
One JSON object a line: {"id", "argv", "out", "environ", "orders"} in; {"id", "pid"} and then {"id", "status"} out.
"""

from __future__ import annotations

import gc
import os
import select
import signal
import sys
from typing import Any, NoReturn

import msgspec

from tests.kill import crash


def main() -> None:
    """Serve until stdin ends."""
    _import_everything()
    gc.freeze()  # a collection in a child would copy every page that it shares with this process
    ended, told = os.pipe2(os.O_NONBLOCK | os.O_CLOEXEC)
    signal.set_wakeup_fd(told)
    signal.signal(signal.SIGCHLD, lambda *_: None)
    children: dict[int, int] = {}
    buffer = b""
    _say({"ready": True})
    while True:
        ready, _, _ = select.select([0, ended], [], [])
        if ended in ready:
            os.read(ended, 4096)
            _reap(children)
        if 0 in ready:
            data = os.read(0, 1 << 16)
            if not data:
                return
            *lines, buffer = (buffer + data).split(b"\n")
            for line in lines:
                asked = msgspec.json.decode(line)
                pid = os.fork()
                if pid == 0:
                    _become(asked, (ended, told))
                children[pid] = asked["id"]
                _say({"id": asked["id"], "pid": pid})


def _reap(children: dict[int, int]) -> None:
    while children:
        pid, status = os.waitpid(-1, os.WNOHANG)
        if not pid:
            return
        _say({"id": children.pop(pid), "status": os.waitstatus_to_exitcode(status)})


def _import_everything() -> None:
    import cdc.exposition
    import cdc.sync
    import cdc.verification.verify
    import gateway.server
    import legacy_adapter.facade
    import legacy_adapter.monolith.app
    import migrations.lint
    import runbook.advance
    import runbook.cli
    import runbook.screen_run
    import runbook.screen_sync
    import services.ledger.app
    import shadow.store

    assert cdc.verification.verify, (cdc.exposition, cdc.sync, gateway.server, migrations.lint, shadow.store)
    assert legacy_adapter.facade, (legacy_adapter.monolith.app, services.ledger.app)
    assert runbook.advance, (runbook.cli, runbook.screen_run, runbook.screen_sync)


def _become(asked: dict[str, Any], mine: tuple[int, int]) -> NoReturn:
    signal.set_wakeup_fd(-1)
    signal.signal(signal.SIGCHLD, signal.SIG_DFL)
    for descriptor in mine:
        os.close(descriptor)
    os.setsid()
    os.environ.update(asked["environ"])
    out = os.open(asked["out"], os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
    null = os.open("/dev/null", os.O_RDONLY)
    os.dup2(null, 0)
    os.dup2(out, 1)
    os.dup2(out, 2)
    code = 70
    try:
        if asked["orders"] is not None:
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
    main()
