"""The certificate files of a gateway: whether they have changed, can be used, and when they expire."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import structlog
from cryptography import x509

from config.model import Routes
from config.serving import Tls
from gateway.tls import CertificateUnusable, listener_context, upstream_context

State = dict[Path, tuple[int, int, int] | None]
_log = structlog.get_logger()


class Certificates:
    """What the supervisor knows of the files; it looks now and then, because mounts and symlinks tell nobody."""

    def __init__(self, listener: Tls | None, routes: Callable[[], Routes]) -> None:
        """`listener` is what the gateway was started with, `routes` the table in force. Raises CertificateUnusable."""
        self._listener = listener
        self._routes = routes
        self._seen = self._state()
        self.is_refused = False
        self._check()

    def look(self) -> bool:
        """Whether the files have changed and all can be used; files that cannot are said once and change nothing."""
        state = self._state()
        if state == self._seen:
            return False
        self._seen = state
        try:
            self._check()
        except CertificateUnusable as error:
            self.is_refused = True
            _log.warning("certificates.refused", where=error.where, path=str(error.path), reason=error.reason)
            return False
        self.is_refused = False
        return True

    def look_again(self) -> None:
        """A worker could not take them: the next look finds them changed."""
        self._seen = {}

    def expiries(self) -> dict[str, float]:
        """When each certificate that we show ends, by its place in routes.yaml, in seconds since the epoch."""
        found = {}
        for where, path in self._shown():
            try:
                first = x509.load_pem_x509_certificates(path.read_bytes())[0]
            except (OSError, ValueError):
                continue  # what is wrong with it has been said
            found[where] = first.not_valid_after_utc.timestamp()
        return found

    def _check(self) -> None:
        if self._listener is not None:
            listener_context(self._listener)
        for name, one in self._routes().upstreams.items():
            if one.tls is not None:
                upstream_context(name, one.tls)

    def _shown(self) -> Iterator[tuple[str, Path]]:
        if self._listener is not None:
            yield "gateway.tls", self._listener.certificate
        for name, one in self._routes().upstreams.items():
            if one.tls is not None and one.tls.certificate is not None:
                yield f"upstreams.{name}.tls", one.tls.certificate

    def _files(self) -> Iterator[Path | None]:
        if self._listener is not None:
            yield from (self._listener.certificate, self._listener.key, self._listener.client_ca)
        for one in self._routes().upstreams.values():
            if one.tls is not None:
                yield from (one.tls.ca, one.tls.certificate, one.tls.key)

    def _state(self) -> State:
        return {path: _stamp(path) for path in self._files() if path is not None}


def _stamp(path: Path) -> tuple[int, int, int] | None:
    try:
        found = path.stat()
    except OSError:
        return None
    return found.st_ino, found.st_mtime_ns, found.st_size
