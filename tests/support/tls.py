"""Certificate authorities, an upstream that speaks TLS, and clients with and without certificates."""

from __future__ import annotations

import contextlib
import socket
import ssl
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import trustme

from tests.support.wire import TIMEOUT, Client, Reader, Upstream

EXPIRED = {"not_before": datetime(2020, 1, 1, tzinfo=UTC), "not_after": datetime(2021, 1, 1, tzinfo=UTC)}


class Authority:
    """A certificate authority whose files lie in a folder."""

    def __init__(self, folder: Path, name: str) -> None:
        self._folder = folder
        self._ca = trustme.CA(organization_name=name)
        self.path = folder / f"{name}-ca.crt"
        self._ca.cert_pem.write_to_path(str(self.path))

    def issue(self, name: str, *identities: str, is_expired: bool = False) -> tuple[Path, Path]:
        """A certificate with its chain, and its key; files that are there already are replaced."""
        made = self._ca.issue_cert(*identities, common_name=name, **(EXPIRED if is_expired else {}))
        certificate, key = self._folder / f"{name}.crt", self._folder / f"{name}.key"
        _replace(certificate, b"".join(blob.bytes() for blob in made.cert_chain_pems))
        _replace(key, made.private_key_pem.bytes())
        return certificate, key

    def client(self, pair: tuple[Path, Path] | None = None) -> ssl.SSLContext:
        """What a client trusts, and what it shows."""
        context = ssl.create_default_context(cafile=str(self.path))
        if pair is not None:
            context.load_cert_chain(*pair)
        return context


def _replace(path: Path, data: bytes) -> None:
    beside = path.with_suffix(".next")
    beside.write_bytes(data)
    beside.replace(path)


def self_signed(folder: Path, name: str) -> tuple[Path, Path]:
    """A certificate for localhost that nobody signed."""
    from cryptography import x509
    from cryptography.hazmat.primitives import hashes, serialization
    from cryptography.hazmat.primitives.asymmetric import ec

    key = ec.generate_private_key(ec.SECP256R1())
    subject = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, name)])
    now = datetime.now(UTC)
    made = (
        x509.CertificateBuilder(subject, subject, key.public_key(), x509.random_serial_number(), now - timedelta(1), now + timedelta(1))
        .add_extension(x509.SubjectAlternativeName([x509.DNSName("localhost")]), critical=False)
        .sign(key, hashes.SHA256())
    )  # fmt: skip
    certificate, private = folder / f"{name}.crt", folder / f"{name}.key"
    pem = serialization.Encoding.PEM
    certificate.write_bytes(made.public_bytes(pem))
    plain = serialization.NoEncryption()
    private.write_bytes(key.private_bytes(pem, serialization.PrivateFormat.PKCS8, plain))
    return certificate, private


class TlsClient(Client):
    """A connection through TLS; `served` is the certificate that it met."""

    def __init__(self, port: int, context: ssl.SSLContext) -> None:
        plain = socket.create_connection(("127.0.0.1", port), TIMEOUT)
        try:
            self.sock = context.wrap_socket(plain, server_hostname="localhost")
        except BaseException:
            plain.close()
            raise
        self.reader = Reader(self.sock)

    @property
    def served(self) -> bytes:
        return self.sock.getpeercert(binary_form=True)  # type: ignore[attr-defined,no-any-return]  # it is an SSLSocket


class TlsUpstream(Upstream):
    """An upstream that speaks TLS; `context` is what it shows and asks for."""

    def __init__(self, context: ssl.SSLContext) -> None:
        self.context = context
        self.shown: list[bytes | None] = []
        super().__init__()

    @property
    def url(self) -> str:
        return f"https://localhost:{self.port}"

    def _serve(self, sock: socket.socket, number: int) -> None:
        with contextlib.suppress(OSError):
            session = self.context.wrap_socket(sock, server_side=True)
            self.shown.append(session.getpeercert(binary_form=True))
            super()._serve(session, number)


def serving(pair: tuple[Path, Path], client_ca: Path | None = None) -> ssl.SSLContext:
    """What a server shows, and whose certificates it asks for."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(*pair)
    if client_ca is not None:
        context.verify_mode = ssl.CERT_REQUIRED
        context.load_verify_locations(client_ca)
    return context


@contextlib.contextmanager
def tls_upstream(context: ssl.SSLContext) -> Iterator[TlsUpstream]:
    """An upstream that ends with the context."""
    one = TlsUpstream(context)
    try:
        yield one
    finally:
        one.close()
