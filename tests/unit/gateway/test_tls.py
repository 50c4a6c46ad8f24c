"""What is let in and verified is in tests/scenarios/test_gateway_speaks_tls.py."""

from __future__ import annotations

import ssl
from pathlib import Path

import pytest

from config.serving import Tls, UpstreamTls
from gateway.tls import CertificateUnusable, listener_context, reason_of, upstream_context
from tests.support.tls import Authority


@pytest.fixture(scope="module")
def bank(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    return Authority(tmp_path_factory.mktemp("tls"), "bank")


def test_nothing_older_than_1_2_is_spoken_and_upstreams_are_always_verified(bank: Authority) -> None:
    certificate, key = bank.issue("gateway", "localhost")
    listening = listener_context(Tls(certificate=certificate, key=key))
    asking = upstream_context("monolith", UpstreamTls(ca=bank.path))
    assert listening.minimum_version == asking.minimum_version == ssl.TLSVersion.TLSv1_2
    assert asking.check_hostname
    assert (asking.verify_mode, listening.verify_mode) == (ssl.CERT_REQUIRED, ssl.CERT_NONE)
    mutual = listener_context(Tls(certificate=certificate, key=key, client_ca=bank.path))
    assert mutual.verify_mode == ssl.CERT_REQUIRED


def test_a_file_that_cannot_be_used_is_named_with_its_place_in_routes_yaml(bank: Authority, tmp_path: Path) -> None:
    certificate, key = bank.issue("one", "localhost")
    _, other = bank.issue("other", "localhost")
    rubbish = tmp_path / "rubbish.pem"
    rubbish.write_text("rubbish")
    for pair in ((certificate, other), (rubbish, key), (tmp_path / "none", key)):
        with pytest.raises(CertificateUnusable, match=r"gateway\.tls: .* cannot be used"):
            listener_context(Tls(certificate=pair[0], key=pair[1]))
    with pytest.raises(CertificateUnusable, match=r"upstreams\.core\.tls\.ca: .*rubbish.pem"):
        upstream_context("core", UpstreamTls(ca=rubbish))


def test_every_failure_of_a_handshake_has_a_reason() -> None:
    def failing(code: int) -> ssl.SSLCertVerificationError:
        error = ssl.SSLCertVerificationError("verify failed")
        error.verify_code = code
        return error

    assert reason_of(failing(10)) == "upstream_tls_expired"
    assert reason_of(failing(62)) == "upstream_tls_name"
    assert reason_of(failing(18)) == "upstream_tls_untrusted"
    assert reason_of(failing(999)) == reason_of(ssl.SSLError()) == reason_of(ConnectionResetError()) == "upstream_tls"
    assert reason_of(ConnectionRefusedError()) == "upstream_unreachable"
