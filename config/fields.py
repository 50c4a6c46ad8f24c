"""What a single value in routes.yaml may be: durations, sizes, shares, addresses, and where a key is read from."""

from __future__ import annotations

from collections.abc import Callable
from typing import Annotated

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, WithJsonSchema

from config.units import seconds, share, size_bytes

Seconds = Annotated[
    float,
    BeforeValidator(seconds),
    Field(gt=0),
    WithJsonSchema({"type": ["string", "number"], "examples": ["250ms", "30s", "10m"]}),
]
Size = Annotated[
    int,
    BeforeValidator(size_bytes),
    Field(ge=0),
    WithJsonSchema({"type": ["string", "integer"], "examples": ["64KiB", "1MiB"]}),
]
Share = Annotated[
    float,
    BeforeValidator(share),
    WithJsonSchema({"type": ["string", "number"], "examples": ["5%", 0.05]}),
]
HttpUrl = Annotated[str, Field(pattern=r"^https?://[^/\s?#]+/?$", examples=["http://127.0.0.1:9100"])]
Address = Annotated[
    str, Field(pattern=r"^([^:\s]+|\[[0-9A-Fa-f:]+\]):\d{1,5}$", examples=["127.0.0.1:8080", "[::1]:8080"])
]


class Model(BaseModel):
    """Frozen, and every unknown key is an error."""

    model_config = ConfigDict(frozen=True, extra="forbid")


def key_of_kind(*kinds: str) -> Callable[[str], str]:
    """A check that a key is `client` or KIND:NAME, of these kinds."""
    expected = ", ".join(kind if kind == "client" else f"{kind}:NAME" for kind in kinds)

    def check(key: str) -> str:
        kind, _, name = key.partition(":")
        if kind not in kinds or (kind == "client") == bool(name):
            raise ValueError(f"expected {expected}")
        return key

    return check
