"""The two streams of a capability as plain facts: names, ends, mappings."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from cdc.mapping import Mapping
from cdc.sentinel import SENTINEL, SENTINEL_TABLE
from cdc.slots import name_of

Direction = Literal["forward", "reverse"]


@dataclass(frozen=True)
class StreamPlan:
    """One stream. `mappings` are the capability's, parents before children; the sentinel's comes on top."""

    capability: str
    direction: Direction
    source_url: str
    target_url: str
    mappings: tuple[Mapping, ...]

    @property
    def name(self) -> str:
        """Its name in `strangler.stream`."""
        return f"{self.capability}:{self.direction}"

    @property
    def slot(self) -> str:
        """Its slot on the source; the publication has the same name."""
        return name_of(self.capability, self.direction)

    @property
    def all_mappings(self) -> tuple[Mapping, ...]:
        """What the stream carries."""
        return (*self.mappings, SENTINEL)

    @property
    def published(self) -> Sequence[str]:
        """The tables of the publication."""
        return [*(mapping.source_table for mapping in self.mappings), SENTINEL_TABLE]
