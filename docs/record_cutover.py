#!/usr/bin/env python3
"""Record one cutover and one way back as an operator sees them: real commands on a real world, under load.

python docs/record_cutover.py        writes docs/a-cutover-and-back.txt; `make recording` does it
"""

from __future__ import annotations

import os
import re
import shlex
import subprocess
import sys
import time
from pathlib import Path

from runbook.demo.workspace import Workspace
from runbook.demo.world import Size, World, build, start_clients, start_streams

FILE = Path(__file__).with_name("a-cutover-and-back.txt")
SIZE = Size(customers=600, accounts=1_500, history=5_000, clients=10)
HEAD = """\
A cutover and a way back, recorded by `make recording`: every line below a prompt was printed by the program, while ten
clients read and wrote through the gateway. Paths are shortened, nothing else was touched. Standard error (progress)
and standard output are shown as a terminal shows them.

"""
WAIVED = "--for 2h --reason 'a recording has little traffic' --as olivia --second sam"
TO_CANARY = ("advance accounts --yes --as olivia", f"waive accounts comparison {WAIVED}", "sync verify accounts")
COMMANDS = (
    "doctor accounts",
    "rehearse accounts --rounds 2 --as olivia",
    "plan accounts",
    "gates accounts",
    "approve accounts --plan {plan} --as sam",
    "advance accounts --plan {plan} --as olivia",
    "status accounts",
    "plan accounts --back",
    "approve accounts --back --plan {back} --as sam",
    "back accounts --plan {back} --as olivia",
    "journal --last 12",
    "journal verify",
)


def strangler(world: World, command: str) -> str:
    """Run a command of the command line; what it printed, with its exit code where that is not 0."""
    environ = os.environ | world.processes.environ | {"COLUMNS": "118", "NO_COLOR": "1"}
    done = subprocess.run(
        [sys.executable, "-m", "runbook.cli", *shlex.split(command)],
        env=environ,
        cwd=world.folder,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
    )
    text = done.stdout.replace(str(world.folder), ".")
    return text + (f"(exit code {done.returncode})\n" if done.returncode else "")


def record(world: World) -> str:
    """Bring the capability to canary, then record."""
    routes = (
        world.routes.read_text()
        .replace("approvals: 0", "approvals: 1")
        .replace("latency_p99_ratio: 10", "latency_p99_ratio: 50")
    )
    world.routes.write_text(routes)
    start_clients(world)
    start_streams(world)
    for command in TO_CANARY:
        hashed = _hash(world, "")
        if command.startswith("advance"):
            strangler(world, f"approve accounts --plan {hashed} --as sam")
        say(strangler(world, command))
    strangler(world, f"approve accounts --percent 100 --plan {_hash(world, '--percent 100')} --as sam")
    say(strangler(world, "advance accounts --percent 100 --yes --as olivia"))
    time.sleep(2)
    lines = [HEAD]
    found = {"plan": "", "back": ""}
    for template in COMMANDS:
        if "{plan}" in template and not found["plan"]:
            found["plan"] = _hash(world, "")
        if "{back}" in template and not found["back"]:
            found["back"] = _hash(world, "--back")
        command = template.format(**{name: value[:12] for name, value in found.items()})
        lines.append(f"$ strangler {command}\n{strangler(world, command)}\n")
    return "".join(lines)


def _hash(world: World, arguments: str) -> str:
    found = re.search(r"PLAN ([0-9a-f]{64})", strangler(world, f"plan accounts {arguments}"))
    return found[1] if found else ""


def say(text: str) -> None:
    """Progress goes to stderr."""
    sys.stderr.write(f"{text}\n")


def main() -> None:
    """Build, record, write."""
    with Workspace("recording") as workspace:
        world = build(workspace.path, SIZE, 0, say)
        try:
            lines = record(world).splitlines()
            FILE.write_text("\n".join(line.rstrip() for line in lines).rstrip() + "\n")
        finally:
            world.close()
    say(f"wrote {FILE.name}")


if __name__ == "__main__":
    main()
