"""A gateway's admin API without a gateway: it reads routes.yaml at each request and holds nothing but numbers."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

from config.reader import digest_of


class FakeGateway:
    """`digest` overrides what it claims to use; `in_flight` is counted down by one at each question."""

    def __init__(self, routes_path: Path) -> None:
        self.routes_path = routes_path
        self.digest: str | None = None
        self.in_flight = 0
        self.token: str | None = None
        self.holds: dict[str, float] = {}
        self.calls: list[str] = []
        self.url = ""
        self.foreseen = b""

    def answer(self, method: str, path: str, body: dict[str, Any]) -> dict[str, Any]:
        self.calls.append(f"{method} {path}")
        name = path.partition("?")[0].rpartition("/")[2]
        if path == "/api/table":
            digest = self.digest or digest_of(self.routes_path.read_bytes())
            return {"digest": digest, "path": "", "refused": [], "workers": [{"pid": 1, "digest": digest}]}
        if path == "/api/table/next":
            self.foreseen = body["content"].encode()
            return {"digest": digest_of(self.foreseen)}
        if path == "/api/capabilities":
            return {"accounts": {"stage": "legacy", "in_flight_writes": self.in_flight}}
        if method == "PUT":
            self.holds[name] = time.monotonic() + body["seconds"]
        elif method == "DELETE":
            self.holds.pop(name, None)
        return self._hold(name, is_asked=method == "GET")

    def _hold(self, name: str, *, is_asked: bool) -> dict[str, Any]:
        left = self.holds.get(name, 0.0) - time.monotonic()
        is_holding, in_flight = left > 0, self.in_flight
        if is_holding and is_asked:
            self.in_flight = max(0, self.in_flight - 1)
        return {
            "holding": is_holding,
            "held": 0,
            "in_flight": in_flight,
            "acknowledged": is_holding,
            "expires_in": max(left, 0.0),
        }


@contextmanager
def fake_gateway(routes_path: Path) -> Iterator[FakeGateway]:
    """Serve one on a free port of the loopback interface."""
    gateway = FakeGateway(routes_path)

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"
        disable_nagle_algorithm = True

        def _do(self) -> None:
            length = int(self.headers.get("Content-Length") or 0)
            raw_body = self.rfile.read(length)
            body = {"content": raw_body.decode()} if self.path == "/api/table/next" else json.loads(raw_body or b"{}")
            authorized = gateway.token is None or self.headers.get("Authorization") == f"Bearer {gateway.token}"
            raw = json.dumps(gateway.answer(self.command, self.path, body) if authorized else {}).encode()
            self.send_response(200 if authorized else 401)
            self.send_header("Content-Length", str(len(raw)))
            self.end_headers()
            self.wfile.write(raw)

        do_GET = do_PUT = do_DELETE = _do  # noqa: N815  # the names that the server looks for

        def log_message(self, *_: object) -> None:
            """Say nothing."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    gateway.url = f"http://127.0.0.1:{server.server_address[1]}"
    try:
        yield gateway
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
