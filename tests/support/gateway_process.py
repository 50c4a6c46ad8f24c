"""A gateway as operators run it: a process of its own, with its log, its admin API and its workers."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from pathlib import Path
from types import TracebackType
from typing import Any

import httpx

from tests.support.waiting import wait_until

PROGRAM = """
import sys, structlog
from pathlib import Path
structlog.configure(
    processors=[structlog.processors.JSONRenderer()], logger_factory=structlog.PrintLoggerFactory(sys.stderr)
)
from config.errors import StranglerError
from gateway.server import serve
try:
    sys.exit(serve(Path(sys.argv[1]), listen=sys.argv[2], admin=sys.argv[3], workers=int(sys.argv[4])))
except StranglerError as error:
    print(error, file=sys.stderr)
    sys.exit(error.exit_code)
"""


def fetch(url: str, method: str = "GET", **request: Any) -> httpx.Response:
    """One request over a connection of its own; without a trust store, which takes long to load and is not needed."""
    with httpx.Client(verify=False, trust_env=False, timeout=20) as client:
        return client.request(method, url, **request)


class GatewayProcess:
    """`with GatewayProcess(path) as gateway:` serves until the end of the block; then it must end with 0."""

    def __init__(
        self,
        routes: Path,
        *,
        workers: int = 1,
        listen: str = "127.0.0.1:0",
        admin: str = "127.0.0.1:0",
        environ: dict[str, str] | None = None,
    ) -> None:
        self.log_path = routes.parent / "gateway.log"
        with self.log_path.open("wb") as log:
            self._process = subprocess.Popen(
                [sys.executable, "-c", PROGRAM, str(routes), listen, admin, str(workers)],
                stdout=log,
                stderr=log,
                env={**os.environ, **(environ or {})},
            )
        self.url = self.admin_url = ""

    @property
    def pid(self) -> int:
        return self._process.pid

    def __enter__(self) -> GatewayProcess:
        try:
            line = wait_until(lambda: self.event("gateway.listening"), "the gateway listens", 20)
        except AssertionError as error:
            self.kill()
            raise AssertionError(self.log_path.read_text()) from error
        self.url, self.admin_url = line["url"], line["admin"]
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._process.poll() is None:
            code = self.stop()
            assert kind is not None or code == 0, self.log_path.read_text()

    def events(self, name: str) -> list[dict[str, Any]]:
        """The log's events of that name."""
        lines = self.log_path.read_text(errors="replace").splitlines()
        found = [json.loads(line) for line in lines if line.startswith("{") and line.endswith("}")]
        return [line for line in found if line.get("event") == name]

    def event(self, name: str) -> dict[str, Any] | None:
        """The first of them, if there is one yet."""
        if self._process.poll() is not None:
            raise AssertionError(f"ended with {self._process.returncode}: {self.log_path.read_text()}")
        found = self.events(name)
        return found[0] if found else None

    def admin(self, path: str, method: str = "GET", **request: Any) -> Any:
        """The JSON that the admin API answers."""
        answer = fetch(self.admin_url + path, method, **request)
        assert answer.is_success, answer.text
        return answer.json()

    def worker_pids(self) -> list[int]:
        return [worker["pid"] for worker in self.admin("/api/table")["workers"]]

    def signal(self, number: signal.Signals) -> None:
        self._process.send_signal(number)

    def stop(self) -> int:
        self.signal(signal.SIGTERM)
        return self.wait()

    def wait(self, seconds: float = 30) -> int:
        """The exit code."""
        try:
            return self._process.wait(seconds)
        except subprocess.TimeoutExpired:
            self.kill()
            raise

    def kill(self) -> None:
        self._process.kill()
        self._process.wait()
