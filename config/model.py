"""routes.yaml as frozen, typed objects: capabilities, routes and the whole file.

Seconds are floats, sizes are bytes, shares are floats between 0 and 1, percents between 0 and 100. References between
parts of the file (a capability's upstreams, a route's capability) are checked in `config/names.py`.
"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, Field, field_validator, model_validator

from config.calendar import Calendar
from config.comparing import Compare
from config.fields import Model, Seconds, Share, Size, key_of_kind
from config.match import Match, parse_match
from config.serving import AccessLog, Breaker, GatewaySettings, Idempotency, Tls, Tracing, Upstream, UpstreamTls

# Whoever reads the file whole finds all of it here.
__all__ = ["AccessLog", "Breaker", "GatewaySettings", "Idempotency", "Tls", "Tracing", "Upstream", "UpstreamTls"]

Stage = Literal["legacy", "shadow", "canary", "modern", "retired"]

READS = frozenset({"GET", "HEAD", "OPTIONS"})


class Database(Model):
    """A database by its URL; `${NAME}` in it comes from the environment."""

    url: str = Field(min_length=1, examples=["${LEGACY_DB}", "postgresql://user@127.0.0.1/bank"])


class Canary(Model):
    """Which share of keys modern serves in stage canary, and what a key is."""

    percent: float = Field(default=0, ge=0, le=100)
    key: Annotated[str, AfterValidator(key_of_kind("header", "cookie", "query", "path", "jwt", "client"))] = Field(
        default="client", examples=["header:X-Customer-Id", "path:account_id", "client"]
    )
    cookie: str | None = Field(
        default=None,
        pattern=r"^[A-Za-z0-9_-]{1,64}$",
        description="read-your-writes across gateways: the cookie in which a client carries the time of its last write",
        examples=["strangler-accounts"],
    )


class Shadow(Model):
    """How much is mirrored, and up to which size of body."""

    sample: Share = 1.0
    noise: Share = Field(
        default=0.0, description="share of mirrored reads that legacy is asked twice, to see its noise"
    )
    body_max: Size = 1 << 20
    keep: int = Field(default=20, ge=0, le=1000, description="pairs stored, sealed, of each route and verdict")
    captures: int = Field(
        default=0, ge=0, le=10_000, description="reads of each route that are kept, sealed, for `replay --captures`"
    )
    retention: Seconds = Field(default=30 * 86400.0, description="how long what is stored is kept")


class Sync(Model):
    """The two databases of a capability (names under `databases`) and the folder of its mappings."""

    source: str
    target: str
    mappings: Path
    wal_warn: Size = 1 << 30  # log that a slot of ours holds back on its source: a warning past this ...
    wal_page: Size = 10 << 30  # ... and somebody must come past this


class Gates(Model):
    """What must hold before a capability moves on."""

    mismatch_rate: Share = 0.001
    confidence: Share = 0.95
    coverage: Share = 0.95
    latency_p99_ratio: float = Field(default=1.5, gt=0)
    lag: Seconds = 2.0


class Capability(Model):
    """The unit that is migrated: its routes and the tables it owns."""

    legacy: str
    modern: str
    stage: Stage = "legacy"
    canary: Canary | None = None
    shadow: Shadow | None = None
    sync: Sync | None = None
    gates: Gates = Gates()
    approvals: int = Field(default=0, ge=0, le=20)
    writers: tuple[str, ...] = Field(
        default=(),
        description="application_names that write these tables on behalf of the capability's routes",
        examples=[["corebank", "ledger"]],
    )

    @property
    def canary_percent(self) -> float:
        """The share of keys that modern serves in stage canary, 0 to 100."""
        return self.canary.percent if self.canary else 0.0

    @property
    def canary_key_kind(self) -> str:
        """`header`, `cookie`, `query`, `path`, `jwt` or `client`."""
        return (self.canary.key if self.canary else "client").partition(":")[0]

    @property
    def canary_key_name(self) -> str:
        """What follows the kind: the header's name, the claim; empty for `client`."""
        return (self.canary.key if self.canary else "client").partition(":")[2]


class BodyCondition(Model):
    """Bytes at a place in the body, decoded by a code page: a transaction code, for example."""

    offset: int = Field(ge=0, le=16 << 10)
    equals: str = Field(min_length=1)
    codepage: str = "utf-8"

    @model_validator(mode="after")
    def _can_be_encoded(self) -> BodyCondition:
        try:
            self.equals.encode(self.codepage)
        except (LookupError, UnicodeError) as error:
            raise ValueError(f"{self.equals!r} cannot be written in code page {self.codepage!r}") from error
        return self


class When(Model):
    """Conditions that narrow a route beyond its match; all given ones must hold."""

    host: str | None = None
    header: dict[str, str] = Field(default_factory=dict)
    query: dict[str, str] = Field(default_factory=dict)
    cookie: dict[str, str] = Field(default_factory=dict)
    soap: str | None = None
    form: dict[str, str] = Field(default_factory=dict)
    body: BodyCondition | None = None

    @property
    def count(self) -> int:
        """How many conditions there are: of two routes that match, the one with more wins."""
        singles = sum(value is not None for value in (self.host, self.soap, self.body))
        return singles + len(self.header) + len(self.query) + len(self.cookie) + len(self.form)

    @property
    def needs_body(self) -> bool:
        """Whether the head of the body must be seen before the route is known."""
        return self.soap is not None or bool(self.form) or self.body is not None


class Sandbox(Model):
    """Mirrored writes go to this upstream, which may do with them what it likes."""

    sandbox: str


class VerifyByRead(Model):
    """A write is not mirrored; instead the named route is read on both sides afterwards."""

    verify_by_read: str


class Route(Model):
    """A match and the capability (or the pinned upstream) that it belongs to."""

    match: str = Field(examples=["GET /accounts/{account_id}", "* /admin/{rest...}"])
    name: str = ""
    capability: str | None = None
    upstream: str | None = None
    write: bool | None = None
    when: When = When()
    shadow: Literal["never", "dry_run"] | Sandbox | VerifyByRead = "never"
    compare: Compare = Compare()

    @model_validator(mode="before")
    @classmethod
    def _is_named_by_its_match(cls, data: Any) -> Any:
        if isinstance(data, dict) and not data.get("name"):
            return {**data, "name": data.get("match", "")}
        return data

    @field_validator("match")
    @classmethod
    def _parses(cls, match: str) -> str:
        parse_match(match)
        return match

    @model_validator(mode="after")
    def _has_one_home(self) -> Route:
        if (self.capability is None) == (self.upstream is None):
            raise ValueError("expected either a capability or an upstream, and not both")
        return self

    @property
    def pattern(self) -> Match:
        """The match, parsed."""
        return parse_match(self.match)

    def is_write(self, method: str) -> bool:
        """Whether a request by that method writes: as the route says, else everything but GET, HEAD and OPTIONS."""
        return self.write if self.write is not None else method not in READS


class Routes(Model):
    """The whole file. `path` and `digest` (sha256 of the file's bytes) are set by the reader."""

    version: Literal[1]
    gateway: GatewaySettings = GatewaySettings()
    databases: dict[str, Database] = Field(default_factory=dict)
    upstreams: dict[str, Upstream] = Field(default_factory=dict)
    default: str | None = None
    calendar: Calendar | None = None
    capabilities: dict[str, Capability] = Field(default_factory=dict)
    routes: tuple[Route, ...] = ()
    path: Path = Field(default=Path("routes.yaml"), exclude=True)
    digest: str = Field(default="", exclude=True)
