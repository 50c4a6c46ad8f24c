"""Pure: who answers a request, who gets a copy of it, and whether it is held (DESIGN section 3).

A route's decisions are made once, when the table is compiled; deciding a request picks one of them.
"""

from __future__ import annotations

import zlib
from dataclasses import dataclass
from typing import Final, Literal

from config.model import Capability, Routes

Side = Literal["legacy", "modern", "pinned", "default"]
BUCKETS: Final = 10_000


@dataclass(frozen=True, slots=True)
class Decision:
    """Which upstream answers, as which side; which upstream gets a copy; `why` is for people."""

    upstream: str
    side: Side
    why: str
    mirror: str | None = None
    is_held: bool = False


@dataclass(frozen=True, slots=True)
class Rule:
    """The decisions that are possible for one route under one table."""

    stage: str
    read: Decision
    write: Decision
    held: Decision
    modern_read: Decision
    stale_read: Decision
    spare_read: Decision
    threshold: float = 0.0

    @property
    def splits_reads(self) -> bool:
        """Whether the key of a read matters."""
        return self.stage == "canary"


def pinned(upstream: str, side: Side, why: str) -> Rule:
    """The rule of a route (or the default) that belongs to no capability."""
    only = Decision(upstream, side, why)
    return Rule(side, only, only, only, only, only, only)


def is_mirrored(capability: Capability) -> bool:
    """Whether reads of a capability are mirrored in its stage.

    They are in shadow; in canary only where the capability has a `shadow` section, so that a canary without one costs
    no copy. In stage modern nothing is mirrored.
    """
    return capability.stage == "shadow" or (capability.stage == "canary" and capability.shadow is not None)


def rule_of(name: str, capability: Capability) -> Rule:
    """The rule of every route of a capability in its stage."""
    legacy, modern, stage = capability.legacy, capability.modern, capability.stage
    to_modern, to_legacy = (modern, legacy) if is_mirrored(capability) else (None, None)
    if home_of(stage) == "modern":
        answer = Decision(modern, "modern", f"{name} is {stage}")
        home, modern_read = answer, answer
    else:
        answer = Decision(legacy, "legacy", f"{name} is in stage {stage}", to_modern)
        home = Decision(
            legacy, "legacy", f"writes of {name} are at home in legacy", modern if stage == "shadow" else None
        )
        modern_read = Decision(modern, "modern", f"the key is in the canary of {name}", to_legacy)
    return Rule(
        stage,
        read=answer,
        write=home,
        held=Decision(home.upstream, home.side, f"writes of {name} are held", is_held=True),
        modern_read=modern_read,
        stale_read=Decision(legacy, "legacy", "what the key wrote has not arrived in modern yet", to_modern),
        # Legacy has everything in canary, so a key of modern's is answered there while modern cannot.
        spare_read=Decision(legacy, "legacy", "modern is left alone: it fails, or its health check does"),
        threshold=capability.canary_percent * (BUCKETS / 100) if stage == "canary" else 0.0,
    )


def home_of(stage: str) -> Literal["legacy", "modern"]:
    """The side that answers writes in a stage."""
    return "modern" if stage in ("modern", "retired") else "legacy"


def homes_of(routes: Routes) -> dict[str, str]:
    """The side that answers the writes of each capability."""
    return {name: home_of(capability.stage) for name, capability in routes.capabilities.items()}


def bucket_of(seed: int, key: bytes) -> int:
    """The bucket of a key, 0 to 9999; `seed` is `seed_of` its capability. The same on every machine, for ever."""
    return zlib.crc32(key, seed) % BUCKETS


def seed_of(capability: str) -> int:
    """What makes the buckets of two capabilities independent of each other."""
    return zlib.crc32(capability.encode() + b":")


def decide(rule: Rule, *, is_write: bool, bucket: int | None, is_fresh: bool = True, is_held: bool = False) -> Decision:
    """Who answers. `bucket` is None without a key; `is_fresh` says that modern has seen what the key wrote."""
    if is_write:
        return rule.held if is_held else rule.write
    if bucket is None or bucket >= rule.threshold:
        return rule.read
    return rule.modern_read if is_fresh else rule.stale_read
