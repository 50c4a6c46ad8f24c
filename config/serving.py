"""The parts of routes.yaml about the proxy itself and the servers it forwards to."""

from __future__ import annotations

from ipaddress import IPv4Network, IPv6Network
from pathlib import Path
from typing import Annotated, Literal

from pydantic import AfterValidator, Field

from config.fields import Address, HttpUrl, Model, Seconds, Share, Size, key_of_kind


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


class AccessLog(Model):
    """One JSON line for each request, to a file (reopened at SIGHUP) or to standard output."""

    file: Path | None = None


class Tracing(Model):
    """OpenTelemetry spans over OTLP/HTTP; a trace that a client has begun keeps its own sampling."""

    endpoint: str = Field(pattern=r"^https?://\S+$", examples=["http://127.0.0.1:4318/v1/traces"])
    sample: Share = 1.0
    service: str = "strangler-gateway"


class GatewaySettings(Model):
    """The proxy itself; all optional."""

    listen: Address = "127.0.0.1:8080"
    admin: Address = "127.0.0.1:8081"
    workers: int = Field(default=1, ge=1, le=256)
    tls: Tls | None = None
    trusted_proxies: tuple[IPv4Network | IPv6Network, ...] = ()
    instances: tuple[HttpUrl, ...] = ()
    idempotency: Idempotency | None = None
    access_log: AccessLog | None = None
    tracing: Tracing | None = None


class Breaker(Model):
    """After `failures` in a row the upstream is left alone for `open_for`, then probed once.

    With `failure_rate` it is also left alone when that share of at least `requests` in the last `window` failed; there
    an answer of 500, 502, 503 or 504 is a failure too, because a server that is an outlier answers fast and wrong.
    """

    failures: int = Field(default=5, ge=1)
    open_for: Seconds = 10.0
    failure_rate: Share | None = Field(default=None, gt=0, le=1)
    window: Seconds = 10.0
    requests: int = Field(default=20, ge=1)


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
    waiting: int = Field(default=1024, ge=0, description="requests that may wait for a connection; more are 503")
    wait: Seconds | None = Field(default=None, description="how long they may; connect_timeout if it is not given")
    health: str | None = Field(default=None, pattern=r"^/[!-~]*$")
    health_every: Seconds = 5.0
    breaker: Breaker | None = None
    retries: int = Field(default=0, ge=0, le=5)
