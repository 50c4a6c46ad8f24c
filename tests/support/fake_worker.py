"""A worker that only speaks the control channel: it records what it is told and can be made to misbehave."""

from __future__ import annotations

import hashlib
import json
import os
import socket
import sys
import time
from pathlib import Path
from typing import Any


class Refused(Exception):
    pass


class FakeWorker:
    def __init__(self) -> None:
        self.holds: dict[str, float] = {}
        self.told: list[str] = []

    def answer(self, message: dict[str, Any]) -> dict[str, Any]:
        self.told.append(message["do"])
        try:
            return {"ok": True, **getattr(self, message["do"])(message)}
        except Refused as error:
            return {"ok": False, "error": str(error)}

    def start(self, message: dict[str, Any]) -> dict[str, Any]:
        if os.environ.get("FAKE_WORKER") == "refuses":
            raise Refused("not today")
        return self.table({"path": message["routes"]})

    def table(self, message: dict[str, Any]) -> dict[str, Any]:
        try:
            return {"digest": hashlib.sha256(Path(message["path"]).read_bytes()).hexdigest()}
        except OSError as error:
            raise Refused(f"{message['path']} cannot be read") from error

    def hold(self, message: dict[str, Any]) -> dict[str, Any]:
        self.holds[message["capability"]] = time.monotonic() + message["seconds"]
        return {}

    def release(self, message: dict[str, Any]) -> dict[str, Any]:
        self.holds.pop(message["capability"], None)
        return {}

    def holds_(self) -> dict[str, Any]:
        now = time.monotonic()
        return {
            name: {"holding": True, "cut_off": until <= now, "held": 1, "in_flight": 0, "expires_in": until - now}
            for name, until in self.holds.items()
        }

    def metrics(self, _: dict[str, Any]) -> dict[str, Any]:
        from gateway.metrics import Metrics  # only for those who ask: a fake should start quickly

        counted = Metrics()
        counted.series_of("GET /accounts/{account_id}", "legacy").record(200, 0.001)
        return {"metrics": counted.snapshot()}

    def told_so_far(self, _: dict[str, Any]) -> dict[str, Any]:
        return {"told": self.told}


def main() -> int:
    control = socket.socket(fileno=int(sys.argv[sys.argv.index("--control-fd") + 1]))
    worker = FakeWorker()
    if os.environ.get("FAKE_WORKER") == "dies":
        return 3
    for line in control.makefile("rb"):
        message = json.loads(line)
        if message["do"] == "drain":
            control.sendall(json.dumps({"id": message["id"], "ok": True}).encode() + b"\n")
            return 0
        if message["do"] == "silence":
            continue
        reply = {"ok": True, "holds": worker.holds_()} if message["do"] == "holds" else worker.answer(message)
        control.sendall(json.dumps({"id": message["id"], **reply}).encode() + b"\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
