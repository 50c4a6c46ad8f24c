"""TLS on the listener and to upstreams: contexts from files, why a handshake failed, who a client is by certificate."""

from __future__ import annotations

import asyncio
import base64
import ssl
from dataclasses import dataclass, replace
from functools import lru_cache
from hashlib import sha256
from pathlib import Path
from typing import Final

from config.errors import USAGE, StranglerError
from config.serving import Tls, UpstreamTls
from gateway.wire.identity import Networks, Peer, peer_of

# OpenSSL's X509_V_ERR_*: the reason that a client is told (gateway/wire/problems.py).
_REASONS: Final = {
    9: "upstream_tls_expired",
    10: "upstream_tls_expired",
    18: "upstream_tls_untrusted",
    19: "upstream_tls_untrusted",
    20: "upstream_tls_untrusted",
    21: "upstream_tls_untrusted",
    62: "upstream_tls_name",
    64: "upstream_tls_name",
}


@dataclass(eq=False)
class CertificateUnusable(StranglerError):
    """A file of certificates or a key that cannot be loaded."""

    where: str
    path: Path
    reason: str
    exit_code = USAGE

    @property
    def sentence(self) -> str:
        """The key of routes.yaml, the file, and what is wrong with it."""
        return f"{self.where}: {self.path} cannot be used: {self.reason}."

    @property
    def hint(self) -> str:
        """What the files are."""
        return "Certificates and keys are PEM files; the key belongs to the first certificate, the chain follows it."


def listener_context(settings: Tls) -> ssl.SSLContext:
    """What clients meet: TLS 1.2 or newer, and with `client_ca` a certificate of theirs. Raises CertificateUnusable."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    context.options |= ssl.OP_NO_RENEGOTIATION | ssl.OP_NO_COMPRESSION
    context.set_alpn_protocols(["http/1.1"])
    _load_pair(context, "gateway.tls", settings.certificate, settings.key)
    if settings.client_ca is not None:
        context.verify_mode = ssl.CERT_REQUIRED
        _load_ca(context, "gateway.tls.client_ca", settings.client_ca)
    return context


def upstream_context(name: str, settings: UpstreamTls | None) -> ssl.SSLContext:
    """What an upstream meets: its certificate and its name are verified, always. Raises CertificateUnusable."""
    where = f"upstreams.{name}.tls"
    if settings is None or settings.ca is None:
        context = ssl.create_default_context()
    else:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        _load_ca(context, f"{where}.ca", settings.ca)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    context.set_alpn_protocols(["http/1.1"])
    if settings is not None and settings.certificate is not None and settings.key is not None:
        _load_pair(context, where, settings.certificate, settings.key)
    return context


def _load_pair(context: ssl.SSLContext, where: str, certificate: Path, key: Path) -> None:
    for path in (certificate, key):
        _must_be_readable(where, path)
    try:
        # A key with a passphrase would ask a terminal that nobody watches.
        context.load_cert_chain(certificate, key, password=lambda: b"")
    except (ssl.SSLError, ValueError) as error:
        raise CertificateUnusable(where, certificate, "it is no certificate with its key") from error


def _load_ca(context: ssl.SSLContext, where: str, path: Path) -> None:
    _must_be_readable(where, path)
    try:
        context.load_verify_locations(path)
    except ssl.SSLError as error:
        raise CertificateUnusable(where, path, "it holds no certificates") from error


def _must_be_readable(where: str, path: Path) -> None:
    try:
        with path.open("rb"):
            pass
    except OSError as error:
        raise CertificateUnusable(where, path, (error.strerror or "it cannot be read").lower()) from error


def reason_of(error: OSError) -> str:
    """Why no TLS session with an upstream came about; a server that hangs up in the handshake speaks something else."""
    if isinstance(error, ssl.SSLError | ConnectionResetError | ConnectionAbortedError):
        return _REASONS.get(getattr(error, "verify_code", 0), "upstream_tls")
    return "upstream_unreachable"


def who_is_at(transport: asyncio.BaseTransport, trusted: Networks) -> tuple[str, Peer]:
    """The address at the other end, and the peer there, with the identity that its certificate proves."""
    name = transport.get_extra_info("peername")
    host = name[0] if isinstance(name, tuple) else ""
    session = transport.get_extra_info("ssl_object")
    if session is None:
        return host, peer_of(host, "http", trusted)
    peer = peer_of(host, "https", trusted)
    certificate = session.getpeercert(binary_form=True)
    return host, _with_certificate(peer, certificate) if certificate else peer


@lru_cache(maxsize=1024)
def _with_certificate(peer: Peer, certificate: bytes) -> Peer:
    # RFC 9440: a certificate that was verified, for the upstream.
    field = b"\r\nClient-Cert: :" + base64.b64encode(certificate) + b":"
    return replace(peer, fields=peer.fields + field, identity=sha256(certificate).digest())
