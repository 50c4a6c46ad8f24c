"""The parts of routes.yaml about the proxy itself and the servers it forwards to."""

from __future__ import annotations

from ipaddress import IPv4Network, IPv6Network
from pathlib import Path
from typing import Annotated, Literal

from pydantic import AfterValidator, Field

from config.fields import Address, HttpUrl, Model, Seconds, Size, key_of_kind


class Tls(Model):
    """Certificates of the listener; with `client_ca` clients must show one too."""

    certificate: Path
    key: Path
    client_ca: Path | None = None


class Idempotency(Model):
    """Writes under an Idempotency-Key: the same request gets the stored answer, kept in the control database.

    `scope` says whose a key is; without it only who shows the same Authorization is answered. `when_down` says what
    becomes of such a write while the control database does not answer: refused with 503, or passed on unprotected.
    """

    keep: Seconds = 86400.0
    answer_max: Size = 64 << 10
    when_down: Literal["refuse", "pass"] = "refuse"
    scope: Annotated[str, AfterValidator(key_of_kind("header", "cookie", "jwt"))] | None = Field(
        default=None, examples=["jwt:sub", "header:X-Customer-Id"]
    )


class GatewaySettings(Model):
    """The proxy itself; all optional."""

    listen: Address = "127.0.0.1:8080"
    admin: Address = "127.0.0.1:8081"
    workers: int = Field(default=1, ge=1, le=256)
    tls: Tls | None = None
    trusted_proxies: tuple[IPv4Network | IPv6Network, ...] = ()
    instances: tuple[HttpUrl, ...] = ()
    idempotency: Idempotency | None = None


class Breaker(Model):
    """After `failures` in a row the upstream is left alone for `open_for`, then probed once."""

    failures: int = Field(default=5, ge=1)
    open_for: Seconds = 10.0


class UpstreamTls(Model):
    """How an https upstream is verified (`ca`, `server_name`), and what the gateway shows it (`certificate`, `key`).

    Without `ca` the system's authorities count; without `server_name` the host of the url.
    """

    ca: Path | None = None
    certificate: Path | None = None
    key: Path | None = None
    server_name: str | None = Field(default=None, pattern=r"^[A-Za-z0-9.:-]+$")


class Upstream(Model):
    """A server that the gateway forwards to."""

    url: HttpUrl
    tls: UpstreamTls | None = None
    connect_timeout: Seconds = 1.0
    timeout: Seconds = 30.0
    connections: int = Field(default=256, ge=1)
    health: str | None = Field(default=None, pattern=r"^/")
    breaker: Breaker | None = None
    retries: int = Field(default=0, ge=0, le=5)
