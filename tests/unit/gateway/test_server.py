from __future__ import annotations

import socket
from pathlib import Path

import pytest

from config.errors import PortInUse, RoutesInvalid
from gateway.server import admin_server, serve
from gateway.supervision.admin_token import AdminTokenMissing
from gateway.supervision.child import ChildGone
from gateway.supervision.run_directory import RunDirectoryTaken, claim
from gateway.tls import CertificateUnusable

TEXT = """
version: 1
upstreams: {monolith: {url: "http://127.0.0.1:1"}}
default: monolith
"""
FREE = "127.0.0.1:0"


@pytest.fixture
def routes(tmp_path: Path) -> Path:
    path = tmp_path / "routes.yaml"
    path.write_text(TEXT)
    return path


@pytest.mark.parametrize("which", ["listen", "admin"])
def test_a_port_in_use_is_one_sentence(routes: Path, which: str) -> None:
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        address = f"127.0.0.1:{other.getsockname()[1]}"
        with pytest.raises(PortInUse, match=f"{address} is in use") as refused:
            serve(routes, **{"listen": FREE, "admin": FREE, which: address})  # type: ignore[arg-type]
        assert refused.value.exit_code == 1


def test_an_invalid_table_is_refused_before_anything_is_made(routes: Path) -> None:
    routes.write_text("version: 3")
    with pytest.raises(RoutesInvalid):
        serve(routes, listen=FREE, admin=FREE)
    assert not (routes.parent / ".strangler").exists()


def test_certificates_that_cannot_be_used_are_said_before_anything_is_made(routes: Path) -> None:
    routes.write_text(TEXT + "gateway: {tls: {certificate: c.pem, key: k.pem}}\n")
    with pytest.raises(CertificateUnusable, match=r"gateway.tls: .*c.pem cannot be used: no such file"):
        serve(routes, listen=FREE, admin=FREE)


def test_the_admin_api_is_not_opened_to_the_network_without_a_token(
    routes: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("STRANGLER_ADMIN_TOKEN", raising=False)
    with pytest.raises(AdminTokenMissing):
        serve(routes, listen=FREE, admin="0.0.0.0:0")


def test_a_second_gateway_of_the_same_directory_is_refused(routes: Path) -> None:
    with claim(routes.parent / ".strangler"), pytest.raises(RunDirectoryTaken):
        serve(routes, listen=FREE, admin=FREE)


def test_workers_that_cannot_start_end_the_gateway_with_the_reason(
    routes: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("gateway.server.WORKER_COMMAND", ("/bin/false",))
    with pytest.raises(ChildGone, match="worker"):
        serve(routes, listen=FREE, admin=FREE)


def test_the_admin_server_leaves_signals_to_us() -> None:
    server = admin_server(None, None)  # type: ignore[arg-type]
    with server.capture_signals():
        assert server.config.access_log is False
    assert server._captured_signals == []
