from __future__ import annotations

import time
from pathlib import Path

import pytest

from config.reader import parse_routes
from config.serving import Tls
from gateway.supervision.certificates import Certificates
from gateway.tls import CertificateUnusable
from tests.support.tls import Authority

TEXT = """
version: 1
upstreams: {core: {url: "https://core.example", tls: {ca: bank-ca.crt, certificate: us.crt, key: us.key}}}
"""


@pytest.fixture
def bank(tmp_path: Path) -> Authority:
    authority = Authority(tmp_path, "bank")
    authority.issue("us", "gateway.example")
    authority.issue("gateway", "localhost")
    return authority


def _certificates(folder: Path) -> Certificates:
    routes = parse_routes(TEXT.encode(), folder / "routes.yaml", {})
    return Certificates(Tls(certificate=folder / "gateway.crt", key=folder / "gateway.key"), lambda: routes)


def test_files_that_change_are_seen_once_and_files_that_cannot_be_used_change_nothing(
    bank: Authority, tmp_path: Path
) -> None:
    certificates = _certificates(tmp_path)
    assert not certificates.look()
    bank.issue("us", "gateway.example")
    assert [certificates.look(), certificates.look()] == [True, False]
    (tmp_path / "gateway.key").unlink()
    assert not certificates.look()
    assert certificates.is_refused
    bank.issue("gateway", "localhost")
    assert certificates.look()
    assert not certificates.is_refused
    certificates.look_again()
    assert certificates.look(), "a worker could not take them"


def test_what_we_show_has_an_end(bank: Authority, tmp_path: Path) -> None:
    expiries = _certificates(tmp_path).expiries()
    assert expiries.keys() == {"gateway.tls", "upstreams.core.tls"}
    assert all(at > time.time() for at in expiries.values())  # noqa: TID251 - a certificate's time is the wall's


def test_files_that_cannot_be_used_are_said_at_the_start(bank: Authority, tmp_path: Path) -> None:
    (tmp_path / "bank-ca.crt").write_text("rubbish")
    with pytest.raises(CertificateUnusable, match=r"upstreams\.core\.tls\.ca"):
        _certificates(tmp_path)
